"""What follows from a run once all its stages have ended: accepted lists, a champion, a published report.

No stage does that: a stage only makes an artifact, and this changes the registry of the store. A second time
it changes nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from artifacts.open_store import open_store
from artifacts.registry import ConflictError, Entry
from artifacts.store import Artifact, Store
from tasks.core.events import Decided, Listener, Notice
from tasks.core.stage import notify_once
from tasks.models import champion
from tasks.report.publish import publish_last
from tasks.stages.gate_rule import role_of


def finalize(root: Path, artifacts: Sequence[Artifact], on_event: Listener, by: Mapping[str, str]) -> None:
    """Finalize a run that made or found these artifacts, in this order, and emit what was decided.

    by:  who asks, for the registry.

    Raises DataError if the champion is missing or damaged, or the registry is, once all the rest is done.
    """
    store, outcome = open_store(root), None
    try:
        for artifact in artifacts:
            if artifact.stage == "gate":
                accept_lists(store, artifact, artifacts, on_event, by)
        for artifact in artifacts:
            if artifact.stage == "decision":
                candidate = _input_of(artifact, "mixture", artifacts)
                on_wait = _on_wait(on_event, artifact.stage)
                outcome = champion.apply_decision(store, artifact, candidate, by, on_wait)
                on_event(Decided(artifact.stage, artifact, outcome))
                on_event(Notice(artifact.stage, outcome.text))
    finally:  # it says who is champion now, also if that is still the old one, or none
        publish_last(root, artifacts, outcome)


def accept_lists(
    store: Store, gate: Artifact, artifacts: Sequence[Artifact], on_event: Listener, by: Mapping[str, str]
) -> None:
    """Make the lists that have passed the gate those that the next ones are compared with.

    If another run had other lists accepted meanwhile, those stay.
    """
    profile, before = _input_of(gate, "profile", artifacts), gate.input("accepted")
    registry = store.registry(role_of(profile))
    current = registry.current()
    if not (current and current.artifact.digest == profile.digest):
        entry = Entry.now(profile.reference, before, gate.origin, by)
        try:
            registry.promote(entry, before, _on_wait(on_event, gate.stage))
        except ConflictError as conflict:
            text = f"{profile.origin} is not what the next lists are compared with: {conflict.what}"
            on_event(Notice(gate.stage, text))


def _input_of(artifact: Artifact, stage: str, artifacts: Sequence[Artifact]) -> Artifact:
    """The artifact of that stage, of this run, that went into the gate or the decision."""
    digest = artifact.manifest().recipe.inputs[stage]
    return next(other for other in artifacts if (other.stage, other.digest) == (stage, digest))


def _on_wait(on_event: Listener, stage: str) -> champion.OnWait:
    return notify_once(on_event, stage, "waiting for another run that changes the registry")
