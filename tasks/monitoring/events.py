"""What we tell the world through Prefect's events, for its automations to act on: docs/reference/events.md.

Nothing depends on one that `emit` loses: a server that is gone has no automations either.
"""

from collections.abc import Mapping
from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas import FlowRun, State
from prefect.events import emit_event
from prefect.events.related import related_resources_from_run_context
from prefect.events.schemas.events import Event, Resource
from prefect.utilities.asyncutils import run_coro_as_sync

from artifacts.store import Artifact
from rnn_core.errors import NamewrightError
from tasks.core.events import Decided, Finished
from tasks.server.api_errors import server_errors

CORPUS_CHANGED = "namewright.corpus.changed"
STORE_MAINTAINED = "namewright.store.maintained"
RUN_FAILED = "namewright.run.failed"
GATE_REFUSED = "namewright.gate.refused"
MODEL_PROMOTED = "namewright.model.promoted"
MODEL_REFUSED = "namewright.model.refused"
MODEL_PROPOSED = "namewright.model.proposed"
LIST_GENERATED = "namewright.list.generated"

# By what came of a decision; nothing is told of the others, which change nothing.
_MODEL = {"promoted": MODEL_PROMOTED, "refused": MODEL_REFUSED, "manual": MODEL_PROPOSED}


def emit(event: str, resource: str, name: str, payload: Mapping[str, Any]) -> None:
    """resource: its id in Prefect. name: of the resource, for people."""
    emit_event(event, _labels(resource, name), payload=dict(payload))


def deliver(event: str, resource: str, name: str, payload: Mapping[str, Any]) -> None:
    """As `emit`, but the server has it once this returns. Raises ServerError if it does not take it.

    Not by Prefect's thread for events: it counts one that it gave up as handled, and can be waited for only
    without a limit.
    """
    made = Event(event=event, resource=Resource(_labels(resource, name)), payload=dict(payload))
    with server_errors(f"the event {event}", "the next run tells of the same"):
        run_coro_as_sync(_post(made))


async def _post(event: Event) -> None:
    async with get_client() as client:
        event.related += await related_resources_from_run_context(client)
        await client.request("POST", "/events", json=[event.model_dump(mode="json")])


def _labels(resource: str, name: str) -> dict[str, str]:
    return {"prefect.resource.id": resource, "prefect.resource.name": name}


def emit_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook of flows, for runs that failed or crashed."""
    error = state.result(raise_on_failure=False) if state.data is not None else None
    payload = {
        "flow": flow.name,
        "flow_run": str(flow_run.id),
        "flow_run_name": flow_run.name,
        "state": state.name,
        "message": state.message or "",
    }
    if isinstance(error, NamewrightError):
        told = ("code", "what", "where", "saw", "fix", "exit_code")
        payload |= {name: getattr(error, name) for name in told}
    emit(RUN_FAILED, f"prefect.flow-run.{flow_run.id}", flow_run.name, payload)


def emit_gate_refusal(gate: Artifact) -> None:
    reasons = gate.manifest().metadata["reasons"]
    emit(GATE_REFUSED, f"namewright.gate.{gate.key}", gate.origin, {**_artifact(gate), "reasons": reasons})


def emit_decision(decided: Decided, is_new: bool) -> None:
    """is_new: the decision was made by this run, so nobody was told of it before."""
    kind, challenger, champion, text = decided.outcome
    event = _MODEL.get(kind)
    if event and (is_new or kind == "promoted"):
        payload = {
            **_artifact(decided.decision),
            "model": challenger.origin,
            "champion": champion.origin if champion else "",
            "outcome": text,
            "reasons": decided.decision.manifest().metadata["reasons"],
        }
        emit(event, f"namewright.model.{challenger.key}", challenger.origin, payload)


def emit_generated_list(whole: Finished) -> None:
    """whole: the list."""
    made = whole.artifact.manifest()
    payload = {
        **_artifact(whole.artifact),
        "names": made.metadata["names"],
        "files": len(made.files),
        "model": made.origins["model"],
        "content": made.metadata["content"],
        "reused": whole.reused,
    }
    emit(LIST_GENERATED, f"namewright.list.{whole.artifact.key}", whole.title, payload)


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"artifact": artifact.origin, "folder": str(artifact.folder)}
