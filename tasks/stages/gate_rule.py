"""What the data gate found, as it is told, and what follows from it."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from artifacts.keys import canonical_json, sha256
from artifacts.store import Artifact, Store
from rnn_core.errors import DataError, GateRefused
from tasks.report.markup import glyph, visible

CHANGES = "changes.parquet"

# What a measure of characters sums up: the measure of each of them.
CHARACTERS = {"new_characters": "new_character", "lost_characters": "lost_character"}


class Measure(NamedTuple):
    """level: how a figure of the lists before, or now, is written. change: how that of the change is."""

    title: str
    level: Callable[[float], str]
    change: Callable[[float], str]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _growth(value: float) -> str:
    return f"{value:+.1%}" if math.isfinite(value) else "new"


def _characters(value: float) -> str:
    return f"{value:.2f}"


MEASURES = {
    "rows_lost": Measure("names lost", _count, _share),
    "rows_gained": Measure("names gained", _count, _share),
    "new_characters": Measure("letters of new characters", _count, _share),
    "lost_characters": Measure("letters of characters that are gone", _count, _share),
    "length_distance": Measure("lengths, mean and distance", _characters, _characters),
    "duplicates_gained": Measure("duplicates gained", _share, _share),
    "rows": Measure("names of", _count, _growth),
    "new_character": Measure("new:", _count, _share),
    "lost_character": Measure("gone:", _count, _share),
}


class Told(NamedTuple):
    """A change, in words. limit: empty where there is none. within: whether it is within it."""

    what: str
    before: str
    now: str
    change: str
    limit: str
    within: bool


def told(gate: Artifact) -> list[Told]:
    """Every row of its table, in their order; none if nothing was accepted before."""
    return [_told(row) for row in gate.table(CHANGES).to_pylist()]


def _told(row: dict[str, Any]) -> Told:
    measure, limit = MEASURES[row["measure"]], row["limit"]
    shown = glyph if row["measure"] in CHARACTERS.values() else visible
    return Told(
        f"{measure.title} {shown(row['value'])}".strip(),
        measure.level(row["before"]),
        measure.level(row["after"]),
        measure.change(row["change"]),
        "" if limit is None else measure.change(limit),
        row["within"],
    )


def role_of(profile: Artifact) -> str:
    """In the registry, for lists of these sources: others are other lists, not the same ones changed."""
    sources = sorted(profile.manifest().facts["sources"])
    return f"lists-{sha256(canonical_json(sources))[:12]}"


def compared_with(store: Store, profile: Artifact) -> dict[str, Artifact]:
    """The further input of the gate, `accepted`: the profile of the last accepted lists of the same sources.

    Raises DataError if that is missing or damaged, or the registry is.
    """
    registry = store.registry(role_of(profile))
    reference = registry.compared_with(profile.digest)
    if not reference:
        return {}
    accepted, fault = store.referred(reference)
    if accepted:
        return {"accepted": accepted}
    standing = registry.standing()
    if standing and standing.artifact.digest == profile.digest:
        return {}  # what these lists once took the place of is not missed
    raise DataError(
        "gate.accepted_lost",
        "what the last accepted lists were like is not known any more, so these cannot be compared with them",
        where=str(store.folder(reference.stage, reference.key)),
        saw=fault or "not in the store",
        fix=f"a run on those lists makes it again. To let these pass as the first, remove {registry.path}.",
    )


def verdict(store: Store, gate: Artifact) -> None:
    """Raises GateRefused if nothing may be learnt from these lists."""
    made = gate.manifest()
    if made.facts["passed"] or made.recipe.config["mode"] == "report" or _accepted(store, gate):
        return
    raise GateRefused(
        "gate.refused",
        "the lists differ too much from the last accepted ones: nothing is learnt from them",
        where=str(gate.folder / CHANGES),
        saw="\n".join(made.facts["reasons"]),
        fix="see what changed: namewright data. If it is as it should be, raise the limit, or accept it with "
        "--gate.mode report.",
    )


def _accepted(store: Store, gate: Artifact) -> bool:
    """Whether these lists are the last accepted ones: a gate that only reported has let them through."""
    judged = gate.input("profile")
    profile = store.referred(judged)[0] if judged else None
    standing = store.registry(role_of(profile)).standing() if profile else None
    return bool(profile and standing and standing.artifact.digest == profile.digest)
