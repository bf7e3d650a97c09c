"""Counter-based random numbers: each has a place, and is computed without those before it.

Each block of names has its own stream, in which number t of name i is element t * NAMES_PER_BLOCK + i:

    x = start + (t * NAMES_PER_BLOCK + i) * GAMMA      modulo 2^64
    x = (x ^ x >> 30) * A;   x = (x ^ x >> 27) * B;   x = x ^ x >> 31

which is SplitMix64. Philox, keyed by the seed and the number of the block, gives the start of a block's
stream. NumPy's own counter-based generator is as fast for whole rows of numbers, but names stand at different
places, and this computes just the numbers that are needed.

Source: G. L. Steele, D. Lea & C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA (2014);
J. K. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC (2011) for Philox.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers

NAMES_PER_BLOCK: Final = 65_536

Words = npt.NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ZERO, _30, _27, _31 = np.uint64(0), np.uint64(30), np.uint64(27), np.uint64(31)


class RandomStream:
    """The random numbers of a block of names.

    seed, block:  each from 0 to below 2^64.
    """

    def __init__(self, seed: int, block: int) -> None:
        key = np.array([seed, block], dtype=np.uint64)
        self._start = np.uint64(np.random.Philox(key=key).random_raw())

    def doubles(self, names: Integers, places: Integers | int) -> npt.NDArray[np.float64]:
        """(B,) one number for every name, multiples of 2^-52 in [0, 1).

        names:   (B,) in [0, NAMES_PER_BLOCK).
        places:  (B,), or one for all: which number of the name.
        """
        return (self._words(names, places) >> np.uint64(12)).astype(np.float64) * np.float64(2.0**-52)

    def singles(self, names: Integers, places: Integers | int) -> npt.NDArray[np.float32]:
        """(B,) the same numbers, rounded down to multiples of 2^-24."""
        return (self._words(names, places) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)

    def _words(self, names: Integers, places: Integers | int) -> Words:
        return splitmix64(np.asarray(places * NAMES_PER_BLOCK + names).astype(np.uint64), self._start)


def splitmix64(counters: Words, start: np.uint64 = _ZERO) -> Words:
    """The SplitMix64 numbers at these places of a stream, in the memory of `counters`."""
    x = counters
    x *= _GAMMA
    x += start
    x ^= x >> _30
    x *= _A
    x ^= x >> _27
    x *= _B
    x ^= x >> _31
    return x
