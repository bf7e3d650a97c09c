"""Watching the input lists: an event when one changed, which an automation answers with a retraining."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.logging import get_run_logger
from prefect.states import Completed

from tasks.config.retrain import RetrainConfig
from tasks.config.site import site_name, site_of
from tasks.core.prefect_states import CHANGED, DEFERRED
from tasks.monitoring import events, source_changes
from tasks.monitoring.source_changes import SourceMemory

_RETRAINING = "retrain"  # the flow that the event starts
_PENDING = timedelta(minutes=10)  # longer than a worker takes to begin a run; one that died leaves it so


def watch_sources(config: RetrainConfig, store: Path) -> State[Any]:
    """Send one event for all lists that changed, inside a flow; the state says which they are.

    A list is remembered once the server has the event: one may come twice rather than never. While a
    deployed retraining is going no event is sent: the run that it starts would be cancelled.

    Raises DataError for a list that cannot be read, StoreError, and ServerError if the event is not taken.
    """
    memory = SourceMemory(store)
    changes = memory.changes(config.sources)
    if not changes:
        return Completed(message=f"{len(config.sources)} lists, none changed")
    names = ", ".join(change.source for change in changes)
    if _is_retraining():
        message = f"changed: {names}; the event is sent once the running retraining ends"
        return Completed(name=DEFERRED, message=message)
    events.deliver(events.CORPUS_CHANGED, f"{site_name()}.corpora", names, source_changes.payload(changes))
    memory.remember(changes)
    get_run_logger().info(f"changed: {names}")
    return Completed(name=CHANGED, message=f"changed: {names}")


def _is_retraining() -> bool:
    """Whether a deployed retraining of this site is going; one deployed before sites had names counts."""
    flow = FlowFilter.model_validate({"name": {"any_": [_RETRAINING]}})
    going = {"any_": ["PENDING", "RUNNING"]}
    with get_client(sync_client=True) as client:
        deployments = [
            deployment.id
            for deployment in client.read_deployments(flow_filter=flow)
            if site_of(deployment.job_variables) in ("", site_name())
        ]
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(
                {"deployment_id": {"any_": deployments}, "state": {"type": going}}
            ),
        )
    since = datetime.now(UTC) - _PENDING
    states = [run.state for run in runs]
    return any(state and (state.is_running() or state.timestamp > since) for state in states)
