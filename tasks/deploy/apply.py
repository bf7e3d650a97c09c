"""Creating and updating the deployments of prefect.yaml on a Prefect server."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from artifacts.bucket.address import mirrored_address
from rnn_core.errors import ConfigError
from tasks.config import store_id
from tasks.config.site import folder_of, site_of
from tasks.deploy.apply_automations import (
    apply_alert,
    apply_triggers,
    remove_silent_run_automation,
    resource_of,
)
from tasks.deploy.changes import Change
from tasks.deploy.deployment_file import Deployment
from tasks.deploy.pull_step import elsewhere_too
from tasks.server.api_errors import server_errors

_PAGE = 200  # deployments that the server gives at once

_OnServer = Mapping[str, DeploymentResponse]  # by full name, as flow/deployment


def apply_deployments(
    deployments: Iterable[Deployment],
    on_change: Callable[[Change], None],
    take_over: bool = False,
    store: Path | None = None,
) -> None:
    """Make the server have these deployments and their automations; running it again is safe.

    What an operator paused on the server stays paused, unless the file says whether a schedule is active.
    What the same folder deployed before sites had names is moved to the name with its site.

    take_over:  also deployments of these names that run in another folder.
    store:      the only one in which runs that start in the current folder may work.

    Raises ConfigError if there are such and `take_over` is not set; nothing is changed then.
    Raises ServerError if the server refuses, or does not answer; the changes reported until then are made.
    """
    deployments = [_for_store(deployment, store) for deployment in deployments]
    retry = "the same command goes on with what is missing"
    with server_errors("to set up the deployments", retry), get_client(sync_client=True) as client:
        on_server = dict(_deployments_on_server(client))
        if not take_over:
            _refuse_foreign(deployments, on_server)
        for pool in dict.fromkeys(deployment.fields["work_pool_name"] for deployment in deployments):
            on_change(_apply_work_pool(client, pool))
        for change in remove_silent_run_automation(client):
            on_change(change)
        for change in apply_alert(client, deployments):
            on_change(change)
        moved = set()
        for deployment in deployments:
            unnamed = _unnamed(deployment, on_server)
            old = on_server[unnamed] if unnamed else None
            change, deployment_id = _apply_deployment(client, deployment, old)
            on_change(change)
            for change in apply_triggers(client, deployment, deployment_id, old.id if old else None):
                on_change(change)
            if unnamed and old:
                on_change(_remove_moved(client, unnamed, old.id, deployment.full_name))
                moved.add(unnamed)
        for change in _left(deployments, {name: on_server[name] for name in on_server.keys() - moved}):
            on_change(change)


def _for_store(deployment: Deployment, store: Path | None) -> Deployment:
    """With the id of the store; a deployment that runs elsewhere has a store that is not known here.

    With a store in a bucket, it also runs on machines that have no folder of ours.
    """
    if store is None or deployment.folder != str(Path.cwd()):
        return deployment
    variables = deployment.fields["job_variables"]
    environment = {store_id.VARIABLE: store_id.identify(store), **variables["env"]}
    fields = {**deployment.fields, "job_variables": {**variables, "env": environment}}
    if address := mirrored_address(store):
        fields["pull_steps"] = [elsewhere_too(step, address) for step in fields["pull_steps"]]
    return deployment._replace(fields=fields)


def _deployments_on_server(client: SyncPrefectClient) -> Iterator[tuple[str, DeploymentResponse]]:
    """Every deployment with its full name, as flow/deployment."""
    flows: dict[UUID, str] = {}
    offset = 0
    while page := client.read_deployments(offset=offset, limit=_PAGE):
        for deployment in page:
            if deployment.flow_id not in flows:
                flows[deployment.flow_id] = client.read_flow(deployment.flow_id).name
            yield f"{flows[deployment.flow_id]}/{deployment.name}", deployment
        offset += len(page)


def _refuse_foreign(deployments: Iterable[Deployment], on_server: _OnServer) -> None:
    for deployment in deployments:
        current = on_server.get(deployment.full_name)
        folder = folder_of(current.pull_steps) if current else ""
        if folder and deployment.folder not in ("", folder):
            raise ConfigError(
                "config.site",
                "a deployment of this name belongs to another folder",
                where=deployment.folder,
                saw=f"{deployment.full_name} of {folder}",
                fix="give this site a name of its own: --site NAME, or `name:` in prefect.yaml; "
                "if its folder has moved: --take-over.",
            )


def _unnamed(deployment: Deployment, on_server: _OnServer) -> str:
    """The full name of the same deployment from before sites had names; empty if there is none."""
    name = f"{deployment.flow.name}/{deployment.name.removeprefix(f'{deployment.site}-')}"
    current = on_server.get(name)
    is_it = (
        current is not None
        and name != deployment.full_name
        and folder_of(current.pull_steps) == deployment.folder
        and not site_of(current.job_variables)
    )
    return name if is_it else ""


def _remove_moved(client: SyncPrefectClient, name: str, deployment_id: UUID, to: str) -> Change:
    """A run that is going keeps its deployment, which holds its place, until `deploy` is given again."""
    client.delete_resource_owned_automations(resource_of(deployment_id))
    going = {"deployment_id": {"any_": [deployment_id]}, "state": {"type": {"any_": ["PENDING", "RUNNING"]}}}
    if client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(going)):
        client.pause_deployment(deployment_id)
        note = f"paused: a run of it is going; give the command again, for {to}"
        return Change("left", "deployment", name, note)
    client.delete_deployment(deployment_id)
    return Change("moved", "deployment", name, f"to {to}")


def _left(deployments: Collection[Deployment], on_server: _OnServer) -> Iterator[Change]:
    """Report what the same site, or the same folder, has deployed, and is not in its file."""
    names = {deployment.full_name for deployment in deployments}
    sites = {deployment.site for deployment in deployments}
    folders = {deployment.folder for deployment in deployments} - {""}
    for name, current in sorted(on_server.items()):
        is_ours = site_of(current.job_variables) in sites or folder_of(current.pull_steps) in folders
        if is_ours and name not in names:
            note = f"not in the file; to remove it: prefect deployment delete {name}"
            yield Change("left", "deployment", name, note)


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


def _apply_deployment(
    client: SyncPrefectClient, deployment: Deployment, unnamed: DeploymentResponse | None
) -> tuple[Change, UUID]:
    """unnamed:  what it was before sites had names; what was paused there is paused here."""
    name, fields, schedules = deployment.full_name, deployment.fields, deployment.schedules
    try:
        current = client.read_deployment_by_name(name)
    except ObjectNotFound:
        flow_id = client.create_flow_from_name(deployment.flow.name)
        if unnamed:
            fields = {"paused": unnamed.paused, **fields}
            active = {schedule.slug: schedule.active for schedule in unnamed.schedules}
            schedules = {
                slug: schedule
                if _sets_active(schedule)
                else schedule.model_copy(update={"active": active.get(slug, True)})
                for slug, schedule in schedules.items()
            }
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
