"""Creating and updating automations on a Prefect server: the triggers of deployments, and our own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from rnn_core.errors import ConfigError
from tasks.deploy.automations import SILENT_RUN, alert_automation, alert_name
from tasks.deploy.changes import Change
from tasks.deploy.deployment_file import Deployment

_TAG = "namewright-deploy"  # of the automations that we create


def apply_triggers(
    client: SyncPrefectClient, deployment: Deployment, deployment_id: UUID, unnamed_id: UUID | None
) -> Iterator[Change]:
    """Make the automations of a deployment those that its file declares.

    unnamed_id:  the same deployment from before sites had names; what was disabled there is disabled here.
    """
    existing = _automations(client, deployment_id)
    unnamed = _automations(client, unnamed_id) if unnamed_id else {}
    disabled = {_without_site(name) for name, automation in unnamed.items() if not automation.enabled}
    for trigger in deployment.triggers:
        trigger.set_deployment_id(deployment_id)
        automation = trigger.as_automation()
        automation.tags = [_TAG]
        automation.enabled = automation.enabled and _without_site(automation.name) not in disabled
        yield _apply_automation(client, automation, existing.pop(automation.name, None))
    for name, automation in existing.items():
        if _TAG in automation.tags or name.startswith(f"{deployment.site}/"):  # else it is an operator's
            client.delete_automation(automation.id)
            yield Change("removed", "automation", name, "")


def remove_silent_run_automation(client: SyncPrefectClient) -> Iterator[Change]:
    """Remove the automation by which earlier versions marked dead runs."""
    for automation in client.read_automations_by_name(SILENT_RUN):
        client.delete_automation(automation.id)
        yield Change("removed", "automation", automation.name, "")


def apply_alert(client: SyncPrefectClient, deployments: Sequence[Deployment]) -> Iterator[Change]:
    """Alert people by the block that the file names, or no longer.

    Raises ConfigError if the server has no such block.
    """
    for site, alert in {deployment.site: deployment.alert for deployment in deployments}.items():
        current = next(iter(client.read_automations_by_name(alert_name(site))), None)
        if alert:
            block_type, _, name = alert.partition("/")
            block = _block_id(client, block_type, name)
            own = [deployment.name for deployment in deployments if deployment.site == site]
            yield _apply_automation(client, alert_automation(site, own, block_type, block), current)
        elif current:
            client.delete_automation(current.id)
            yield Change("removed", "automation", current.name, "")


def _block_id(client: SyncPrefectClient, block_type: str, name: str) -> UUID:
    try:
        return client.read_block_document_by_name(name, block_type).id
    except ObjectNotFound:
        raise ConfigError(
            "config.deployments",
            "the alert names a block that the server does not have",
            where="alert, in the deployment file",
            saw=f"{block_type}/{name}",
            fix="create it in the UI, under Blocks, or write TYPE/NAME of one that `prefect block ls` lists.",
        ) from None


def resource_of(deployment_id: UUID) -> str:
    """The resource of a deployment in Prefect's events, which owns its automations."""
    return f"prefect.deployment.{deployment_id}"


def _automations(client: SyncPrefectClient, deployment_id: UUID) -> dict[str, Automation]:
    """Those that start this deployment, by name."""
    related = client.read_resource_related_automations(resource_of(deployment_id))
    return {automation.name: automation for automation in related}


def _without_site(automation: str) -> str:
    return automation.partition("/")[2] or automation


def _apply_automation(
    client: SyncPrefectClient, automation: AutomationCore, current: Automation | None
) -> Change:
    if current is None:
        client.create_automation(automation)
        return Change("created", "automation", automation.name, "")
    if _comparable(current) == _comparable(automation):
        return Change("unchanged", "automation", automation.name, "")
    fields = {**automation.model_dump(exclude={"owner_resource"}), "enabled": current.enabled}
    client.update_automation(current.id, AutomationCore.model_validate(fields))
    return Change("updated", "automation", automation.name, "")


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
