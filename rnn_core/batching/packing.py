"""Packed batches: the rows of all names, time step by time step, longest name first."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from rnn_core.batching.batch import Batch, Branches, ChainRun, Indices, Step, Targets
from rnn_core.batching.groups import BatchGroup, exclusive_cumsum


def packed_batches(tokens: Indices, group: BatchGroup, has_styles: bool = False) -> Iterator[Batch]:
    """The packed batches of a group, in each of which the names come longest first.

    has_styles:  names begin with start tokens, so each has a first row of its own.
    """
    if has_styles:
        yield from _batches_by_name(tokens, group)
        return
    shape = count, longest = len(group.sizes), group.longest
    widths = _active_names(group)  # the rows of each step of each batch
    widths[:, 0] = 1  # which all names share
    begins = exclusive_cumsum(widths)[:-1].reshape(shape)
    first_row, first_name = begins[:, :1], exclusive_cumsum(group.sizes)[:-1, np.newaxis]
    width_before = np.roll(widths, 1, axis=1)
    width_before[:, 1:2] = widths[:, 1:2]  # leads from the last row of the second step to the first of all

    def by_row(by_step: Indices) -> Indices:
        """(K, T) to (N,)."""
        return np.repeat(by_step.ravel(), widths.ravel())

    row = np.arange(widths.sum())
    place = group.starts[row + by_row(first_name - begins)]
    place += by_row(np.broadcast_to(np.arange(longest), shape))
    parent = row - by_row(first_row + width_before)
    read, targets = tokens[place], tokens[place + 1]
    once = np.ones(len(row), np.float32)
    row_counts = once.copy()
    row_counts[first_row] = group.sizes[:, np.newaxis]

    # The first row has all first characters as its targets: the distinct ones, with how often they come.
    first_characters = tokens[group.starts + 1]
    vocabulary_size = int(first_characters.max()) + 1
    codes, counts = np.unique(group.batch * vocabulary_size + first_characters, return_counts=True)
    distinct, times = codes % vocabulary_size, counts.astype(np.float32)
    distinct_bounds = itertools.pairwise(
        np.searchsorted(codes, np.arange(count + 1) * vocabulary_size).tolist()
    )

    zeros = np.zeros(int(group.sizes.max()), dtype=np.int64)
    bounds = itertools.pairwise([*first_row.ravel().tolist(), len(row)])
    for (begin, end), (low, high), step_widths, names in zip(
        bounds, distinct_bounds, widths.tolist(), group.sizes.tolist(), strict=True
    ):
        later, second = slice(begin + 1, end), sum(step_widths[1:2])
        if second > 1:
            children = row[1 : 1 + second]
            branches = Branches(slice(0, 1), zeros[:second], row[1:2], row[:1], children, row[:second])
            run = ChainRun(slice(1, None), slice(1 + second, None))
        else:
            branches, run = None, ChainRun(slice(0, None), slice(1, None))
        yield Batch(
            tokens=read[begin:end],
            targets=Targets(
                rows=np.concatenate([zeros[: high - low], row[1 : end - begin]]),
                tokens=np.concatenate([distinct[low:high], targets[later]]),
                counts=np.concatenate([times[low:high], once[later]]),
                row_counts=row_counts[begin:end],
                total=end - begin - 1 + names,
            ),
            steps=tuple(_steps(step_widths, branches)),
            parent_rows=parent[begin + max(1, second) : end],
            largest_step=max(1, second),
            chain_runs=(run,),
        )


def _batches_by_name(tokens: Indices, group: BatchGroup) -> Iterator[Batch]:
    """The packed batches of names with styles: every character that a name reads is a row."""
    widths = _active_names(group)
    begins = exclusive_cumsum(widths)[:-1].reshape(widths.shape)
    first_name = exclusive_cumsum(group.sizes)[:-1, np.newaxis]

    def by_row(by_step: Indices) -> Indices:
        """(K, T) to (N,)."""
        return np.repeat(by_step.ravel(), widths.ravel())

    row = np.arange(widths.sum())
    place = group.starts[row + by_row(first_name - begins)]
    place += by_row(np.broadcast_to(np.arange(group.longest), widths.shape))
    read, targets = tokens[place], tokens[place + 1]
    parent = row - by_row(begins[:, :1] + np.roll(widths, 1, axis=1))
    once = np.ones(len(row), np.float32)
    bounds = itertools.pairwise([*begins[:, 0].tolist(), len(row)])
    for (begin, end), step_widths, names in zip(bounds, widths.tolist(), group.sizes.tolist(), strict=True):
        yield Batch(
            tokens=read[begin:end],
            targets=Targets(
                row[: end - begin], targets[begin:end], once[begin:end], once[begin:end], end - begin
            ),
            steps=tuple(_steps(step_widths, None)),
            parent_rows=parent[begin + names : end],
            largest_step=names,
            chain_runs=(ChainRun(slice(0, None), slice(names, None)),),
        )


def _active_names(group: BatchGroup) -> Indices:
    """(K, T) how many names of each batch are active at each step."""
    shape = len(group.sizes), group.longest
    ended = np.bincount(group.batch * group.longest + group.rows - 1, minlength=math.prod(shape))
    active = np.repeat(group.sizes[:, np.newaxis], group.longest, axis=1)
    active[:, 1:] -= np.cumsum(ended.reshape(shape)[:, :-1], axis=1)
    return active


def _steps(widths: list[int], branches: Branches | None) -> Iterator[Step]:
    """branches:  from the first step to the second."""
    begin, end = 0, widths[0]
    yield Step(slice(begin, end), None, None)
    for before, width in itertools.pairwise(widths):
        if not width:
            return
        yield Step(slice(end, end + width), slice(begin, begin + min(before, width)), branches)
        begin, end, branches = end, end + width, None
