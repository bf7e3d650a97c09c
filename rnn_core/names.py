"""Many encoded names in two flat arrays, as Arrow lays out a list column."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class EncodedNames:
    """N names of C characters in all; the end token is not among them.

    tokens:   (C,) int32, vocabulary indices from 1; name after name.
    offsets:  (N + 1,) int64; name i is tokens[offsets[i]:offsets[i + 1]].
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def from_lists(cls, names: Iterable[Iterable[int]]) -> "EncodedNames":
        lists = [list(name) for name in names]
        lengths = np.array([len(name) for name in lists], dtype=np.int64)
        tokens = np.array([token for name in lists for token in name], dtype=np.int32)
        return cls(tokens, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def count(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.offsets)

    def take(self, rows: npt.NDArray[np.integer]) -> "EncodedNames":
        """The names at `rows`, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return EncodedNames(self.tokens[np.repeat(self.offsets[rows], lengths) + within], offsets)
