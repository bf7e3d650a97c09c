"""Runs that died without reporting it, and the slots that are taken by no run."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun, StateType
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.filters import EventFilter
from prefect.logging import get_run_logger
from prefect.states import Crashed

from tasks.config.site import site_of
from tasks.monitoring.run_tags import TAG

FLOWS = ("retrain", "generate", "maintain", "watch")
_HEARTBEAT = "prefect.flow-run.heartbeat"
_HOLDERS = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)  # runs that hold a slot

# After these a run is dead: what would have ended it is gone.
PENDING_SECONDS = 900.0  # longer than a worker takes to begin a run
SILENT_SECONDS = 540.0  # three heartbeats: Prefect's heart beats every 180 s where it is not set otherwise


class Cleared(NamedTuple):
    """A run that was marked as crashed, or slots that were freed; or would be in a dry run."""

    outcome: Literal["crashed", "freed"]
    what: str
    why: str


def clear_dead_runs(dry_run: bool = False) -> list[Cleared]:
    """Mark as crashed what died Pending or Running, and free slots that no run holds, inside a flow.

    A run that was killed with its worker, or before it began, would stay so for ever. Its slot stays taken if
    the server lost its leases: every later run of that deployment would be cancelled. Prefect's automations
    could do the first, but on SQLite the server drops events while the database is locked: runs that had
    completed would be taken for dead, and a death be missed.

    A server that refuses, or does not answer, is a warning in the log.
    """
    cleared: list[Cleared] = []
    logger = get_run_logger()
    try:
        with get_client(sync_client=True) as client:
            for action in cleared_runs(client, dry_run):
                cleared.append(action)
                logger.info(f"{action.outcome:<8} {action.what}  {action.why}")
    except httpx.HTTPError as fault:
        logger.warning(f"the server's runs are not checked: {fault}")
    return cleared


def cleared_runs(client: SyncPrefectClient, dry_run: bool = False) -> Iterator[Cleared]:
    """The dead runs of the sites and the slots that no run holds, each cleared before it is yielded.

    Raises httpx.HTTPError if the server refuses, or does not answer.
    """
    deployments = [one for one in deployments_of(client, *FLOWS) if site_of(one.job_variables)]
    deployed = runs_of(client, deployments, StateType.PENDING, StateType.RUNNING)
    for run in (*deployed, *_runs_of_commands(client)):
        if not is_alive(client, run):
            if not dry_run:
                client.set_flow_run_state(run.id, Crashed(message="It died without reporting it."))
            yield Cleared("crashed", f"the run {run.name}", f"{run.state_name}, and silent")
    for deployment in deployments:
        limit = deployment.global_concurrency_limit
        for _ in range(_unheld_slots(client, deployment, limit.name) if limit else 0):
            if limit and not dry_run:
                client.release_concurrency_slots([limit.name], 1, occupancy_seconds=1.0)
            yield Cleared("freed", f"a slot of {deployment.name}", "no run holds it")


def deployments_of(client: SyncPrefectClient, *flows: str) -> list[DeploymentResponse]:
    """The deployments of these flows, of any site."""
    return client.read_deployments(flow_filter=_named(flows))


def runs_of(
    client: SyncPrefectClient, deployments: Iterable[DeploymentResponse], *states: StateType
) -> list[FlowRun]:
    """The runs of these deployments that are in such a state."""
    ids = [deployment.id for deployment in deployments]
    runs = {"deployment_id": {"any_": ids}, "state": {"type": {"any_": states}}}
    return client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(runs))


def _runs_of_commands(client: SyncPrefectClient) -> list[FlowRun]:
    """Those that no deployment has; the tag tells them from runs of other people's flows of these names."""
    running = {
        "deployment_id": {"is_null_": True},
        "state": {"type": {"any_": [StateType.RUNNING]}},
        "tags": {"all_": [TAG]},
    }
    return client.read_flow_runs(
        flow_filter=_named(FLOWS), flow_run_filter=FlowRunFilter.model_validate(running)
    )


def _named(flows: Iterable[str]) -> FlowFilter:
    return FlowFilter.model_validate({"name": {"any_": list(flows)}})


def is_alive(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Whether somebody will end a run that is Pending or Running.

    One that never sent a heartbeat is alive: heartbeats may be turned off.
    """
    state, now = run.state, datetime.now(UTC)
    if state is None:
        return False
    if state.is_pending():
        return state.timestamp > now - timedelta(seconds=PENDING_SECONDS)
    if state.timestamp > now - timedelta(seconds=SILENT_SECONDS):
        return True
    heartbeats = {"event": {"name": [_HEARTBEAT]}, "resource": {"id": [f"prefect.flow-run.{run.id}"]}}
    latest = client.read_events(EventFilter.model_validate(heartbeats), limit=1).events  # the latest first
    return not latest or latest[0].occurred > now - timedelta(seconds=SILENT_SECONDS)


def _unheld_slots(client: SyncPrefectClient, deployment: DeploymentResponse, limit_name: str) -> int:
    """How many slots are taken that no run has held for as long as a run can be Pending."""
    # Before the runs: one that takes a slot in between is counted as a run only.
    limit = client.read_global_concurrency_limit_by_name(limit_name)
    if limit.updated is None or limit.updated > datetime.now(UTC) - timedelta(seconds=PENDING_SECONDS):
        return 0
    return max(0, int(limit.active_slots or 0) - len(runs_of(client, [deployment], *_HOLDERS)))
