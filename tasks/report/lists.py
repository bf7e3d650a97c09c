"""What the input lists hold and which rows were rejected, for the report and for `namewright data`."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data.config import ALL_SOURCES
from data.profile import REJECTED, Counts, Profile
from tasks.report.sections import Cell, Row, Section, Table, columns
from tasks.report.text import escape_invisible, glyph

# By the measure of the profile: the step that rejected the rows.
STEPS = dict(zip(REJECTED, ("reading", "merging", "validating"), strict=True))

_REASONS_SHOWN = 40

Splits = Mapping[str, Mapping[str, int]]  # names by source and split
FirstRows = Mapping[tuple[str, str, str], Sequence[str]]  # of a step, a source and a reason


def lists_section(profile: Profile, splits: Splits | None = None, plot: str = "") -> Section:
    """A row for each list, and one for all of them if there are several.

    splits:  how many names each split has of every source.
    plot:    SVG of the lengths in each list.
    """
    sources = [*profile.sources, *([ALL_SOURCES] if len(profile.sources) > 1 else [])]
    measures = ("taken", "distinct", "kept")
    counts = [
        [lines(profile, source), *(profile.count(measure, source) for measure in measures)]
        for source in sources
    ]
    heads = ["lines", "names", "distinct", "kept"]
    if splits:
        in_splits = [list(splits[source].values()) for source in profile.sources]
        totals = [sum(split) for split in zip(*in_splits, strict=True)]
        counts = [[*row, *more] for row, more in zip(counts, [*in_splits, totals], strict=False)]
        heads += next(iter(splits.values()))
    rows: list[Row] = [
        [
            Cell("all", tone="strong") if source == ALL_SOURCES else escape_invisible(source),
            *(f"{count:,}" for count in row),
            "/".join(f"{length:,}" for length in _spread(profile.lengths(source))),
            f"{len(profile.counts('character', source)):,}",
        ]
        for source, row in zip(sources, counts, strict=True)
    ]
    return Section(
        "Lists",
        f"{profile.count('kept'):,} names kept from {lines(profile):,} lines.",
        plot=plot,
        table=Table(columns("source", numeric=(*heads, "min/median/max", "characters")), rows),
        note="Lengths in characters, and characters, are those of the names that were kept.",
        folded=True,
    )


def notices_section(notices: Sequence[str]) -> Section:
    """What stands out in the lists."""
    return Section("What stands out in the lists", points=notices)


def lines(profile: Profile, source: str = ALL_SOURCES) -> int:
    """Number of lines in the files of a source: those with a name, and those that could not be read."""
    return profile.count("taken", source) + profile.count("not_read", source)


def rejected_section(profile: Profile, first_rows: FirstRows | None = None) -> Section:
    """How many rows of each list were rejected, and why.

    first_rows:  the first few of them, as text.
    """
    counts = [
        (step, source, reason, count)
        for measure, step in STEPS.items()
        for source in profile.sources
        for reason, count in _most_frequent(profile.counts(measure, source).items())
    ]
    title = "Rejected rows"
    if not counts:
        return Section(title, "No rows were rejected.", folded=True)
    rows: list[Row] = [
        [
            escape_invisible(source),
            step,
            Cell(escape_invisible(reason, 200), (first_rows or {}).get((step, source, reason), ())),
            f"{count:,}",
        ]
        for step, source, reason, count in counts[:_REASONS_SHOWN]
    ]
    more = len(counts) - len(rows)
    return Section(
        title,
        # Not the sum of the counts: a row may break several rules.
        f"{lines(profile) - profile.count('kept'):,} of {lines(profile):,} rows were rejected.",
        table=Table(columns("source", "when", "reason", numeric=("rows",)), rows),
        note=f"And {more:,} more reasons." if more else "",
        folded=True,
    )


def characters_section(profile: Profile, shown: int) -> Section:
    """The most frequent characters of each list."""
    rows = []
    for source in profile.sources:
        counts = profile.characters(source)
        more = f", and {len(counts) - shown:,} that are rarer" if len(counts) > shown else ""
        frequent = ", ".join(f"{glyph(character)} {count:,}" for character, count in counts[:shown])
        rows.append([escape_invisible(source), frequent + more])
    return Section(
        "Most frequent characters",
        f"{len(profile.counts('character')):,} different characters.",
        table=Table(columns("source", "characters and their counts"), rows),
        folded=True,
    )


def _most_frequent(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda count: (-count[1], count[0]))


def _spread(lengths: Counts) -> tuple[int, int, int]:
    """Shortest, median (the lower of two) and longest; zeros if there are no names."""
    present = np.flatnonzero(lengths)
    if not len(present):
        return 0, 0, 0
    middle = np.searchsorted(np.cumsum(lengths), (lengths.sum() + 1) // 2)
    return int(present[0]), int(middle), int(present[-1])
