"""Watching the input lists: an event when one changed, which an automation answers with a retraining."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun, State, StateType
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import EventTrigger
from prefect.events.schemas.events import Resource, ResourceSpecification
from prefect.logging import get_run_logger
from prefect.states import Completed

from tasks.config.retrain import RetrainConfig
from tasks.config.site import site_name, site_of
from tasks.core.prefect_states import CHANGED, DEFERRED
from tasks.engines.lease import is_deployed
from tasks.monitoring import dead_runs, events, source_changes
from tasks.monitoring.source_changes import SourceMemory

_RETRAINING = "retrain"  # the flow that the event starts
_DUE = StateType.SCHEDULED
_UNFINISHED = (_DUE, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


def watch_sources(config: RetrainConfig, store: Path) -> State[Any]:
    """Send one event for all lists that changed, inside a flow; the state says which they are.

    First it clears what dead runs left on the server: one would hold up the run that the event starts.

    A list is remembered by the retraining that begins with it: an event that starts none is sent again.
    Where no automation answers it with a run, the list is remembered once the server has the event. While a
    deployed retraining is due or going no event is sent: the run that it starts would be cancelled.

    Raises DataError for a list that cannot be read, StoreError, and ServerError if the event is not taken.
    """
    dead_runs.clear_dead_runs()
    memory = SourceMemory(store)
    changes = memory.changes(config.sources)
    if not changes:
        return Completed(message=f"{len(config.sources)} lists, none changed")
    names = ", ".join(change.source for change in changes)
    with get_client(sync_client=True) as client:
        if _is_retraining(client):
            message = f"changed: {names}; the event is sent once the running retraining ends"
            return Completed(name=DEFERRED, message=message)
        resource = f"{site_name()}.corpora"
        starts_run = _starts_run(client, resource)
    events.deliver(events.CORPUS_CHANGED, resource, names, source_changes.payload(changes))
    if not starts_run:
        memory.remember(changes)
    get_run_logger().info(f"changed: {names}")
    return Completed(name=CHANGED, message=f"changed: {names}")


def remember_sources(config: RetrainConfig, store: Path) -> None:
    """Remember the lists that a deployed retraining begins with, so that `watch` sends no event for them.

    Raises DataError for a list that cannot be read, and StoreError.
    """
    if is_deployed():
        memory = SourceMemory(store)
        if changes := memory.changes(config.sources):
            memory.remember(changes)


def _is_retraining(client: SyncPrefectClient) -> bool:
    """Whether a deployed retraining of this site is due or going; one from before sites had names counts."""
    deployments = [
        deployment
        for deployment in dead_runs.deployments_of(client, _RETRAINING)
        if site_of(deployment.job_variables) in ("", site_name())
    ]
    runs = dead_runs.runs_of(client, deployments, *_UNFINISHED)
    return any(_is_due(run) if run.state_type == _DUE else dead_runs.is_alive(client, run) for run in runs)


def _is_due(run: FlowRun) -> bool:
    due = run.next_scheduled_start_time
    return due is None or due <= datetime.now(UTC)


def _starts_run(client: SyncPrefectClient, resource: str) -> bool:
    """Whether an automation that is on answers the event about this resource with a run of a deployment."""
    event = Resource({"prefect.resource.id": resource})
    return any(
        automation.enabled
        and isinstance(automation.trigger, EventTrigger)
        and events.CORPUS_CHANGED in automation.trigger.expect
        and ResourceSpecification.model_validate(automation.trigger.match).matches(event)
        and any(isinstance(action, RunDeployment) for action in automation.actions)
        for automation in client.read_automations()
    )
