"""Shared batches: a prefix that names of a batch have in common is one row of a trie.

A batch has one trie, or one for each style that its names have: the token that they read first is a part of
the prefix.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.batching.batch import Batch, Branches, ChainRun, Indices, Step, Targets
from rnn_core.batching.groups import BatchGroup, exclusive_cumsum
from rnn_core.batching.ordering import downcast
from rnn_core.text.vocabulary import END_TOKEN


class _Tries(NamedTuple):
    """The rows of the tries of K batches: batch by batch, step by step, those with the longest names first.

    names:         (N,) in [0, M), the first name that goes through a row.
    steps:         (N,) in [0, T).
    segments:      (N,) in [0, K T), ascending: the step of the batch.
    begins:        (K T + 1,) where each of these begins.
    parents:       (N,) the parent of a row; for those of the first step anything.
    has_children:  (N,)
    row_counts:    (N,) how many names go through a row.
    endings:       (D,) in [0, M), the distinct names of a batch, of equal ones the first.
    last:          (D,) their last rows.
    duplicates:    (D,) how many names are equal to each, itself included.
    """

    names: Indices
    steps: Indices
    segments: Indices
    begins: Indices
    parents: Indices
    has_children: npt.NDArray[np.bool_]
    row_counts: npt.NDArray[np.float32]
    endings: Indices
    last: Indices
    duplicates: npt.NDArray[np.float32]

    @classmethod
    def build(cls, tokens: Indices, group: BatchGroup) -> "_Tries":
        names, longest = len(group.rows), group.longest
        common = _common_prefix_rows(tokens, group)
        # Step by step and name by name, (T, M), a row is a run that begins at the first name through it.
        time = np.arange(longest)[:, np.newaxis]
        is_inside = time < group.rows
        is_new = is_inside & (time >= common)
        run = np.cumsum(is_new) - 1
        place = np.flatnonzero(is_new)
        reach = np.maximum.reduceat(np.tile(group.rows, longest), place)  # the rows of the longest of a run
        inside = np.cumsum(is_inside)
        row_counts = np.diff(inside[place], append=inside[-1] + 1)

        step, name = np.divmod(place, names)
        segment = group.batch[name] * longest + step
        order = np.argsort(downcast(segment * (longest + 1) - reach), kind="stable")
        row_of_run = np.empty_like(order)
        row_of_run[order] = np.arange(len(order))
        place, step, segment = place[order], step[order], segment[order]
        endings = np.flatnonzero(common < group.rows)
        return cls(
            names=name[order],
            steps=step,
            segments=segment,
            begins=np.searchsorted(segment, np.arange(len(group.sizes) * longest + 1)),
            parents=row_of_run[run[place - names]],
            has_children=reach[order] > step + 1,
            row_counts=row_counts[order].astype(np.float32),
            endings=endings,
            last=row_of_run[run[(group.rows[endings] - 1) * names + endings]],
            duplicates=np.diff(endings, append=names).astype(np.float32),
        )


def shared_batches(tokens: Indices, group: BatchGroup) -> Iterator[Batch]:
    """The shared batches of a group, in each of which the names come in alphabetical order."""
    tries = _Tries.build(tokens, group)
    first_row = tries.begins[: -1 : group.longest]
    origin = first_row[group.batch[tries.names]]  # rows are counted within their batch
    read = tokens[group.starts[tries.names] + tries.steps]
    # The targets of a row are the tokens of its children, and the end token where names end.
    parents, last = tries.parents - origin, tries.last - first_row[group.batch[tries.endings]]
    ends = np.full(len(last), END_TOKEN)
    parent_rows = np.flatnonzero(tries.has_children)
    parent_rows -= origin[parent_rows]
    totals = np.add.reduceat(group.rows, exclusive_cumsum(group.sizes)[:-1]).tolist()
    bounds = itertools.pairwise(exclusive_cumsum(np.bincount(group.batch[tries.endings])).tolist())
    for walk, total, (begin, end) in zip(_walks(tries, origin, group.longest), totals, bounds, strict=True):
        rows, ending = walk.rows, slice(begin, end)
        later = slice(rows.start + walk.steps[0].rows.stop, rows.stop)  # all but the roots
        yield Batch(
            tokens=read[rows],
            targets=Targets(
                rows=np.concatenate([parents[later], last[ending]]),
                tokens=np.concatenate([read[later], ends[ending]]),
                counts=np.concatenate([tries.row_counts[later], tries.duplicates[ending]]),
                row_counts=tries.row_counts[rows],
                total=total,
            ),
            steps=tuple(walk.steps),
            parent_rows=parent_rows[walk.parent_span],
            largest_step=max(step.rows.stop - step.rows.start for step in walk.steps),
            chain_runs=tuple(walk.chain_runs),
        )


class _Walk(NamedTuple):
    """The way through one of several tries: its rows, its parents among all, and the steps."""

    rows: slice
    parent_span: slice
    steps: list[Step]
    chain_runs: list[ChainRun]


def _walks(tries: _Tries, origin: Indices, longest: int) -> Iterator[_Walk]:
    _, steps, segments, begins, parents, has_children, *_ = tries
    later = np.flatnonzero(steps)
    first_child = np.empty_like(parents)
    first_child[parents[later[::-1]]] = later[::-1]  # of the children of one row the first is written last
    is_fork = np.zeros(len(parents), dtype=bool)
    is_fork[parents[later[first_child[parents[later]] != later]]] = True
    is_child = is_fork[parents]
    is_child[steps == 0] = False
    masks = has_children, is_fork, is_child
    parent_rows, forks, children = (np.flatnonzero(mask) for mask in masks)
    parents_at, forks_at, children_at = (exclusive_cumsum(mask)[begins] for mask in masks)
    segment = segments[children]
    fork_of_child = exclusive_cumsum(is_fork)[parents[children]] - forks_at[segment - 1]
    ones = fork_of_child * np.diff(children_at)[segment] + np.arange(len(children)) - children_at[segment]
    # Parents and forks are counted within their step, other rows within their batch.
    parents, forks = parents - begins[segments - 1], forks - begins[segments[forks]]
    first_child, children = (first_child - origin)[parent_rows], children - origin[children]

    def walk(bounds: list[list[int]]) -> _Walk:
        """bounds:  where the rows, the parents, the forks and the children of each step begin."""
        (first_row, first_parent, *_), (last_row, last_parent, *_) = bounds[0], bounds[-1]
        roots = slice(0, bounds[1][0] - first_row)
        walk_steps, chain_runs = [Step(roots, None, None)], list[ChainRun]()
        for before, here, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
            rows, span = slice(here[0], after[0]), slice(before[1], here[1])
            if rows.start == rows.stop:
                break
            previous = before[0] - first_row
            width = span.stop - span.start
            local_rows = slice(rows.start - first_row, rows.stop - first_row)
            local_span = slice(span.start - first_parent, span.stop - first_parent)
            branches = None
            if width < rows.stop - rows.start:
                family, step_forks = slice(here[3], after[3]), forks[before[2] : here[2]]
                branches = Branches(
                    local_span, parents[rows], first_child[span], step_forks, children[family], ones[family]
                )
            elif walk_steps[-1].previous is None or walk_steps[-1].branches:
                chain_runs.append(ChainRun(local_span, local_rows))
            else:
                run = chain_runs[-1]
                chain_runs[-1] = ChainRun(
                    slice(run.parent_span.start, local_span.stop), slice(run.rows.start, local_rows.stop)
                )
            walk_steps.append(Step(local_rows, slice(previous, previous + width), branches))
        return _Walk(slice(first_row, last_row), slice(first_parent, last_parent), walk_steps, chain_runs)

    bounds = np.stack([begins, parents_at, forks_at, children_at], axis=1).tolist()
    for number in range(0, len(bounds) - 1, longest):
        yield walk(bounds[number : number + longest + 1])


def _common_prefix_rows(tokens: Indices, group: BatchGroup) -> Indices:
    """(M,) how many rows of each name are those of the name before it in its batch."""
    begins = exclusive_cumsum(group.rows)
    place = np.arange(begins[-1])
    read = tokens[place + np.repeat(group.starts - begins[:-1], group.rows)]
    # What lies beyond the end of a shorter name does not matter: its end token differs already.
    place += np.repeat(np.roll(group.starts, 1) - begins[:-1], group.rows)
    differs = read != tokens.take(place, mode="clip")
    differs[begins[exclusive_cumsum(group.sizes)[:-1]]] = True
    places = np.append(np.flatnonzero(differs), begins[-1])
    first_difference = places[np.searchsorted(places, begins[:-1])]
    return np.minimum(first_difference - begins[:-1], group.rows)
