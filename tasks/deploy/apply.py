"""Creating and updating the deployments of prefect.yaml on a Prefect server."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from tasks.deploy.automations import PREFIX, silent_run_automation
from tasks.deploy.deployment_file import Deployment
from tasks.server.api_errors import server_errors

Outcome = Literal["created", "updated", "unchanged", "removed"]


class Change(NamedTuple):
    """What happened to one object on the server. note: what differed, or when it runs."""

    outcome: Outcome
    kind: str
    name: str
    note: str


def apply_deployments(deployments: Iterable[Deployment], on_change: Callable[[Change], None]) -> None:
    """Make the server have these deployments and their automations; running it again is safe.

    What an operator paused on the server stays paused, unless the file says whether a schedule is active.

    Raises ServerError if the server refuses, or does not answer; the changes reported until then are made.
    """
    deployments = list(deployments)
    retry = "the same command goes on with what is missing"
    with server_errors("to set up the deployments", retry), get_client(sync_client=True) as client:
        for pool in dict.fromkeys(deployment.fields["work_pool_name"] for deployment in deployments):
            on_change(_apply_work_pool(client, pool))
        automations = [silent_run_automation(sorted(deployment.flow.name for deployment in deployments))]
        for deployment in deployments:
            change, deployment_id = _apply_deployment(client, deployment)
            on_change(change)
            for trigger in deployment.triggers:
                trigger.set_deployment_id(deployment_id)
                automations.append(trigger.as_automation())
        for automation in automations:
            on_change(_apply_automation(client, automation))
        for change in _remove_automations(client, {automation.name for automation in automations}):
            on_change(change)


def _apply_work_pool(client: SyncPrefectClient, name: str) -> Change:
    """An existing one is its owner's: also of another type than ours."""
    try:
        current = client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=name, type=ProcessWorker.type, base_job_template=template)
        )
        return Change("created", "work pool", name, ProcessWorker.type)
    return Change("unchanged", "work pool", name, current.type)


def _apply_deployment(client: SyncPrefectClient, deployment: Deployment) -> tuple[Change, UUID]:
    name, fields, schedules = deployment.full_name, deployment.fields, deployment.schedules
    try:
        current = client.read_deployment_by_name(name)
    except ObjectNotFound:
        flow_id = client.create_flow_from_name(deployment.flow.name)
        created = client.create_deployment(
            flow_id, deployment.name, schedules=list(schedules.values()), **fields
        )
        return Change("created", "deployment", name, deployment.when), created
    differing = _differing_fields(deployment, current)
    if not differing:
        return Change("unchanged", "deployment", name, deployment.when), current.id
    for schedule in current.schedules:
        if schedule.slug not in schedules:
            client.delete_deployment_schedule(current.id, schedule.id)
    # Always with the schedules: the server expects them where those that it has are named.
    updates = [_schedule_update(slug, schedule) for slug, schedule in schedules.items()]
    client.update_deployment(current.id, DeploymentUpdate(schedules=updates, **fields))
    return Change("updated", "deployment", name, ", ".join(differing)), current.id


def _differing_fields(deployment: Deployment, response: DeploymentResponse) -> list[str]:
    current = response.model_dump(mode="json")
    limit = response.global_concurrency_limit
    current["concurrency_limit"] = limit.limit if limit else None
    if current["concurrency_options"]:  # the server adds options that the file does not name
        named = deployment.fields["concurrency_options"] or {}
        current["concurrency_options"] = {
            name: current["concurrency_options"][name] for name in named
        } or None
    differing = [
        name for name, value in deployment.fields.items() if name in current and current[name] != value
    ]
    schedules = {schedule.slug: schedule for schedule in response.schedules}
    if schedules.keys() != deployment.schedules.keys() or not all(
        _is_same_schedule(schedule, schedules[slug]) for slug, schedule in deployment.schedules.items()
    ):
        differing.append("schedules")
    return differing


def _schedule_update(slug: str, schedule: DeploymentScheduleCreate) -> DeploymentScheduleUpdate:
    update = DeploymentScheduleUpdate(slug=slug, schedule=schedule.schedule, parameters=schedule.parameters)
    return update.model_copy(update={"active": schedule.active}) if _sets_active(schedule) else update


def _is_same_schedule(schedule: DeploymentScheduleCreate, current: DeploymentSchedule) -> bool:
    if _sets_active(schedule) and schedule.active != current.active:
        return False
    return (schedule.schedule, schedule.parameters) == (current.schedule, current.parameters)


def _sets_active(schedule: DeploymentScheduleCreate) -> bool:
    """Whether the file says if it is active; otherwise an operator decides."""
    return "active" in schedule.model_fields_set


def _apply_automation(client: SyncPrefectClient, automation: AutomationCore) -> Change:
    current = next(iter(client.read_automations_by_name(automation.name)), None)
    if not current:
        client.create_automation(automation)
        return Change("created", "automation", automation.name, "")
    if _comparable(current) == _comparable(automation):
        return Change("unchanged", "automation", automation.name, "")
    fields = {**automation.model_dump(exclude={"owner_resource"}), "enabled": current.enabled}
    client.update_automation(current.id, AutomationCore.model_validate(fields))
    return Change("updated", "automation", automation.name, "")


def _remove_automations(client: SyncPrefectClient, keep: set[str]) -> Iterator[Change]:
    for automation in client.read_automations():
        if automation.name.startswith(PREFIX) and automation.name not in keep:
            client.delete_automation(automation.id)
            yield Change("removed", "automation", automation.name, "")


def _comparable(automation: AutomationCore) -> Any:
    """What has to be the same: nothing that the server, or an operator, added."""
    fields = {"name", "description", "trigger", "actions"}
    return _without_ids(automation.model_dump(mode="json", include=fields))


def _without_ids(value: Any) -> Any:
    """Sorted as well, since sets come as lists in any order."""
    if isinstance(value, Mapping):
        return {name: _without_ids(part) for name, part in value.items() if name != "id"}
    if isinstance(value, list):
        return sorted(map(_without_ids, value), key=str)
    return value
