"""How far names lie from the nearest of those that were learnt.

The edit distance of two names is the least number of characters that have to be inserted, deleted or replaced
to turn one into the other. With D[i, j] for the first i characters of one, s, the first j of the other, t:

    D[i, j] = min(D[i-1, j] + 1, D[i, j-1] + 1, D[i-1, j-1] + [s_i != t_j])

Not every pair is measured. Of two names that have c characters in common, wherever they stand, the longer one
must lose or replace all its others, so they are at least max(lengths) - c apart. Names are measured in the
order of that bound, until none that is left can be nearer. The result is exact.

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

CLASSES = 64  # of characters that count as one in the bound, which stays a bound; more would take more memory
PAIRS_AT_ONCE = 4_096  # keeps the table of distances in the cache

Distances = npt.NDArray[np.int64]
Counts = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True, eq=False)
class NearestNames:
    """Names to be near to, counted once, to be asked often.

    counts:  (classes, N) how many characters of each class a name has.
    """

    names: EncodedNames
    lengths: Counts
    counts: Counts

    @classmethod
    def from_names(cls, names: EncodedNames) -> "NearestNames":
        """Raises ValueError without names."""
        if not names.count:
            raise ValueError("there is no nearest of no names")
        dtype = np.min_scalar_type(int(names.lengths.max()))
        owners = np.repeat(np.arange(names.count), names.lengths)
        classes = names.tokens % CLASSES
        counts = np.zeros((CLASSES, names.count), dtype)
        for each in np.unique(classes):
            counts[each] = np.bincount(owners[classes == each], minlength=names.count)
        return cls(names, names.lengths.astype(dtype), counts)

    @property
    def elements(self) -> float:
        """Of the tables of distances from a name of their mean length to all of them."""
        return float(self.names.count * max(1.0, self.names.lengths.mean()) ** 2)

    def distances(self, asked: EncodedNames) -> Iterator[int]:
        """The edit distance from each name asked to the nearest, one after another."""
        for start, stop in pairwise(asked.offsets.tolist()):
            yield self._distance(asked.tokens[start:stop])

    def _distance(self, name: npt.NDArray[np.int32]) -> int:
        bounds = self._lower_bounds(name)
        nearest = max(len(name), int(self.lengths.max()))
        bound = int(bounds.min())
        while bound < nearest:
            for some in _chunks(np.flatnonzero(bounds == bound)):
                nearest = min(nearest, int(edit_distances(name, self.names.take(some)).min()))
                if nearest == bound:
                    break
            bound += 1
        return nearest

    def _lower_bounds(self, name: npt.NDArray[np.int32]) -> Counts:
        """(N,) no name is nearer than that."""
        classes, counts = np.unique(name % CLASSES, return_counts=True)
        dtype = np.promote_types(self.counts.dtype, np.min_scalar_type(len(name)))
        shared = np.zeros(self.names.count, dtype)
        for each, count in zip(classes, counts, strict=True):
            shared += np.minimum(self.counts[each], dtype.type(count))
        bounds: Counts = np.maximum(self.lengths, dtype.type(len(name))) - shared
        return bounds


def edit_distances(name: npt.NDArray[np.int32], others: EncodedNames) -> Distances:
    """(N,) from one name, (L,) tokens, to each of the others."""
    lengths, longest = others.lengths, int(others.lengths.max(initial=0))
    characters = np.zeros((longest, others.count), np.int32)  # of one place in all names side by side
    places = np.arange(len(others.tokens)) - np.repeat(others.offsets[:-1], lengths)
    characters[places, np.repeat(np.arange(others.count), lengths)] = others.tokens
    # What is kept is D[i, j] - i: then an insertion costs nothing along i, and a running minimum finds it.
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
