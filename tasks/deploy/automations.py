"""The automation for runs that died without reporting it; no deployment can have it as a trigger."""

from datetime import timedelta

from prefect.client.schemas import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from tasks.core import prefect_states

PREFIX = "namewright/"  # of the name of every automation that we create
_HEARTBEAT = "prefect.flow-run.heartbeat"
_ENDS = {f"prefect.flow-run.{state}" for state in prefect_states.FINAL}
HEARTBEATS_SECONDS = 540.0  # three of them: Prefect's heart beats every 180 s where it is not set otherwise


def silent_run_automation(flows: list[str], within_seconds: float = HEARTBEATS_SECONDS) -> AutomationCore:
    """An automation that marks a run as crashed once it sends no heartbeats.

    Runs that were killed together with their worker would stay Running forever.

    flows:           the names of their flows.
    within_seconds:  without a heartbeat, after which a run is Crashed; 10 or more.
    """
    return AutomationCore(
        name=f"{PREFIX}a run that died silently is crashed",
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
