"""What we tell Prefect's event feed, for its automations to act on; docs/events.md lists every payload.

Only flows in Prefect call these. An event goes into a queue that a thread of Prefect's empties: no run waits
for it, and none fails if the server never takes it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect.events import emit_event

from artifacts.store import Artifact
from rnn_core.errors import Interrupted, NamewrightError
from tasks.prefect_engine import who_asks
from tasks.progress import Finished


def model_decided(decision: Artifact, challenger: Artifact) -> None:
    """`namewright.model.promoted` or `.refused`.

    decision:    of the stage `decision`.
    challenger:  the model that it is about.
    """
    facts = decision.manifest().facts
    outcome = "promoted" if facts["promote"] else "refused"
    payload = {**_artifact(challenger), "reasons": list(facts["reasons"]), "decision": str(decision.folder)}
    _emit(f"namewright.model.{outcome}", f"namewright.model.{challenger.key}", "model", payload)


def gate_refused(gate: Artifact) -> None:
    """`namewright.gate.refused`."""
    reasons = list(gate.manifest().facts["reasons"])
    payload = {**_artifact(gate), "reasons": reasons}
    _emit("namewright.gate.refused", f"namewright.gate.{gate.key}", "gate", payload)


def list_generated(whole: Finished) -> None:
    """`namewright.list.generated`."""
    made = whole.artifact.manifest()
    payload = {
        **_artifact(whole.artifact),
        "names": made.facts["names"],
        "files": len(made.files),
        "model": made.origins["model"],
        "content": made.facts["content"],
        "reused": whole.reused,
    }
    _emit("namewright.list.generated", f"namewright.list.{whole.artifact.key}", "list", payload)


@contextmanager
def failures() -> Iterator[None]:
    """`namewright.run.failed` for what is raised within; not for a run that was asked to stop."""
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        _run_failed(error)
        raise


def _run_failed(error: Exception) -> None:
    if isinstance(error, NamewrightError):
        told = {name: getattr(error, name) for name in ("code", "what", "where", "saw", "fix", "exit_code")}
    else:
        told = {"code": "", "what": f"{type(error).__name__}: {error}", "exit_code": 1}
    run = who_asks()
    told["flow_run"] = run["flow_run_name"]
    _emit("namewright.run.failed", f"prefect.flow-run.{run['flow_run']}", "flow-run", told)


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {"artifact": artifact.origin, "folder": str(artifact.folder)}


def _emit(event: str, resource: str, role: str, payload: Mapping[str, Any]) -> None:
    """Prefect adds the flow run, its flow, its deployment and its tags."""
    emit_event(
        event,
        resource={"prefect.resource.id": resource, "prefect.resource.role": role},
        payload=dict(payload),
    )
