"""Fingerprints of sequences as words of 64 bits, and those of all sequences one edit away.

    fingerprint(x) = sum over i of word(i, x_i)      modulo 2^64

where word(i, c), for a place i and a number c, is SplitMix64 of the counter (i + 1) * 2^32 + c. To leave out
x_k is to take the sum of what comes before it, and to add that of what follows, each one place further to the
front. So running sums over a list of sequences give the fingerprints of all edits, without making any of
them.

There is no key and no randomness: a fingerprint never changes. If the words were independent random numbers,
two different sequences would collide with a probability of 2^-64, a sequence with any of n others with at
most n * 2^-64, and any two of n with at most n^2 * 2^-65. Collisions can be constructed: a fingerprint is not
a signature.

Sequences are laid out as in Arrow: sequence i of N is numbers[offsets[i]:offsets[i + 1]], C numbers in
all, from 0 to below 2^31. Offsets need not begin with 0, and a sequence may be empty.

Sources: A. L. Zobrist, "A New Hashing Method with Application for Game Playing", Technical Report 88,
University of Wisconsin (1970); for the probability, J. L. Carter & M. N. Wegman, "Universal Classes of Hash
Functions", Journal of Computer and System Sciences 18 (1979).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.random_numbers import Words, splitmix64

BLANK: Final = np.uint64(0xFFFFFFFF)  # in no sequence
AT_ONCE = 8_192  # sequences, whose fingerprints stay in the cache
_PLACE = np.uint64(1 << 32)  # in a counter, from one place to the next


def fingerprints(numbers: Integers, offsets: Integers) -> Words:
    """(N,) the fingerprints of sequences; numbers: (C,), offsets: (N + 1,)."""
    return np.concatenate(
        [np.zeros(0, np.uint64), *(part.whole for part in iter_fingerprints(numbers, offsets))]
    )


def iter_fingerprints(numbers: Integers, offsets: Integers) -> Iterator["Fingerprints"]:
    """The fingerprints of AT_ONCE sequences at a time, in their order."""
    for start in range(0, len(offsets) - 1, AT_ONCE):
        yield Fingerprints(numbers, offsets[start : start + AT_ONCE + 1])


class Fingerprints:
    """The fingerprints of N sequences of C numbers, and of their edits.

    The edits of one sequence are adjacent, in the order of its places.

    numbers:  (C,) and those of other sequences, before and after.
    offsets:  (N + 1,)
    lengths:  (N,)
    whole:    (N,) of the unedited sequences.
    """

    def __init__(self, numbers: Integers, offsets: Integers) -> None:
        self.lengths: npt.NDArray[np.int64] = np.diff(offsets).astype(np.int64)
        self._starts, self._ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
        self._places = np.arange(offsets[-1] - offsets[0]) - np.repeat(self._starts, self.lengths)
        self._counters = _counters(self._places, numbers[offsets[0] : offsets[-1]])
        self._words = splitmix64(self._counters.copy())
        self._before = _running_sum(self._words)  # (C + 1,) of all numbers before each
        self.whole: Words = self._before[self._ends] - self._before[self._starts]

    def deletions(self) -> Words:
        """(C,) of the sequences with one number left out."""
        moved_up = _running_sum(splitmix64(self._counters - _PLACE))  # what follows moves up one place
        constant = moved_up[self._ends] - self._before[self._starts]
        edited: Words = self._before[:-1] - moved_up[1:] + np.repeat(constant, self.lengths)
        return edited

    def substitutions(self) -> Words:
        """(C,) of the sequences with BLANK for one number."""
        edited: Words = np.repeat(self.whole, self.lengths) - self._words + self._blanks()[self._places]
        return edited

    def insertions(self) -> Words:
        """(C + N,) of the sequences with BLANK inserted: L + 1 places in a sequence of L."""
        moved_back = _running_sum(splitmix64(self._counters + _PLACE))  # what follows moves back one place
        constant = moved_back[self._ends] - self._before[self._starts]
        gaps = self.lengths + 1
        numbers = np.arange(gaps.sum()) - np.repeat(np.arange(len(gaps)), gaps)  # that follow a gap
        places = numbers - np.repeat(self._starts, gaps)
        edited: Words = (
            (self._before - moved_back)[numbers] + self._blanks()[places] + np.repeat(constant, gaps)
        )
        return edited

    def _blanks(self) -> Words:
        """(longest + 1,) the word of BLANK at each place."""
        return splitmix64(_counters(np.arange(self.lengths.max(initial=0) + 1), BLANK))


def _counters(places: npt.NDArray[np.int64], numbers: Integers | np.uint64) -> Words:
    counters: Words = (places.astype(np.uint64) + np.uint64(1)) * _PLACE + numbers.astype(np.uint64)
    return counters


def _running_sum(words: Words) -> Words:
    """(C + 1,) the sum of all words before each, and of all."""
    sums = np.zeros(len(words) + 1, np.uint64)
    np.cumsum(words, out=sums[1:])
    return sums
