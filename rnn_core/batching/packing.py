"""Packed batches: the rows of all names, time step by time step, longest name first."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from rnn_core.batching.batch import Batch, Branches, ChainRun, Indices, Step, Targets
from rnn_core.batching.groups import BatchGroup, exclusive_cumsum


def packed_batches(tokens: Indices, group: BatchGroup) -> Iterator[Batch]:
    """In each batch the names come longest first."""
    shape = count, longest = len(group.sizes), group.longest
    ended = np.bincount(group.batch * longest + group.rows - 1, minlength=math.prod(shape))
    widths = np.ones(shape, dtype=np.int64)  # the rows of each step of each batch; all names share the first
    widths[:, 1:] = group.sizes[:, np.newaxis] - np.cumsum(ended.reshape(shape)[:, :-1], axis=1)
    begins = exclusive_cumsum(widths)[:-1].reshape(shape)
    first_row, first_name = begins[:, :1], exclusive_cumsum(group.sizes)[:-1, np.newaxis]
    width_before = np.roll(widths, 1, axis=1)
    width_before[:, 1:2] = widths[:, 1:2]  # leads from the last row of the second step to the first of all

    def of_rows(of_steps: Indices) -> Indices:
        """(K, T) to (N,)."""
        return np.repeat(of_steps.ravel(), widths.ravel())

    row = np.arange(widths.sum())
    place = group.starts[row + of_rows(first_name - begins)]
    place += of_rows(np.broadcast_to(np.arange(longest), shape))
    row_before = row - of_rows(first_row + width_before)
    read, targets = tokens[place], tokens[place + 1]
    once = np.ones(len(row), np.float32)
    through = once.copy()
    through[first_row] = group.sizes[:, np.newaxis]

    # The first row wants the beginnings of all names: the distinct ones, with how often they come.
    beginnings = tokens[group.starts + 1]
    vocabulary_size = int(beginnings.max()) + 1
    codes, counts = np.unique(group.batch * vocabulary_size + beginnings, return_counts=True)
    letters, times = codes % vocabulary_size, counts.astype(np.float32)
    of_batches = itertools.pairwise(np.searchsorted(codes, np.arange(count + 1) * vocabulary_size).tolist())

    zeros = np.zeros(int(group.sizes.max()), dtype=np.int64)
    bounds = itertools.pairwise([*first_row.ravel().tolist(), len(row)])
    for (begin, end), some, of_steps, names in zip(
        bounds, of_batches, widths.tolist(), group.sizes.tolist(), strict=True
    ):
        beginning = slice(*some)
        later, second = slice(begin + 1, end), sum(of_steps[1:2])
        if second > 1:
            every = row[1 : 1 + second]
            branches = Branches(slice(0, 1), zeros[:second], row[1:2], row[:1], every, row[:second])
            run = ChainRun(slice(1, None), slice(1 + second, None))
        else:
            branches, run = None, ChainRun(slice(0, None), slice(1, None))
        yield Batch(
            tokens=read[begin:end],
            targets=Targets(
                rows=np.concatenate([zeros[: some[1] - some[0]], row[1 : end - begin]]),
                tokens=np.concatenate([letters[beginning], targets[later]]),
                counts=np.concatenate([times[beginning], once[later]]),
                row_counts=through[begin:end],
                total=end - begin - 1 + names,
            ),
            steps=tuple(_steps(of_steps, branches)),
            parent_rows=row_before[begin + max(1, second) : end],
            largest_step=max(1, second),
            runs=(run,),
        )


def _steps(widths: list[int], branches: Branches | None) -> Iterator[Step]:
    """branches:  from the first step to the second."""
    yield Step(slice(0, 1), None, None)
    begin, end = 0, 1
    for before, width in itertools.pairwise(widths):
        if not width:
            return
        yield Step(slice(end, end + width), slice(begin, begin + min(before, width)), branches)
        begin, end, branches = end, end + width, None
