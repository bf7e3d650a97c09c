"""The automations that no deployment can have as a trigger: runs that died silently, and alerts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.schemas import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from tasks.core import prefect_states

SILENT_RUN = "namewright/a run that died silently is crashed"  # one for all sites
_HEARTBEAT = "prefect.flow-run.heartbeat"
_ENDS = {f"prefect.flow-run.{state}" for state in prefect_states.FINAL}
_TITLE = "{{ flow_run.name }}: {{ event.event }}"
_ONCE_IN = timedelta(hours=1)  # for each run: a state may be set again, as after a restart of the server
HEARTBEATS_SECONDS = 540.0  # three of them: Prefect's heart beats every 180 s where it is not set otherwise


def silent_run_automation(flows: list[str], within_seconds: float = HEARTBEATS_SECONDS) -> AutomationCore:
    """An automation that marks a run as crashed once it sends no heartbeats.

    Runs that were killed together with their worker would stay Running forever.

    flows:           the names of their flows.
    within_seconds:  without a heartbeat, after which a run is Crashed; 10 or more.
    """
    return AutomationCore(
        name=SILENT_RUN,
        description=f"No heartbeat for {within_seconds:.0f} s: it was killed, or its machine went down.",
        trigger=EventTrigger(
            after={_HEARTBEAT},
            expect={_HEARTBEAT, *_ENDS},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": flows},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=within_seconds),
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                message="No heartbeat: it was killed. The next run goes on from its finished stages.",
                force=False,
            )
        ],
    )


def flows_of(automation: AutomationCore) -> set[str]:
    """The flows whose runs a silent-run automation watches."""
    related = automation.trigger.model_dump(mode="json").get("match_related", {})
    names = related.get("prefect.resource.name", ()) if isinstance(related, dict) else ()
    return {names} if isinstance(names, str) else set(names)


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
