"""The automation that no deployment can have as a trigger: alerts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.events.actions import CallWebhook, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

SILENT_RUN = "namewright/a run that died silently is crashed"  # of earlier versions: `watch` does it now
_TITLE = "{{ flow_run.name }}: {{ event.event }}"
_ONCE_IN = timedelta(hours=1)  # for each run: a state may be set again, as after a restart of the server


def alert_automation(
    site: str, deployments: Sequence[str], block_type: str, block_id: UUID
) -> AutomationCore:
    """An automation that alerts people to a run that failed or crashed, and to a model that was refused.

    A gate that refuses the lists fails their run.

    deployments:  the names of the site's.
    block_type:   `webhook`, or any kind of notification.
    """
    text = "{{ event.payload.outcome or flow_run.state.message }}"
    action: Any = (
        CallWebhook(block_document_id=block_id, payload=f"{_TITLE}: {text}")
        if block_type == "webhook"
        else SendNotification(block_document_id=block_id, subject=_TITLE, body=text)
    )
    return AutomationCore(
        name=alert_name(site),
        description="A run failed or crashed, or a model was refused: `alert` in prefect.yaml.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "namewright.model.refused"},
            match_related={"prefect.resource.role": "deployment", "prefect.resource.name": list(deployments)},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=_ONCE_IN,
        ),
        actions=[action],
    )


def alert_name(site: str) -> str:
    """The name of the automation that alerts people to what happens at a site."""
    return f"{site}/alert"
