"""The champion: the model that names are drawn from unless another is named."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, NamedTuple

from artifacts.registry import BY_HAND, ConflictError, Entry, Reference
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError

CHAMPION = "champion"  # its role

Waiting = Callable[[], None]

_MADE_AGAIN = "The run that made it makes it again, if nothing else changed."
_OTHER_CHAMPION = (
    "go back to the model before it, `namewright models rollback`; or promote another, "
    f"`namewright models promote KEY`. {_MADE_AGAIN}"
)
_NO_ROLL_BACK = (
    "nothing was changed. Promote one that is whole, `namewright models promote KEY`: `namewright models "
    f"list` names them, and `namewright models show` which was champion when. {_MADE_AGAIN}"
)

Kind = Literal["promoted", "refused", "stands", "rolled_back", "manual", "overtaken"]


class Outcome(NamedTuple):
    """What became of a decision.

    kind:        stands: the challenger is the champion already. rolled_back: it deserves it, but was rolled
                 back. manual: it deserves it, and someone is to say so, as the configuration wants it or
                 since its lists are others than the champion's. overtaken: another one was promoted since
                 the decision was made.
    champion:    that the challenger was compared with.
    text:        for people.
    """

    kind: Kind
    challenger: Reference
    champion: Reference | None
    text: str


def short_name(reference: Reference) -> str:
    """For people: enough of its key to name it."""
    return f"{reference.stage}/{reference.key[:12]}"


def resolve_baseline(
    store: Store, mixture: Artifact, evaluation: Artifact, **_others: Artifact
) -> dict[str, Artifact]:
    """The further inputs of a decision about a mixture.

    champion:             the model that it is to be compared with; none of these if there is none.
    champion_examples:    that the champion has learnt from, if they are still there.
    champion_evaluation:  of the champion, by the same measure, if there is one.
    lost_champion:        instead of all these, the champion that is not in the store any more, or damaged.

    Raises DataError if the registry is damaged.
    """
    registry = store.registry(CHAMPION)
    reference = registry.baseline_for(mixture.digest)
    if not reference:
        return {}
    champion, _ = store.resolve(reference)
    if not champion:
        standing = registry.current()
        if standing and standing.artifact.digest == mixture.digest:
            return {}  # what it once took the place of is not missed
        return {
            "lost_champion": Artifact(
                reference.stage, reference.key, reference.digest, store.folder(reference.stage, reference.key)
            )
        }
    beside = {
        "champion_examples": load_input(store, champion, "examples"),
        "champion_evaluation": latest_evaluation(store, champion, evaluation),
    }
    return {"champion": champion, **{role: one for role, one in beside.items() if one}}


def load_input(store: Store, artifact: Artifact, role: str) -> Artifact | None:
    """What an artifact was made from, if it is still there, whole and the same."""
    reference = artifact.input(role)
    return store.resolve(reference)[0] if reference else None


def latest_evaluation(store: Store, mixture: Artifact, alike: Artifact | None = None) -> Artifact | None:
    """The evaluation of a model that was made last, if there is a whole one.

    alike:  another evaluation that it has to have the configuration of, so that both can be compared.
    """
    wanted = alike.manifest().recipe if alike else None
    for made in sorted(store.list("evaluation"), key=lambda made: made.created_at, reverse=True):
        recipe = made.recipe
        if recipe.inputs.get("mixture") == mixture.digest and (
            wanted is None or (recipe.version, recipe.config) == (wanted.version, wanted.config)
        ):
            found, _ = store.examine(recipe.stage, recipe.key)
            if found:
                return found
    return None


def load_champion(store: Store) -> Artifact | None:
    """The champion, whole; None if no model was ever promoted.

    Raises DataError if it is missing or damaged, or the registry is.
    """
    standing = store.registry(CHAMPION).current()
    return require_intact(store, standing.artifact) if standing else None


def require_intact(
    store: Store,
    reference: Reference,
    what: str = "the model that was promoted",
    fix: str = _OTHER_CHAMPION,
) -> Artifact:
    """A model of the registry, whole. Raises DataError if it is missing or damaged."""
    found, fault = store.resolve(reference)
    if found:
        return found
    where = str(store.folder(reference.stage, reference.key))
    if fault:
        raise DataError("champion.damaged", f"{what} is damaged", where=where, saw=fault, fix=fix)
    raise DataError("champion.missing", f"{what} is not in the store", where=where, fix=fix)


def apply_decision(
    store: Store, decision: Artifact, challenger: Artifact, by: Mapping[str, str], on_wait: Waiting
) -> Outcome:
    """Promote the challenger if the decision says so, and nobody has promoted another one since.

    by:       who asks.
    on_wait:  called again and again while somebody else changes the registry; it may raise to give up.

    Raises DataError if the champion is missing or damaged, or the registry is: nothing is promoted over it.
    """
    load_champion(store)
    made, registry = decision.manifest(), store.registry(CHAMPION)
    before, standing = decision.input("champion"), registry.current()
    reference, why = challenger.reference, "; ".join(made.metadata["reasons"])

    def outcome(kind: Kind, text: str) -> Outcome:
        return Outcome(kind, reference, before, f"{short_name(reference)} {text}")

    by_hand = f"by hand: namewright models promote {reference.key[:12]}"
    if standing and standing.artifact.digest == reference.digest:
        return outcome("stands", "is the champion")
    if not made.metadata["promote"]:
        return outcome("refused", f"is not promoted: {why}")
    if reference.digest in registry.rolled_back():
        return outcome("rolled_back", f"is not promoted, since it was rolled back; {by_hand}")
    if others := _other_lists(store, challenger, before):
        return outcome("manual", f"is not promoted, since it has learnt from {others}; {by_hand}")
    if made.recipe.config["promotion"]["mode"] == "manual":
        return outcome("manual", f"deserves to be promoted, {by_hand} ({why})")
    try:
        registry.promote(Entry.now(reference, before, decision.origin, by), before, on_wait)
    except ConflictError as overtaken:
        return outcome("overtaken", f"is not promoted: {overtaken.what}; the next run decides anew")
    return outcome(
        "promoted", f"is the champion now, after {short_name(before) if before else 'none'}: {why}"
    )


def _other_lists(store: Store, challenger: Artifact, champion: Reference | None) -> str:
    """What the challenger has learnt from, in words; empty if it is what the champion has, or not known."""
    found = store.resolve(champion)[0] if champion else None
    ours, theirs = _lists(store, challenger), _lists(store, found) if found else []
    if not (ours and theirs) or ours == theirs:
        return ""
    return f"other lists than the champion ({', '.join(ours)}, not {', '.join(theirs)})"


def _lists(store: Store, mixture: Artifact) -> list[str]:
    """Names of the sources that a model has learnt from, sorted; none if that is not known any more."""
    found: Artifact | None = mixture
    for role in ("examples", "validated", "merged"):
        found = load_input(store, found, role) if found else None
    return sorted(found.manifest().metadata.get("sources", ())) if found else []


def promote_by_hand(
    store: Store, model: Artifact, by: Mapping[str, str], on_wait: Waiting
) -> Reference | None:
    """Let this model be the champion: what was it before.

    model:  of the stage `mixture`.

    Raises DataError if the registry is damaged; Overtaken if another is promoted at this moment.
    """
    registry = store.registry(CHAMPION)
    standing = registry.current()
    if not standing:
        registry.promote(Entry.now(model.reference, None, BY_HAND, by), None, on_wait)
        return None
    before = standing.artifact
    if before != model.reference:
        same = before.digest == model.digest  # under another key
        against = standing.against if same else before
        registry.promote(Entry.now(model.reference, against, BY_HAND, by), before, on_wait)
    return before


def roll_back(store: Store, by: Mapping[str, str], on_wait: Waiting) -> tuple[Reference, Reference]:
    """To the champion before this one: which it was until now, and which it is.

    Raises DataError if there was none before it, if that is missing or damaged, or if the registry is;
    Overtaken if another is promoted at this moment.
    """
    registry = store.registry(CHAMPION)
    standing = registry.current()
    check = partial(require_intact, store, what="the model before the champion", fix=_NO_ROLL_BACK)
    return registry.roll_back(standing.artifact if standing else None, by, check, on_wait)
