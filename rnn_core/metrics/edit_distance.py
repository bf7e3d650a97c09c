"""The edit distance from a name to the nearest of many names.

The edit distance of two names is the least number of characters that have to be inserted, deleted or replaced
to turn one into the other. With D[i, j] for the first i characters of one, s, the first j of the other, t:

    D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + [s_i != t_j])

Not every pair is measured. Of two names that have c characters in common, in any places, the longer one must
lose or replace all its others, so they are at least max(lengths) - c apart. Names are measured in the order
of that bound, until none of the rest can be nearer. The result is exact.

Sources: V. I. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", Soviet
Physics Doklady 10 (1966); for the recurrence, R. A. Wagner & M. J. Fischer, "The string-to-string correction
problem", Journal of the ACM 21 (1974); for the bound, I. Bartolini, P. Ciaccia & M. Patella, "String matching
with metric trees using an approximate distance", SPIRE (2002).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rnn_core.text.names import EncodedNames

CLASSES = 64  # of characters, which count as one in the bound; more take more memory
PAIRS_AT_ONCE = 4_096  # keeps the table of distances in the cache

Distances = npt.NDArray[np.int64]
Counts = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True, eq=False)
class NearestNames:
    """The names to search, prepared once for many searches.

    counts:  (classes, N) how many characters of each class a name has.
    """

    names: EncodedNames
    lengths: Counts
    counts: Counts

    @classmethod
    def from_names(cls, names: EncodedNames) -> "NearestNames":
        """The search among these names. Raises ValueError without any."""
        if not names.count:
            raise ValueError("there are no names to be nearest to")
        dtype = np.min_scalar_type(int(names.lengths.max()))
        owners = np.repeat(np.arange(names.count), names.lengths)
        classes = names.tokens % CLASSES
        counts = np.zeros((CLASSES, names.count), dtype)
        for character_class in np.unique(classes):
            owners_of_class = owners[classes == character_class]
            counts[character_class] = np.bincount(owners_of_class, minlength=names.count)
        return cls(names, names.lengths.astype(dtype), counts)

    @property
    def elements(self) -> float:
        """The elements of the distance tables from a name of mean length to all names."""
        return float(self.names.count * max(1.0, self.names.lengths.mean()) ** 2)

    def distances(self, names: EncodedNames) -> Iterator[int]:
        """The edit distance from each of these names to the nearest, one after another."""
        for start, stop in pairwise(names.offsets.tolist()):
            yield self._distance(names.tokens[start:stop])

    def _distance(self, name: npt.NDArray[np.int32]) -> int:
        bounds = self._lower_bounds(name)
        nearest = max(len(name), int(self.lengths.max()))
        bound = int(bounds.min())
        while bound < nearest:
            for rows in _chunks(np.flatnonzero(bounds == bound)):
                nearest = min(nearest, int(edit_distances(name, self.names.take(rows)).min()))
                if nearest == bound:
                    break
            bound += 1
        return nearest

    def _lower_bounds(self, name: npt.NDArray[np.int32]) -> Counts:
        """(N,) a lower bound of the distance to each name."""
        classes, counts = np.unique(name % CLASSES, return_counts=True)
        dtype = np.promote_types(self.counts.dtype, np.min_scalar_type(len(name)))
        shared = np.zeros(self.names.count, dtype)
        for character_class, count in zip(classes, counts, strict=True):
            shared += np.minimum(self.counts[character_class], dtype.type(count))
        bounds: Counts = np.maximum(self.lengths, dtype.type(len(name))) - shared
        return bounds


def edit_distances(name: npt.NDArray[np.int32], others: EncodedNames) -> Distances:
    """(N,) the edit distance from one name, (L,) tokens, to each of the others."""
    lengths, longest = others.lengths, int(others.lengths.max(initial=0))
    characters = np.zeros((longest, others.count), np.int32)  # row i: character i of every name
    places = np.arange(len(others.tokens)) - np.repeat(others.offsets[:-1], lengths)
    characters[places, np.repeat(np.arange(others.count), lengths)] = others.tokens
    # The table holds D[i, j] - i: then an insertion costs nothing along i, and a running minimum finds it.
    dtype = np.min_scalar_type(-max(len(name), longest) - 1)
    row = np.zeros((len(name) + 1, others.count), dtype)
    last = np.empty((longest + 1, others.count), dtype)
    last[0] = row[-1]
    for place, character in enumerate(characters, start=1):
        equal = name[:, np.newaxis] == character
        diagonal = row[:-1] - equal
        row += 1
        np.minimum(row[1:], diagonal, out=row[1:])
        np.minimum.accumulate(row, axis=0, out=row)
        last[place] = row[-1]
    return last[lengths, np.arange(others.count)].astype(np.int64) + len(name)


def _chunks(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    yield from (rows[start : start + PAIRS_AT_ONCE] for start in range(0, len(rows), PAIRS_AT_ONCE))
