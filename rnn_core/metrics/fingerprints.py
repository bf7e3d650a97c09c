"""Sequences of numbers as words of 64 bits, and those of all that one changed place would make of them.

    fingerprint(x) = sum over i of word(i, x_i)      modulo 2^64

where word(i, c), for a place i and a number c, is SplitMix64's of the counter (i + 1) * 2^32 + c. A sum can
be mended: to leave out x_k is to take the sum of what stands before it, and to add that of what follows, each
one place further to the front. So running sums over a list of sequences give all that one change leads to,
without making any of it.

There is no key and no chance in it: a fingerprint is the same for ever. Were the words independent random
numbers, any two different sequences, of whatever lengths, would have the same fingerprint with a probability
of 2^-64, since there is a place where one has a word that the other has not. So a sequence has a fingerprint
of one of n others with a probability of at most n * 2^-64, and among n there are two alike with at most
n^2 * 2^-65. Who looks for such a pair will find one: a fingerprint is no signature.

Sequences are given as Arrow gives them: sequence i of N is numbers[offsets[i]:offsets[i + 1]], C numbers in
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

BLANK: Final = np.uint64(0xFFFFFFFF)  # a number that no sequence has
AT_ONCE = 8_192  # sequences: what is made of as many names stays in the cache
_PLACE = np.uint64(1 << 32)  # in a counter, from one place to the next


def fingerprints(numbers: Integers, offsets: Integers) -> Words:
    """(N,) numbers: (C,). offsets: (N + 1,)."""
    return np.concatenate(
        [np.zeros(0, np.uint64), *(some.whole for some in iter_fingerprints(numbers, offsets))]
    )


def iter_fingerprints(numbers: Integers, offsets: Integers) -> Iterator["Fingerprints"]:
    """Those of AT_ONCE sequences at a time, in their order; nothing for none."""
    for start in range(0, len(offsets) - 1, AT_ONCE):
        yield Fingerprints(numbers, offsets[start : start + AT_ONCE + 1])


class Fingerprints:
    """Those of N sequences of C numbers, and of what one change makes of them.

    Those that are made of one sequence lie side by side, in the order of its places.

    numbers:  (C,) and those of other sequences, before and after.
    offsets:  (N + 1,)
    lengths:  (N,)
    whole:    (N,) of the sequences as they are.
    """

    def __init__(self, numbers: Integers, offsets: Integers) -> None:
        self.lengths: npt.NDArray[np.int64] = np.diff(offsets).astype(np.int64)
        self._starts, self._ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
        self._places = np.arange(offsets[-1] - offsets[0]) - np.repeat(self._starts, self.lengths)
        self._counters = _counters(self._places, numbers[offsets[0] : offsets[-1]])
        self._words = splitmix64(self._counters.copy())
        self._before = _running_sum(self._words)  # (C + 1,) of all numbers that stand before one
        self.whole: Words = self._before[self._ends] - self._before[self._starts]

    def deletions(self) -> Words:
        """(C,) a number is left out."""
        nearer = _running_sum(splitmix64(self._counters - _PLACE))  # what follows moves up one place
        unchanging = nearer[self._ends] - self._before[self._starts]
        made: Words = self._before[:-1] - nearer[1:] + np.repeat(unchanging, self.lengths)
        return made

    def substitutions(self) -> Words:
        """(C,) BLANK stands for a number."""
        made: Words = np.repeat(self.whole, self.lengths) - self._words + self._blanks()[self._places]
        return made

    def insertions(self) -> Words:
        """(C + N,) BLANK stands before a number, or after the last: L + 1 of them for a sequence of L."""
        farther = _running_sum(splitmix64(self._counters + _PLACE))  # what follows moves back one place
        unchanging = farther[self._ends] - self._before[self._starts]
        gaps = self.lengths + 1
        numbers = np.arange(gaps.sum()) - np.repeat(np.arange(len(gaps)), gaps)  # that follow a gap
        places = numbers - np.repeat(self._starts, gaps)
        made: Words = (self._before - farther)[numbers] + self._blanks()[places] + np.repeat(unchanging, gaps)
        return made

    def _blanks(self) -> Words:
        """(longest + 1,) the word of BLANK at every place."""
        return splitmix64(_counters(np.arange(self.lengths.max(initial=0) + 1), BLANK))


def _counters(places: npt.NDArray[np.int64], numbers: Integers | np.uint64) -> Words:
    counters: Words = (places.astype(np.uint64) + np.uint64(1)) * _PLACE + numbers.astype(np.uint64)
    return counters


def _running_sum(words: Words) -> Words:
    """(C + 1,) from 0 on."""
    sums = np.zeros(len(words) + 1, np.uint64)
    np.cumsum(words, out=sums[1:])
    return sums
