"""Whether names are within one edit of any of a list: the same but for one character more, less, or other.

Names of one length that differ in one place are the same once there is a blank in that place, and a name with
one character less than another is the same as it once there is one more place, blank in both. So with

    learnt patterns:  every learnt name, and it with a blank for any one of its characters
    asked patterns:   a name, it with a blank for any one of its characters, with a blank added anywhere,
                      and with any one of its characters left out

a name is within one edit of a learnt one if and only if one of its patterns is among theirs. No pair of names
is compared, and it takes 3 L + 2 questions for a name of L characters, however many are learnt.

What is kept of a pattern is its fingerprint. A name that is near is always found to be. One that is not is
taken for near with a probability of at most (3 L + 2) n * 2^-64, for n learnt patterns: 3e-10 for a name of
12 characters and ten million of them that are learnt.

Source: the deletions of both sides instead of all edits of one are those of T. Bocek, E. Hunt & B. Stiller,
"Fast Similarity Search in Large Dictionaries", Technical Report ifi-2007.02, University of Zurich (2007).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.metrics.fingerprints import Fingerprints, iter_fingerprints
from rnn_core.random_numbers import Words
from rnn_core.text.names import EncodedNames

AT_ONCE: Final = 1 << 20  # patterns; bounds the memory it takes to put them in order


class Neighborhood:
    """Names to be near to, put in order once, to be asked often.

    It takes 8 bytes for every pattern and 4 to 8 more for every different one: 1.6 GB for ten million names
    of 12 characters, and no more than that while it is made.
    """

    def __init__(self, patterns: Words) -> None:
        """patterns: fingerprints in order, each once."""
        bits = max(1, len(patterns).bit_length())
        self._patterns = patterns
        self._other_bits = np.uint64(64 - bits)
        self._starts = np.full((1 << bits) + 1, len(patterns), np.uint32)  # of the ranges, and the end
        for first in range(0, 1 << bits, AT_ONCE):
            ranges = np.arange(first, min(first + AT_ONCE, 1 << bits), dtype=np.uint64)
            self._starts[first : first + len(ranges)] = np.searchsorted(patterns, ranges << self._other_bits)

    @classmethod
    def from_names(cls, names: EncodedNames) -> "Neighborhood":
        patterns = np.empty(names.count + len(names.tokens), np.uint64)
        end = 0
        for some in iter_fingerprints(names.tokens, names.offsets):
            for made in (some.whole, some.substitutions()):
                patterns[end : end + len(made)] = made
                end += len(made)
        patterns.sort()
        return cls(_each_once(patterns))

    def near(self, names: EncodedNames) -> npt.NDArray[np.bool_]:
        """(N,) whether a name is at an edit distance of 0 or 1 from any of these."""
        answers = [self._near(some) for some in iter_fingerprints(names.tokens, names.offsets)]
        return np.concatenate([np.zeros(0, np.bool_), *answers])

    def _near(self, names: Fingerprints) -> npt.NDArray[np.bool_]:
        near = np.zeros(len(names.whole), np.bool_)
        for patterns, of_each in (
            (names.whole, np.ones_like(names.lengths)),
            (names.substitutions(), names.lengths),
            (names.deletions(), names.lengths),
            (names.insertions(), names.lengths + 1),
        ):
            owners = np.repeat(np.arange(len(near)), of_each)
            undecided = np.flatnonzero(~near[owners])
            near[owners[undecided[self._has(patterns[undecided])]]] = True
        return near

    def _has(self, asked: Words) -> npt.NDArray[np.bool_]:
        """(Q,) which patterns are among these. Each is looked for in the range that its first bits name."""
        found = np.zeros(len(asked), np.bool_)
        ranges = (asked >> self._other_bits).astype(np.int64)
        places, ends = self._starts[ranges], self._starts[ranges + 1]
        rows = np.flatnonzero(places < ends)
        while len(rows):
            asked_there, there = asked[rows], places[rows]
            same = self._patterns[there] == asked_there
            found[rows[same]] = True
            places[rows] = there + np.uint32(1)
            rows = rows[~same & (there + np.uint32(1) < ends[rows])]
        return found


def _each_once(patterns: Words) -> Words:
    """Of patterns in order, in the memory they have."""
    new = np.ones(len(patterns), np.bool_)
    np.not_equal(patterns[1:], patterns[:-1], out=new[1:])
    end = 0
    for start in range(0, len(patterns), AT_ONCE):
        some = patterns[start : start + AT_ONCE][new[start : start + AT_ONCE]]
        patterns[end : end + len(some)] = some
        end += len(some)
    return patterns[:end]
