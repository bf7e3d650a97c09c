"""Several batches laid out together, which takes a fraction of the time."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.batching.batch import Indices


class BatchGroup(NamedTuple):
    """M names of K batches, batch after batch, laid out together in at most T steps."""

    sizes: Indices  # (K,) names of each batch
    batch: Indices  # (M,) in [0, K)
    rows: Indices  # (M,) of each name, its end token included, as in `BatchStream`
    starts: Indices  # (M,) where it begins in the stream
    longest: int  # T

    @classmethod
    def from_batches(
        cls, all_rows: Indices, all_starts: Indices, batches: Sequence[Integers]
    ) -> "BatchGroup":
        """The group of these batches, given as names of a stream with these rows and starts."""
        sizes = np.array([len(chosen) for chosen in batches])
        chosen = np.concatenate(batches)
        rows = all_rows[chosen]
        batch = np.repeat(np.arange(len(sizes)), sizes)
        return cls(sizes, batch, rows, all_starts[chosen], int(rows.max()))


def exclusive_cumsum(values: npt.NDArray[Any]) -> Indices:
    """(n + 1,) for n values: the sum of those before each, and of all."""
    sums = np.zeros(values.size + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
