"""The changes that the data gate found, in words: for the report, the terminal and Prefect."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from artifacts.store import Artifact
from tasks.report.sections import Cell, Column, Row, Section, Table, columns
from tasks.report.text import escape_invisible, glyph

CHANGES = "changes.parquet"

# Measures that sum up characters, with the measure of each character.
CHARACTERS = {"new_characters": "new_character", "lost_characters": "lost_character"}

_SHOWN = 60


class Measure(NamedTuple):
    """How a measure of the gate is written.

    level:   a figure of the lists before, or now.
    change:  that of the change between them.
    """

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
    "lost_characters": Measure("letters of lost characters", _count, _share),
    "length_distance": Measure("lengths, mean and distance", _characters, _characters),
    "duplicates_gained": Measure("duplicates gained", _share, _share),
    "rows": Measure("names of", _count, _growth),
    "new_character": Measure("new:", _count, _share),
    "lost_character": Measure("lost:", _count, _share),
}


def changes_section(gate: Artifact, shown: int = _SHOWN) -> Section:
    """How the lists differ from the last accepted ones.

    gate:   of the stage `gate`; only its table is read.
    shown:  how many rows at most; those with a limit come first.
    """
    title, rows = "Changes since the last accepted lists", gate.table(CHANGES).to_pylist()
    if not rows:
        lead = "No lists were accepted before: there is nothing to compare with."
        return Section(title, lead, folded=True)
    beyond = [MEASURES[row["measure"]].title for row in rows if not row["within"]]
    more = len(rows) - shown
    return Section(
        title,
        lead=f"Beyond the limits: {', '.join(beyond)}." if beyond else "Within the limits of the gate.",
        table=Table(
            [*columns("what", numeric=("before", "now", "change", "limit")), Column("")],
            [_row(row) for row in rows[:shown]],
        ),
        note=f"And {more:,} more characters, in {CHANGES}." if more > 0 else "",
        folded=not beyond,
    )


def _row(row: Mapping[str, Any]) -> Row:
    measure, limit = MEASURES[row["measure"]], row["limit"]
    value = glyph(row["value"]) if row["measure"] in CHARACTERS.values() else escape_invisible(row["value"])
    return [
        f"{measure.title} {value}".strip(),
        measure.level(row["before"]),
        measure.level(row["after"]),
        measure.change(row["change"]),
        "" if limit is None else measure.change(limit),
        "" if row["within"] else Cell("too much", tone="bad"),
    ]
