"""The rule of the data gate: what lists are compared with, and whether a run may go on from them."""

from artifacts.store import Artifact, Store
from rnn_core.errors import DataError, NamewrightError
from tasks.models.training_lists import role_of_lists
from tasks.report.changes import CHANGES


class GateRefused(NamewrightError):  # it names an outcome, as Interrupted does
    """The lists drifted from the last accepted ones beyond the limits."""

    exit_code = 8


def role_of(profile: Artifact) -> str:
    """The role in the registry of lists of these sources: other sources are other lists."""
    return role_of_lists("lists", profile.manifest().metadata["sources"])


def resolve_baseline(
    store: Store, _config: object, *, profile: Artifact, **_others: Artifact
) -> dict[str, Artifact]:
    """The further input of the gate, `accepted`: the profile of the last accepted lists of the same sources.

    Raises DataError if that is missing or damaged, or the registry is.
    """
    registry = store.registry(role_of(profile))
    reference = registry.baseline_for(profile.digest)
    if not reference:
        return {}
    accepted, fault = store.resolve(reference)
    if accepted:
        return {"accepted": accepted}
    current = registry.current()
    if current and current.artifact.digest == profile.digest:
        return {}  # what these lists once replaced is not missed
    raise DataError(
        "gate.accepted_lost",
        "the profile of the last accepted lists is lost, so these lists cannot be compared with it",
        where=store.place(reference.stage, reference.key),
        saw=fault or "not in the store",
        fix=f"run on those lists again. To accept these as the first, remove {registry.where}.",
    )


def check(store: Store, gate: Artifact) -> None:
    """Stop a run whose lists drifted beyond the limits. Raises GateRefused."""
    manifest = gate.manifest()
    mode = manifest.recipe.config["mode"]
    if manifest.metadata["passed"] or mode == "report" or _is_accepted(store, gate):
        return
    raise GateRefused(
        "gate.refused",
        "the input lists drifted beyond the limits; training was not started",
        where=f"{gate.place}/{CHANGES}",
        saw="\n".join(manifest.metadata["reasons"]),
        fix="see what changed: namewright data. If that is right, raise the limit, or accept it with "
        "--gate.mode report.",
    )


def _is_accepted(store: Store, gate: Artifact) -> bool:
    """Whether these lists are the last accepted ones: a gate that only reported has accepted them."""
    reference = gate.input("profile")
    profile = store.resolve(reference)[0] if reference else None
    current = store.registry(role_of(profile)).current() if profile else None
    return bool(profile and current and current.artifact.digest == profile.digest)
