"""What a profile says of each list, as the command line and the report show it."""

from typing import NamedTuple

import numpy as np

from data.config import ALL_SOURCES
from data.profile import REJECTED, Counts, Profile

# By the measure of the profile: when it was that rows were not taken.
STEPS = dict(zip(REJECTED, ("reading", "merging", "validating"), strict=True))


class Figures(NamedTuple):
    """lines:       in the files.
    taken:       of these, that hold a name.
    distinct:    of these, how many different ones.
    kept:        names after merging and validation; what follows is of them.
    shortest:    in characters, as median and longest; 0 if there are no names.
    characters:  how many different ones.
    """

    source: str
    lines: int
    taken: int
    distinct: int
    kept: int
    shortest: int
    median: int
    longest: int
    characters: int


def figures(profile: Profile) -> list[Figures]:
    """Of every source; and of all together, if there are several."""
    sources = profile.sources
    together = [ALL_SOURCES] if len(sources) > 1 else []
    return [_figures(profile, source) for source in [*sources, *together]]


def _figures(profile: Profile, source: str) -> Figures:
    taken = profile.count("taken", source)
    shortest, median, longest = _spread(profile.lengths(source))
    return Figures(
        source=source,
        lines=taken + profile.count("not_read", source),
        taken=taken,
        distinct=profile.count("distinct", source),
        kept=profile.count("kept", source),
        shortest=shortest,
        median=median,
        longest=longest,
        characters=len(profile.counts("character", source)),
    )


def _spread(lengths: Counts) -> tuple[int, int, int]:
    """Shortest, median (the lower of two) and longest."""
    there = np.flatnonzero(lengths)
    if not len(there):
        return 0, 0, 0
    middle = np.searchsorted(np.cumsum(lengths), (lengths.sum() + 1) // 2)
    return int(there[0]), int(middle), int(there[-1])
