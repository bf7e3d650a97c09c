"""The changes that the data gate found, in words: a row each, for the report, the terminal and Prefect."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from artifacts.store import Artifact
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


class ChangeRow(NamedTuple):
    """A change, in words. limit: empty where there is none. within: whether it is within it."""

    what: str
    before: str
    now: str
    change: str
    limit: str
    within: bool


def format_changes(gate: Artifact) -> list[ChangeRow]:
    """Every row of its table, in their order; none if nothing was accepted before."""
    return [_told(row) for row in gate.table(CHANGES).to_pylist()]


def _told(row: dict[str, Any]) -> ChangeRow:
    measure, limit = MEASURES[row["measure"]], row["limit"]
    shown = glyph if row["measure"] in CHARACTERS.values() else visible
    return ChangeRow(
        f"{measure.title} {shown(row['value'])}".strip(),
        measure.level(row["before"]),
        measure.level(row["after"]),
        measure.change(row["change"]),
        "" if limit is None else measure.change(limit),
        row["within"],
    )
