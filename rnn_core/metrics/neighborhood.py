"""Whether names are within one edit of any name of a list.

Two names of one length that differ in one place are equal with a blank in that place; a name with one
character less than another equals it with a blank in both. So with

    list patterns:   every name of the list, also with a blank for any one of its characters
    query patterns:  a name, also with a blank for any one of its characters, with a blank inserted anywhere,
                     and with any one of its characters left out

a name is within one edit of a name of the list if and only if they have a pattern in common. No pair of names
is compared: a name of L characters takes 3 L + 2 lookups, however long the list is.

Stored are the fingerprints of the patterns. A near name is always found. Another one is taken for near with a
probability of at most (3 L + 2) n * 2^-64, for n list patterns: 3e-10 for a name of 12 characters and a list
of ten million of them.

Source: deletions on both sides instead of all edits on one are from T. Bocek, E. Hunt & B. Stiller,
"Fast Similarity Search in Large Dictionaries", Technical Report ifi-2007.02, University of Zurich (2007).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.metrics.fingerprints import Fingerprints, iter_fingerprints
from rnn_core.random_numbers import Words
from rnn_core.text.names import EncodedNames

AT_ONCE: Final = 1 << 20  # patterns; bounds the memory of sorting


class Neighborhood:
    """The patterns of a list, sorted once for many lookups.

    It takes 8 bytes for every pattern and 4 to 8 more for every distinct one: 1.6 GB for ten million names of
    12 characters, and no more than that while it is built.
    """

    def __init__(self, patterns: Words) -> None:
        """patterns: distinct fingerprints in ascending order."""
        bits = max(1, len(patterns).bit_length())
        self._patterns = patterns
        self._other_bits = np.uint64(64 - bits)
        self._starts = np.full((1 << bits) + 1, len(patterns), np.uint32)  # of the ranges, and the end
        for first in range(0, 1 << bits, AT_ONCE):
            ranges = np.arange(first, min(first + AT_ONCE, 1 << bits), dtype=np.uint64)
            self._starts[first : first + len(ranges)] = np.searchsorted(patterns, ranges << self._other_bits)

    @classmethod
    def from_names(cls, names: EncodedNames) -> "Neighborhood":
        """The neighborhood of these names."""
        patterns = np.empty(names.count + len(names.tokens), np.uint64)
        end = 0
        for part in iter_fingerprints(names.tokens, names.offsets):
            for words in (part.whole, part.substitutions()):
                patterns[end : end + len(words)] = words
                end += len(words)
        patterns.sort()
        return cls(_deduplicate(patterns))

    def near(self, names: EncodedNames) -> npt.NDArray[np.bool_]:
        """(N,) whether each name is at an edit distance of 0 or 1 from any of the list."""
        masks = [self._near(part) for part in iter_fingerprints(names.tokens, names.offsets)]
        return np.concatenate([np.zeros(0, np.bool_), *masks])

    def _near(self, names: Fingerprints) -> npt.NDArray[np.bool_]:
        near = np.zeros(len(names.whole), np.bool_)
        for patterns, per_name in (
            (names.whole, np.ones_like(names.lengths)),
            (names.substitutions(), names.lengths),
            (names.deletions(), names.lengths),
            (names.insertions(), names.lengths + 1),
        ):
            owners = np.repeat(np.arange(len(near)), per_name)
            undecided = np.flatnonzero(~near[owners])
            near[owners[undecided[self._contains(patterns[undecided])]]] = True
        return near

    def _contains(self, queries: Words) -> npt.NDArray[np.bool_]:
        """(Q,) which queries are patterns of the list. Each is searched in the range of its first bits."""
        found = np.zeros(len(queries), np.bool_)
        ranges = (queries >> self._other_bits).astype(np.int64)
        places, ends = self._starts[ranges], self._starts[ranges + 1]
        rows = np.flatnonzero(places < ends)
        while len(rows):
            equal = self._patterns[places[rows]] == queries[rows]
            found[rows[equal]] = True
            places[rows] += np.uint32(1)
            rows = rows[~equal & (places[rows] < ends[rows])]
        return found


def _deduplicate(patterns: Words) -> Words:
    """The distinct ones of sorted patterns, in the same memory."""
    new = np.ones(len(patterns), np.bool_)
    np.not_equal(patterns[1:], patterns[:-1], out=new[1:])
    end = 0
    for start in range(0, len(patterns), AT_ONCE):
        distinct = patterns[start : start + AT_ONCE][new[start : start + AT_ONCE]]
        patterns[end : end + len(distinct)] = distinct
        end += len(distinct)
    return patterns[:end]
