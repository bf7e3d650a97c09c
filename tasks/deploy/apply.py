"""Making a Prefect server have the deployments of prefect.yaml: what is there already is left as it is."""

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
    """note: what differed, or when it runs."""

    outcome: Outcome
    kind: str
    name: str
    note: str


def apply_deployments(wanted: Iterable[Deployment], tell: Callable[[Change], None]) -> None:
    """Set these up, thing by thing. What an operator paused on the server stays paused, unless
    the file says itself whether a schedule is active.

    Raises ServerError if the server refuses, or goes away; what was told until then is done.
    """
    wanted = list(wanted)
    again = "the same command goes on with what is missing"
    with server_errors("what is to be set up", again), get_client(sync_client=True) as client:
        for pool in dict.fromkeys(each.fields["work_pool_name"] for each in wanted):
            tell(_work_pool(client, pool))
        automations = [silent_run_automation(sorted(each.flow.name for each in wanted))]
        for each in wanted:
            done, deployment_id = _deployment(client, each)
            tell(done)
            for trigger in each.triggers:
                trigger.set_deployment_id(deployment_id)
                automations.append(trigger.as_automation())
        for automation in automations:
            tell(_automation(client, automation))
        for done in _clear_automations(client, {automation.name for automation in automations}):
            tell(done)


def _work_pool(client: SyncPrefectClient, name: str) -> Change:
    """One that is there is its owner's: also of another type than ours."""
    try:
        found = client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=name, type=ProcessWorker.type, base_job_template=template)
        )
        return Change("created", "work pool", name, ProcessWorker.type)
    return Change("unchanged", "work pool", name, found.type)


def _deployment(client: SyncPrefectClient, wanted: Deployment) -> tuple[Change, UUID]:
    try:
        found = client.read_deployment_by_name(wanted.full_name)
    except ObjectNotFound:
        flow_id = client.create_flow_from_name(wanted.flow.name)
        schedules = list(wanted.schedules.values())
        created = client.create_deployment(flow_id, wanted.name, schedules=schedules, **wanted.fields)
        return Change("created", "deployment", wanted.full_name, wanted.when), created
    differing = _differing(wanted, found)
    if not differing:
        return Change("unchanged", "deployment", wanted.full_name, wanted.when), found.id
    for schedule in found.schedules:
        if schedule.slug not in wanted.schedules:
            client.delete_deployment_schedule(found.id, schedule.id)
    # Always with the schedules: the server expects them where those that it has are named.
    updates = [_update(slug, each) for slug, each in wanted.schedules.items()]
    client.update_deployment(found.id, DeploymentUpdate(schedules=updates, **wanted.fields))
    return Change("updated", "deployment", wanted.full_name, ", ".join(differing)), found.id


def _differing(wanted: Deployment, found: DeploymentResponse) -> list[str]:
    there = found.model_dump(mode="json")
    limit = found.global_concurrency_limit
    there["concurrency_limit"] = limit.limit if limit else None
    if there["concurrency_options"]:  # with what nobody said
        said = wanted.fields["concurrency_options"] or {}
        there["concurrency_options"] = {name: there["concurrency_options"][name] for name in said} or None
    differing = [name for name, value in wanted.fields.items() if name in there and there[name] != value]
    schedules = {each.slug: each for each in found.schedules}
    if schedules.keys() != wanted.schedules.keys() or not all(
        _is_there(each, schedules[slug]) for slug, each in wanted.schedules.items()
    ):
        differing.append("schedules")
    return differing


def _update(slug: str, wanted: DeploymentScheduleCreate) -> DeploymentScheduleUpdate:
    update = DeploymentScheduleUpdate(slug=slug, schedule=wanted.schedule, parameters=wanted.parameters)
    return update.model_copy(update={"active": wanted.active}) if _says_active(wanted) else update


def _is_there(wanted: DeploymentScheduleCreate, found: DeploymentSchedule) -> bool:
    if _says_active(wanted) and wanted.active != found.active:
        return False
    return (wanted.schedule, wanted.parameters) == (found.schedule, found.parameters)


def _says_active(wanted: DeploymentScheduleCreate) -> bool:
    """Whether the file says if it is active or not; else that is the operator's to say."""
    return "active" in wanted.model_fields_set


def _automation(client: SyncPrefectClient, wanted: AutomationCore) -> Change:
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return Change("created", "automation", wanted.name, "")
    if _plain(found[0]) == _plain(wanted):
        return Change("unchanged", "automation", wanted.name, "")
    kept = {"enabled": found[0].enabled}
    update = AutomationCore.model_validate({**wanted.model_dump(exclude={"owner_resource"}), **kept})
    client.update_automation(found[0].id, update)
    return Change("updated", "automation", wanted.name, "")


def _clear_automations(client: SyncPrefectClient, wanted: set[str]) -> Iterator[Change]:
    for automation in client.read_automations():
        if automation.name.startswith(PREFIX) and automation.name not in wanted:
            client.delete_automation(automation.id)
            yield Change("removed", "automation", automation.name, "")


def _plain(automation: AutomationCore) -> Any:
    """What is to be the same: nothing that the server, or an operator, gave it."""
    kept = {"name", "description", "trigger", "actions"}
    return _without_ids(automation.model_dump(mode="json", include=kept))


def _without_ids(value: Any) -> Any:
    """Sets come as lists in any order."""
    if isinstance(value, Mapping):
        return {name: _without_ids(each) for name, each in value.items() if name != "id"}
    if isinstance(value, list):
        return sorted(map(_without_ids, value), key=str)
    return value
