"""What follows from a run once all its stages are done: the report is published, the decision carried out.

No stage does that: a stage only makes an artifact, and this changes what stands in the store. Done twice, it
changes nothing the second time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from artifacts.registry import ConflictError, Entry
from artifacts.store import Artifact, Store
from tasks.core.events import Decided, Listener, Notice
from tasks.core.stage import notify_once
from tasks.models import champion
from tasks.report.publish import publish_last
from tasks.stages.gate_rule import role_of


def finalize(root: Path, made: Sequence[Artifact], listener: Listener, by: Mapping[str, str]) -> None:
    """Of a run that made or found these artifacts, in this order. The listener is told what was decided.

    by:  who asks, for the registry.

    Raises DataError if the champion is missing or damaged, or the registry is, once all the rest is done.
    """
    store, outcome = Store(root), None
    try:
        for artifact in made:
            if artifact.stage == "gate":
                accept_lists(store, artifact, made, listener, by)
        for artifact in made:
            if artifact.stage == "decision":
                outcome = apply_decision(store, artifact, made, listener, by)
                listener(Decided(artifact.stage, artifact, outcome))
                listener(Notice(artifact.stage, outcome.text))
    finally:  # it says who is champion now, also if that is still the old one, or none
        publish_last(root, made, outcome)


def accept_lists(
    store: Store, gate: Artifact, made: Sequence[Artifact], listener: Listener, by: Mapping[str, str]
) -> None:
    """Let the lists that have passed the gate be those that the next ones are compared with.

    If another run had other lists accepted meanwhile, those stay.
    """
    profile, before = _checked_artifact(gate, "profile", made), gate.input("accepted")
    registry = store.registry(role_of(profile))
    standing = registry.current()
    if not (standing and standing.artifact.digest == profile.digest):
        entry = Entry.now(profile.reference, before, gate.origin, by)
        try:
            registry.promote(entry, before, _on_wait(listener, "gate"))
        except ConflictError as overtaken:
            text = f"{profile.origin} is not what the next lists are compared with: {overtaken.what}"
            listener(Notice("gate", text))


def apply_decision(
    store: Store, decision: Artifact, made: Sequence[Artifact], listener: Listener, by: Mapping[str, str]
) -> champion.Outcome:
    """What came of a decision about a mixture of this run, which is carried out."""
    challenger = _checked_artifact(decision, "mixture", made)
    return champion.apply_decision(store, decision, challenger, by, _on_wait(listener, "decision"))


def _checked_artifact(judgement: Artifact, stage: str, made: Sequence[Artifact]) -> Artifact:
    """The artifact of that stage, of this run, that a judgement is about."""
    digest = judgement.manifest().recipe.inputs[stage]
    (judged,) = {one for one in made if (one.stage, one.digest) == (stage, digest)}
    return judged


def _on_wait(listener: Listener, stage: str) -> champion.OnWait:
    return notify_once(listener, stage, "waiting for another run that changes the registry")
