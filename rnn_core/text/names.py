"""Encoded names in two flat arrays, laid out as an Arrow list column."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats
from rnn_core.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class EncodedNames:
    """N names of C characters in total, as tokens without the end token.

    tokens:   (C,) int32, vocabulary indices from 1; name after name.
    offsets:  (N + 1,) int64; name i is tokens[offsets[i]:offsets[i + 1]].
    weights:  (N,) float64, how much each counts, relative to the others; None if all count alike.
    starts:   (N,) int32, what a network reads before the first character: V + s for a name of style s, with
              a vocabulary of V; None if names have no styles, where it is the end token.
    """

    tokens: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64] | None = None
    starts: npt.NDArray[np.int32] | None = None

    @classmethod
    def from_lists(cls, names: Iterable[Iterable[int]]) -> "EncodedNames":
        """The names given as lists of tokens."""
        lists = [list(name) for name in names]
        lengths = np.array([len(name) for name in lists], dtype=np.int64)
        tokens = np.array([token for name in lists for token in name], dtype=np.int32)
        return cls(tokens, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def count(self) -> int:
        """N, the number of names."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(N,) characters of each name."""
        return np.diff(self.offsets)

    def with_weights(self, weights: Floats) -> "EncodedNames":
        """The same names with weights: w counts as w / mean(w) names; without weights if all are equal.

        Raises DataError unless each is a finite number above 0.
        """
        invalid = weights[~((weights > 0) & (weights < np.inf))]
        if len(invalid):
            raise DataError(
                "names.weight",
                "the weight of a name must be a finite number above 0",
                saw=f"{invalid[0]} and {len(invalid) - 1:,} others of {self.count:,}",
                fix="give every name a weight, or remove the names that should not count.",
            )
        if not len(weights) or weights.min() == weights.max():
            return replace(self, weights=None)
        relative = weights / weights.max()  # so that no sum is infinite
        return replace(self, weights=relative / relative.mean())

    def with_styles(self, styles: npt.NDArray[np.integer] | int, vocabulary_size: int) -> "EncodedNames":
        """The same names, each of its style, (N,), or all of one; styles are numbers from 0."""
        starts = np.broadcast_to(np.asarray(styles, np.int32) + np.int32(vocabulary_size), self.count)
        return replace(self, starts=np.ascontiguousarray(starts))

    def without_styles(self) -> "EncodedNames":
        """The same names, whatever their styles."""
        return replace(self, starts=None)

    def take(self, rows: npt.NDArray[np.integer]) -> "EncodedNames":
        """The names at `rows`, in that order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        weights = None if self.weights is None else self.weights[rows]
        starts = None if self.starts is None else self.starts[rows]
        tokens = self.tokens[np.repeat(self.offsets[rows], lengths) + within]
        return EncodedNames(tokens, offsets, weights, starts)
