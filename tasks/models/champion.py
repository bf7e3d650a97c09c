"""The champion of every set of lists: the model that names are sampled from unless another is named.

A set of lists has a role of its own in the registry, `champion-…`. A store from before has one champion, in
the role `champion`: it is read, and replaced, as the champion of the lists that it was trained on.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Literal, NamedTuple

from artifacts.registry import BY_HAND, ConflictError, Entry, Reference, Registry
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError
from tasks.models.training_lists import last_trained, list_names, remember_trained, role_of_lists

CHAMPION = "champion"  # the role before there was one per set of lists; otherwise the prefix of the roles

OnWait = Callable[[], None]

_RECOMPUTE = "An unchanged run computes it again."
_OTHER_CHAMPION = f"restore the previous champion, or promote another model by hand. {_RECOMPUTE}"
_NO_ROLL_BACK = f"nothing was changed. Promote an intact model by hand. {_RECOMPUTE}"

Kind = Literal["promoted", "refused", "stands", "rolled_back", "manual", "overtaken"]


class Outcome(NamedTuple):
    """What became of a decision about a candidate.

    kind:        promoted; refused by the policy; stands: it is the champion already; rolled_back: it passed,
                 but was rolled back before; manual: it passed, and the configuration leaves its promotion
                 to a person; overtaken: another model was promoted since the decision was made.
    candidate:  the candidate.
    champion:    the model that it was compared with.
    text:        for people.
    lists:       that the candidate was trained on, as far as is known.
    """

    kind: Kind
    candidate: Reference
    champion: Reference | None
    text: str
    lists: tuple[str, ...] = ()


def short_name(reference: Reference) -> str:
    """The stage and the first twelve digits of the key, for people."""
    return f"{reference.stage}/{reference.key[:12]}"


def champion_registry(store: Store, lists: Sequence[str]) -> Registry:
    """The registry of the champions of a set of lists.

    lists:  names of their sources; empty if they are unknown.

    Raises DataError if the registry is damaged.
    """
    earlier = store.registry(CHAMPION)
    if not lists:
        return earlier
    registry = store.registry(role_of_lists(CHAMPION, lists))
    if registry.history():
        return registry
    current = earlier.current()
    is_of_lists = current and list_names(store, current.artifact) in ((), tuple(sorted(lists)))
    return earlier if is_of_lists else registry


def champion_registries(store: Store) -> list[Registry]:
    """The registries of the champions of every set of lists."""
    return [registry for registry in store.registries() if registry.role.split("-")[0] == CHAMPION]


def current_champions(store: Store) -> list[Entry]:
    """The entries of all champions, the latest promoted last. Raises DataError if a registry is damaged."""
    entries = [registry.current() for registry in champion_registries(store)]
    return sorted((entry for entry in entries if entry), key=attrgetter("created_at"))


def chosen_lists(store: Store, lists: Sequence[str] = ()) -> tuple[str, ...]:
    """The lists whose champion is meant: these, or those trained on last; empty if that is unknown."""
    if lists:
        return tuple(sorted(lists))
    if names := last_trained(store):
        return names
    latest = next(reversed(current_champions(store)), None)
    return list_names(store, latest.artifact) if latest else ()


def resolve_baseline(
    store: Store, _config: object, *, mixture: Artifact, evaluation: Artifact, **_others: Artifact
) -> dict[str, Artifact]:
    """The further inputs of a decision about a mixture: the champion that it is compared with, by role.

    champion:             the model; without a champion none of these.
    champion_examples:    that it was trained on, if the store has them.
    champion_evaluation:  of it, with the same configuration, if there is one.
    lost_champion:        instead of all these, a champion that is missing in the store, or damaged.

    Raises DataError if the registry is damaged.
    """
    registry = champion_registry(store, list_names(store, mixture.reference))
    reference = registry.baseline_for(mixture.digest)
    if not reference:
        return {}
    champion, _ = store.resolve(reference)
    if not champion:
        current = registry.current()
        if current and current.artifact.digest == mixture.digest:
            return {}  # the model that it once replaced is not missed
        return {"lost_champion": store.handle(reference)}
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


def load_champion(store: Store, lists: Sequence[str]) -> Artifact | None:
    """The champion of these lists, intact; None if no model of them was ever promoted.

    Raises DataError if it is missing or damaged, or the registry is.
    """
    current = champion_registry(store, lists).current()
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
    where = store.place(reference.stage, reference.key)
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
    lists = list_names(store, candidate.reference)
    remember_trained(store, lists)
    load_champion(store, lists)
    manifest, registry = decision.manifest(), champion_registry(store, lists)
    before, current = decision.input("champion"), registry.current()
    reference, why = candidate.reference, "; ".join(manifest.metadata["reasons"])

    def outcome(kind: Kind, text: str) -> Outcome:
        return Outcome(kind, reference, before, f"{short_name(reference)} {text}", lists)

    by_hand = f"by hand: namewright models promote {reference.key[:12]}"
    use = f"to use it all the same: namewright generate --model {reference.key[:12]}"
    if current and current.artifact.digest == reference.digest:
        return outcome("stands", "is the champion")
    if not manifest.metadata["promote"]:
        return outcome("refused", f"is not promoted: {why}; {use}")
    if reference.digest in registry.rolled_back():
        return outcome("rolled_back", f"is not promoted, since it was rolled back; {by_hand}; {use}")
    if manifest.recipe.config["promotion"]["mode"] == "manual":
        return outcome("manual", f"is ready to be promoted, {by_hand} ({why}); {use}")
    try:
        registry.promote(Entry.now(reference, before, decision.origin, by), before, on_wait)
    except ConflictError as conflict:
        return outcome("overtaken", f"is not promoted: {conflict.what}; the next run decides anew; {use}")
    return outcome(
        "promoted", f"is the champion now, after {short_name(before) if before else 'none'}: {why}"
    )


def promote_by_hand(
    store: Store, model: Artifact, by: Mapping[str, str], on_wait: OnWait
) -> Reference | None:
    """Promote a model, bypassing the policy. Returns the previous champion of its lists, if there was one.

    Its lists count as those trained on last: names are sampled from it from now on.

    model:  an artifact of the stage `mixture`.

    Raises DataError if the registry is damaged; ConflictError if another is promoted at this moment.
    """
    lists = list_names(store, model.reference)
    registry = champion_registry(store, lists)
    remember_trained(store, lists)
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


def roll_back(
    store: Store, lists: Sequence[str], by: Mapping[str, str], on_wait: OnWait
) -> tuple[Reference, Reference]:
    """Restore the previous champion of these lists. Returns the one until now, and the restored one.

    Raises DataError if none came before it, if that is missing or damaged, or if the registry is;
    ConflictError if another is promoted at this moment.
    """
    registry = champion_registry(store, lists)
    current = registry.current()
    check = partial(require_intact, store, name="the previous champion", fix=_NO_ROLL_BACK)
    return registry.roll_back(current.artifact if current else None, by, check, on_wait)
