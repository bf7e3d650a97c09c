"""The events that Namewright sends to Prefect, for automations to act on: docs/reference/events.md.

Nothing depends on an event that `emit` loses: a server that is down runs no automations either.
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
from tasks.config.site import site_name
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

# By the kind of outcome; the other kinds change nothing and have no event.
_MODEL_EVENTS = {"promoted": MODEL_PROMOTED, "refused": MODEL_REFUSED, "manual": MODEL_PROPOSED}


def emit(event: str, resource: str, name: str, payload: Mapping[str, Any]) -> None:
    """Send an event without waiting for the server.

    resource:  its id in Prefect.
    name:      of the resource, for people.
    """
    emit_event(event, _labels(resource, name), payload=dict(payload))


def deliver(event: str, resource: str, name: str, payload: Mapping[str, Any]) -> None:
    """Send an event as `emit` does, but return only once the server has it.

    Not by Prefect's thread for events: it counts one that it gave up as handled, and can be waited for only
    without a limit.

    Raises ServerError if the server does not take it.
    """
    message = Event(event=event, resource=Resource(_labels(resource, name)), payload=dict(payload))
    with server_errors(f"the event {event}", "the next run sends it"):
        run_coro_as_sync(_post(message))


async def _post(event: Event) -> None:
    async with get_client() as client:
        event.related += await related_resources_from_run_context(client)
        await client.request("POST", "/events", json=[event.model_dump(mode="json")])


def _labels(resource: str, name: str) -> dict[str, str]:
    return {"prefect.resource.id": resource, "prefect.resource.name": name}


def emit_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Report a run that failed or crashed: a hook of every flow."""
    error = state.result(raise_on_failure=False) if state.data is not None else None
    payload = {
        "flow": flow.name,
        "flow_run": str(flow_run.id),
        "flow_run_name": flow_run.name,
        "state": state.name,
        "message": state.message or "",
    }
    if isinstance(error, NamewrightError):
        fields = ("code", "what", "where", "saw", "fix", "exit_code")
        payload |= {name: getattr(error, name) for name in fields}
    emit(RUN_FAILED, f"prefect.flow-run.{flow_run.id}", flow_run.name, payload)


def emit_gate_refusal(gate: Artifact) -> None:
    """Report that the gate refused the lists of a run, and why."""
    reasons = gate.manifest().metadata["reasons"]
    emit(GATE_REFUSED, f"{site_name()}.gate.{gate.key}", gate.origin, {**_location(gate), "reasons": reasons})


def emit_decision(decided: Decided, is_new: bool) -> None:
    """Report what became of a decision about a model.

    is_new:  this run made the decision; one that was reported before is not reported again.
    """
    kind, candidate, champion, text, _ = decided.outcome
    event = _MODEL_EVENTS.get(kind)
    if event and (is_new or kind == "promoted"):
        payload = {
            **_location(decided.decision),
            "model": candidate.origin,
            "champion": champion.origin if champion else "",
            "lists": list(decided.outcome.lists),
            "outcome": text,
            "reasons": decided.decision.manifest().metadata["reasons"],
        }
        emit(event, f"{site_name()}.model.{candidate.key}", candidate.origin, payload)


def emit_generated_list(generated: Finished) -> None:
    """Report a generated list: how many names, from which model, and where it lies."""
    manifest = generated.artifact.manifest()
    payload = {
        **_location(generated.artifact),
        "names": manifest.metadata["names"],
        "files": len(manifest.files),
        "model": manifest.origins["model"],
        "lists": list(manifest.metadata.get("lists", ())),
        "content": manifest.metadata["content"],
        "reused": generated.reused,
    }
    emit(LIST_GENERATED, f"{site_name()}.list.{generated.artifact.key}", generated.title, payload)


def _location(artifact: Artifact) -> dict[str, Any]:
    return {"artifact": artifact.origin, "folder": artifact.place}
