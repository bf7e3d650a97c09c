"""What follows from a run once all its stages are done: the report is published, the decision carried out.

No stage does that: a stage only makes an artifact, and this changes what stands in the store. Done twice, it
changes nothing the second time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from artifacts.registry import Entry, Overtaken
from artifacts.store import Artifact, Store
from tasks import champion, report_page
from tasks.progress import Listener, Notice
from tasks.stage import once


def conclude(root: Path, made: Sequence[Artifact], listener: Listener, by: Mapping[str, str]) -> None:
    """Of a run that made or found these artifacts, in this order. The listener is told what was decided.

    by:  who asks, for the registry.

    Raises DataError if the champion is missing or damaged, or the registry is, once all the rest is done.
    """
    report_page.publish_last(root, made)
    store = Store(root)
    for artifact in made:
        if artifact.stage == "gate":
            accept(store, artifact, listener, by)
    for artifact in made:
        if artifact.stage == "decision":
            decide(store, artifact, made, listener, by)


def accept(store: Store, gate: Artifact, listener: Listener, by: Mapping[str, str]) -> None:
    """Let the list of names that has passed the gate be the one that the next is compared with.

    gate:  made from `validated`, and from `accepted` if there was one before.

    If another run had another list accepted meanwhile, that one stays.
    """
    corpus, before = gate.input("validated"), gate.input("accepted")
    registry = store.registry(champion.CORPUS)
    standing = registry.standing()
    if corpus and not (standing and standing.artifact.digest == corpus.digest):
        try:
            registry.promote(Entry.now(corpus, before, gate.origin, by), before, _waiting(listener, "gate"))
        except Overtaken as overtaken:
            listener(
                Notice(
                    "gate", f"{corpus.origin} is not what the next list is compared with: {overtaken.what}"
                )
            )


def decide(
    store: Store, decision: Artifact, made: Sequence[Artifact], listener: Listener, by: Mapping[str, str]
) -> champion.Outcome:
    """Carry out a decision about a mixture of this run, and say what came of it."""
    judged = decision.manifest().recipe.inputs["mixture"]
    (challenger,) = {one for one in made if one.stage == "mixture" and one.digest == judged}
    outcome = champion.carried_out(store, decision, challenger, by, _waiting(listener, "decision"))
    listener(Notice("decision", outcome.text))
    return outcome


def _waiting(listener: Listener, stage: str) -> champion.Waiting:
    return once(listener, stage, "waiting for another run that changes the registry")
