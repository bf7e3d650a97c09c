"""What the data gate compares lists with, and whether a run may go on from them."""

from artifacts.keys import canonical_json, sha256
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError, NamewrightError
from tasks.report.gate_changes import CHANGES


class GateRefused(NamewrightError):  # it names an outcome, as Interrupted does
    """The lists differ more from the last accepted ones than they may."""

    exit_code = 8


def role_of(profile: Artifact) -> str:
    """In the registry, for lists of these sources: others are other lists, not the same ones changed."""
    sources = sorted(profile.manifest().metadata["sources"])
    return f"lists-{sha256(canonical_json(sources))[:12]}"


def resolve_baseline(store: Store, *, profile: Artifact) -> dict[str, Artifact]:
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
    standing = registry.current()
    if standing and standing.artifact.digest == profile.digest:
        return {}  # what these lists once took the place of is not missed
    raise DataError(
        "gate.accepted_lost",
        "what the last accepted lists were like is not known any more, so these cannot be compared with them",
        where=str(store.folder(reference.stage, reference.key)),
        saw=fault or "not in the store",
        fix=f"a run on those lists makes it again. To let these pass as the first, remove {registry.path}.",
    )


def check(store: Store, gate: Artifact) -> None:
    """Raises GateRefused if nothing may be learnt from these lists."""
    made = gate.manifest()
    if made.metadata["passed"] or made.recipe.config["mode"] == "report" or _accepted(store, gate):
        return
    raise GateRefused(
        "gate.refused",
        "the lists differ too much from the last accepted ones: nothing is learnt from them",
        where=str(gate.folder / CHANGES),
        saw="\n".join(made.metadata["reasons"]),
        fix="see what changed: namewright data. If it is as it should be, raise the limit, or accept it with "
        "--gate.mode report.",
    )


def _accepted(store: Store, gate: Artifact) -> bool:
    """Whether these lists are the last accepted ones: a gate that only reported has let them through."""
    judged = gate.input("profile")
    profile = store.resolve(judged)[0] if judged else None
    standing = store.registry(role_of(profile)).current() if profile else None
    return bool(profile and standing and standing.artifact.digest == profile.digest)
