"""Changes between the profiles of two sets of lists, and whether they are within their limits."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.config import GateConfig
from data.profile import Counts, Profile
from rnn_core.metrics.distributions import wasserstein

LIMIT = "max_"  # the option of a limit is the measure's name with this prefix


class Change(NamedTuple):
    """One measure before and after: a row of schemas.CHANGES."""

    measure: str
    value: str
    before: float
    after: float
    change: float
    limit: float | None = None
    within: bool = True


def changes(before: Profile, after: Profile, limits: GateConfig) -> list[Change]:
    """Every change: first those with a limit, then the rows of each source, then each new or lost character.

    before, after:  profiles with at least one kept name.
    """
    new = _missing(after.counts("character"), before.counts("character"))
    lost = _missing(before.counts("character"), after.counts("character"))
    totals = [float(sum(profile.counts("character").values())) for profile in (before, after)]
    measured = [
        *_rows(before.count("kept"), after.count("kept")),
        Change("new_characters", "", 0.0, float(sum(new.values())), _share(sum(new.values()), totals[1])),
        Change("lost_characters", "", float(sum(lost.values())), 0.0, _share(sum(lost.values()), totals[0])),
        _lengths(before.lengths(), after.lengths()),
        _duplicates(before.duplicates(), after.duplicates()),
    ]
    return [
        *(_with_limit(change, limits.limits[LIMIT + change.measure]) for change in measured),
        *_by_source(before, after),
        *(Change("new_character", of, 0.0, count, _share(count, totals[1])) for of, count in new.items()),
        *(Change("lost_character", of, count, 0.0, _share(count, totals[0])) for of, count in lost.items()),
    ]


def changes_table(rows: list[Change]) -> pa.Table:
    """The changes as a table of schemas.CHANGES."""
    columns = zip(*rows, strict=True) if rows else [()] * len(Change._fields)
    text, number = pa.string(), pa.float64()
    types = (text, text, number, number, number, number, pa.bool_())
    return pa.table(list(map(pa.array, columns, types)), names=list(Change._fields))


def _with_limit(change: Change, limit: float | None) -> Change:
    return change._replace(limit=limit, within=limit is None or change.change <= limit)


def _rows(before: int, after: int) -> Iterator[Change]:
    growth = after / before - 1.0
    yield Change("rows_lost", "", before, after, max(-growth, 0.0))
    yield Change("rows_gained", "", before, after, max(growth, 0.0))


def _lengths(before: Counts, after: Counts) -> Change:
    means = [float(np.average(np.arange(len(lengths)), weights=lengths)) for lengths in (before, after)]
    return Change("length_distance", "", means[0], means[1], wasserstein(before, after))


def _duplicates(before: float, after: float) -> Change:
    return Change("duplicates_gained", "", before, after, max(after - before, 0.0))


def _by_source(before: Profile, after: Profile) -> Iterator[Change]:
    for source in dict.fromkeys([*before.sources, *after.sources]):
        rows, now = before.count("kept", source), after.count("kept", source)
        yield Change("rows", source, rows, now, now / rows - 1.0 if rows else math.inf)


def _missing(here: Mapping[str, int], there: Mapping[str, int]) -> dict[str, int]:
    """The characters that `there` lacks, the most frequent first."""
    only = {character: count for character, count in here.items() if character not in there}
    return dict(sorted(only.items(), key=lambda item: (-item[1], item[0])))


def _share(part: float, whole: float) -> float:
    return part / max(whole, 1.0)
