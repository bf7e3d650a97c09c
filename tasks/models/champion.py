"""The champion: the model that names are sampled from unless another is named."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Literal, NamedTuple

from artifacts.registry import BY_HAND, ConflictError, Entry, Reference
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError

CHAMPION = "champion"  # its role

OnWait = Callable[[], None]

_RECOMPUTE = "An unchanged run computes it again."
_OTHER_CHAMPION = (
    "restore the previous champion, `namewright models rollback`; or promote another, "
    f"`namewright models promote KEY`. {_RECOMPUTE}"
)
_NO_ROLL_BACK = (
    "nothing was changed. Promote an intact model, `namewright models promote KEY`: `namewright models "
    f"list` lists them, and `namewright models show` the history of champions. {_RECOMPUTE}"
)

Kind = Literal["promoted", "refused", "stands", "rolled_back", "manual", "overtaken"]


class Outcome(NamedTuple):
    """What became of a decision about a candidate.

    kind:        promoted; refused by the policy; stands: it is the champion already; rolled_back: it passed,
                 but was rolled back before; manual: it passed, and a person is to promote it, since the
                 configuration says so or its lists differ from the champion's; overtaken: another model was
                 promoted since the decision was made.
    candidate:  the candidate.
    champion:    the model that it was compared with.
    text:        for people.
    """

    kind: Kind
    candidate: Reference
    champion: Reference | None
    text: str


def short_name(reference: Reference) -> str:
    """The stage and the first twelve digits of the key, for people."""
    return f"{reference.stage}/{reference.key[:12]}"


def resolve_baseline(
    store: Store, mixture: Artifact, evaluation: Artifact, **_others: Artifact
) -> dict[str, Artifact]:
    """The further inputs of a decision about a mixture: the champion that it is compared with, by role.

    champion:             the model; without a champion none of these.
    champion_examples:    that it was trained on, if the store has them.
    champion_evaluation:  of it, with the same configuration, if there is one.
    lost_champion:        instead of all these, a champion that is missing in the store, or damaged.

    Raises DataError if the registry is damaged.
    """
    registry = store.registry(CHAMPION)
    reference = registry.baseline_for(mixture.digest)
    if not reference:
        return {}
    champion, _ = store.resolve(reference)
    if not champion:
        current = registry.current()
        if current and current.artifact.digest == mixture.digest:
            return {}  # the model that it once replaced is not missed
        return {
            "lost_champion": Artifact(
                reference.stage, reference.key, reference.digest, store.folder(reference.stage, reference.key)
            )
        }
    inputs = {
        "champion": champion,
        "champion_examples": load_input(store, champion, "examples"),
        "champion_evaluation": latest_evaluation(store, champion, evaluation),
    }
    return {role: artifact for role, artifact in inputs.items() if artifact}


def load_input(store: Store, artifact: Artifact, role: str) -> Artifact | None:
    """The input of an artifact in this role, if the store still has it, intact and unchanged."""
    reference = artifact.input(role)
    return store.resolve(reference)[0] if reference else None


def latest_evaluation(store: Store, mixture: Artifact, like: Artifact | None = None) -> Artifact | None:
    """The latest intact evaluation of a model, if there is one.

    like:  another evaluation, whose version and configuration it must have, so that both can be compared.
    """
    required = like.manifest().recipe if like else None
    for manifest in sorted(store.list("evaluation"), key=attrgetter("created_at"), reverse=True):
        recipe = manifest.recipe
        if recipe.inputs.get("mixture") == mixture.digest and (
            required is None or (recipe.version, recipe.config) == (required.version, required.config)
        ):
            evaluation, _ = store.examine(recipe.stage, recipe.key)
            if evaluation:
                return evaluation
    return None


def load_champion(store: Store) -> Artifact | None:
    """The champion, intact; None if no model was ever promoted.

    Raises DataError if it is missing or damaged, or the registry is.
    """
    current = store.registry(CHAMPION).current()
    return require_intact(store, current.artifact) if current else None


def require_intact(
    store: Store,
    reference: Reference,
    name: str = "the promoted model",
    fix: str = _OTHER_CHAMPION,
) -> Artifact:
    """A model of the registry, intact. Raises DataError if it is missing or damaged."""
    model, fault = store.resolve(reference)
    if model:
        return model
    where = str(store.folder(reference.stage, reference.key))
    if fault:
        raise DataError("champion.damaged", f"{name} is damaged", where=where, saw=fault, fix=fix)
    raise DataError("champion.missing", f"{name} is not in the store", where=where, fix=fix)


def apply_decision(
    store: Store, decision: Artifact, candidate: Artifact, by: Mapping[str, str], on_wait: OnWait
) -> Outcome:
    """Promote the candidate if the decision says so, and no other model was promoted since.

    by:       who asks, for the registry.
    on_wait:  called repeatedly while another process changes the registry; it may raise to give up.

    Raises DataError if the champion is missing or damaged, or the registry is: nothing is promoted over it.
    """
    load_champion(store)
    manifest, registry = decision.manifest(), store.registry(CHAMPION)
    before, current = decision.input("champion"), registry.current()
    reference, why = candidate.reference, "; ".join(manifest.metadata["reasons"])

    def outcome(kind: Kind, text: str) -> Outcome:
        return Outcome(kind, reference, before, f"{short_name(reference)} {text}")

    by_hand = f"by hand: namewright models promote {reference.key[:12]}"
    if current and current.artifact.digest == reference.digest:
        return outcome("stands", "is the champion")
    if not manifest.metadata["promote"]:
        return outcome("refused", f"is not promoted: {why}")
    if reference.digest in registry.rolled_back():
        return outcome("rolled_back", f"is not promoted, since it was rolled back; {by_hand}")
    if others := _other_lists(store, candidate, before):
        return outcome("manual", f"is not promoted, since it was trained on {others}; {by_hand}")
    if manifest.recipe.config["promotion"]["mode"] == "manual":
        return outcome("manual", f"is ready to be promoted, {by_hand} ({why})")
    try:
        registry.promote(Entry.now(reference, before, decision.origin, by), before, on_wait)
    except ConflictError as conflict:
        return outcome("overtaken", f"is not promoted: {conflict.what}; the next run decides anew")
    return outcome(
        "promoted", f"is the champion now, after {short_name(before) if before else 'none'}: {why}"
    )


def _other_lists(store: Store, candidate: Artifact, champion: Reference | None) -> str:
    """How the lists of a candidate differ from the champion's, in words; empty if they are not known to."""
    current = store.resolve(champion)[0] if champion else None
    ours, theirs = _lists(store, candidate), _lists(store, current) if current else []
    if not (ours and theirs) or ours == theirs:
        return ""
    return f"other lists than the champion ({', '.join(ours)}, not {', '.join(theirs)})"


def _lists(store: Store, mixture: Artifact) -> list[str]:
    """The sorted names of the lists that a model was trained on; none if that is unknown."""
    artifact: Artifact | None = mixture
    for role in ("examples", "validated", "merged"):
        artifact = load_input(store, artifact, role) if artifact else None
    return sorted(artifact.manifest().metadata.get("sources", ())) if artifact else []


def promote_by_hand(
    store: Store, model: Artifact, by: Mapping[str, str], on_wait: OnWait
) -> Reference | None:
    """Promote a model, bypassing the policy. Returns the previous champion, if there was one.

    model:  an artifact of the stage `mixture`.

    Raises DataError if the registry is damaged; ConflictError if another is promoted at this moment.
    """
    registry = store.registry(CHAMPION)
    current = registry.current()
    if not current:
        registry.promote(Entry.now(model.reference, None, BY_HAND, by), None, on_wait)
        return None
    before = current.artifact
    if before != model.reference:
        same = before.digest == model.digest  # under another key
        against = current.against if same else before
        registry.promote(Entry.now(model.reference, against, BY_HAND, by), before, on_wait)
    return before


def roll_back(store: Store, by: Mapping[str, str], on_wait: OnWait) -> tuple[Reference, Reference]:
    """Restore the previous champion. Returns the one until now, and the restored one.

    Raises DataError if none came before it, if that is missing or damaged, or if the registry is;
    ConflictError if another is promoted at this moment.
    """
    registry = store.registry(CHAMPION)
    current = registry.current()
    check = partial(require_intact, store, name="the previous champion", fix=_NO_ROLL_BACK)
    return registry.roll_back(current.artifact if current else None, by, check, on_wait)
