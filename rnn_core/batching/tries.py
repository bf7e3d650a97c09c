"""Shared batches: a prefix that names of a batch have in common is one row of a trie."""

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
    """The rows of the tries of K batches: batch by batch, step by step, those that lead furthest first.

    names:        (N,) in [0, M), the first name that goes through a row.
    steps:        (N,) in [0, T).
    segments:     (N,) in [0, K T), rising: the step of the batch.
    begins:       (K T + 1,) where each of these begins.
    parents:      (N,) the row that a row follows; for those of the first step anything.
    has_children:  (N,)
    through:      (N,) how many names go through a row.
    endings:      (D,) in [0, M), the names, of equal ones in a batch the first.
    last:         (D,) their last rows.
    duplicates:        (D,) how many are equal to each.
    """

    names: Indices
    steps: Indices
    segments: Indices
    begins: Indices
    parents: Indices
    has_children: npt.NDArray[np.bool_]
    through: npt.NDArray[np.float32]
    endings: Indices
    last: Indices
    duplicates: npt.NDArray[np.float32]

    @classmethod
    def build(cls, tokens: Indices, group: BatchGroup) -> "_Tries":
        names, longest = len(group.rows), group.longest
        in_common = _in_common(tokens, group)
        # Step by step and name by name, (T, M), a row is a run that begins at the first name through it.
        time = np.arange(longest)[:, np.newaxis]
        is_inside = time < group.rows
        is_new = is_inside & (time >= in_common)
        run = np.cumsum(is_new) - 1
        place = np.flatnonzero(is_new)
        reach = np.maximum.reduceat(np.tile(group.rows, longest), place)  # the end of the longest of a run
        inside = np.cumsum(is_inside)
        through = np.diff(inside[place], append=inside[-1] + 1)

        step, name = np.divmod(place, names)
        segment = group.batch[name] * longest + step
        order = np.argsort(downcast(segment * (longest + 1) - reach), kind="stable")
        row_of_run = np.empty_like(order)
        row_of_run[order] = np.arange(len(order))
        place, step, segment = place[order], step[order], segment[order]
        endings = np.flatnonzero(in_common < group.rows)
        return cls(
            names=name[order],
            steps=step,
            segments=segment,
            begins=np.searchsorted(segment, np.arange(len(group.sizes) * longest + 1)),
            parents=row_of_run[run[place - names]],
            has_children=reach[order] > step + 1,
            through=through[order].astype(np.float32),
            endings=endings,
            last=row_of_run[run[(group.rows[endings] - 1) * names + endings]],
            duplicates=np.diff(endings, append=names).astype(np.float32),
        )


def shared_batches(tokens: Indices, group: BatchGroup) -> Iterator[Batch]:
    """In each batch the names come in alphabetical order."""
    tries = _Tries.build(tokens, group)
    first_row = tries.begins[: -1 : group.longest]
    origin = first_row[group.batch[tries.names]]  # rows are counted within their batch
    read = tokens[group.starts[tries.names] + tries.steps]
    # What is targets after a row are the rows that follow it, and the end token where names end.
    parents, last = tries.parents - origin, tries.last - first_row[group.batch[tries.endings]]
    ends = np.full(len(last), END_TOKEN)
    followed = np.flatnonzero(tries.has_children)
    followed -= origin[followed]
    totals = np.add.reduceat(group.rows, exclusive_cumsum(group.sizes)[:-1]).tolist()
    bounds = itertools.pairwise(exclusive_cumsum(np.bincount(group.batch[tries.endings])).tolist())
    for walk, total, (begin, end) in zip(_walks(tries, origin, group.longest), totals, bounds, strict=True):
        rows, later, ending = walk.rows, slice(walk.rows.start + 1, walk.rows.stop), slice(begin, end)
        yield Batch(
            tokens=read[rows],
            targets=Targets(
                rows=np.concatenate([parents[later], last[ending]]),
                tokens=np.concatenate([read[later], ends[ending]]),
                counts=np.concatenate([tries.through[later], tries.duplicates[ending]]),
                row_counts=tries.through[rows],
                total=total,
            ),
            steps=tuple(walk.steps),
            parent_rows=followed[walk.parent_span],
            largest_step=max(step.rows.stop - step.rows.start for step in walk.steps),
            runs=tuple(walk.runs),
        )


class _Walk(NamedTuple):
    """The way through one of several tries: its rows, those of them that are followed, and how."""

    rows: slice
    parent_span: slice
    steps: list[Step]
    runs: list[ChainRun]


def _walks(tries: _Tries, origin: Indices, longest: int) -> Iterator[_Walk]:
    _, steps, segments, begins, parents, has_children, *_ = tries
    later = np.flatnonzero(steps)
    first = np.empty_like(parents)
    first[parents[later[::-1]]] = later[::-1]  # of those that follow one row the first is written last
    is_fork = np.zeros(len(parents), dtype=bool)
    is_fork[parents[later[first[parents[later]] != later]]] = True
    is_child = is_fork[parents]
    is_child[begins[:-1:longest]] = False
    masks = has_children, is_fork, is_child
    followed, forks, children = (np.flatnonzero(mask) for mask in masks)
    reads_at, forks_at, children_at = (exclusive_cumsum(mask)[begins] for mask in masks)
    segment = segments[children]
    fork_of_child = exclusive_cumsum(is_fork)[parents[children]] - forks_at[segment - 1]
    ones = fork_of_child * np.diff(children_at)[segment] + np.arange(len(children)) - children_at[segment]
    # Rows that are followed are counted within their step, others within their batch.
    parents, forks = parents - begins[segments - 1], forks - begins[segments[forks]]
    first, children = (first - origin)[followed], children - origin[children]

    def walk(bounds: list[list[int]]) -> _Walk:
        """bounds:  where the rows of each step begin, those that are followed, the forks and the children."""
        (first_row, first_read, *_), (last_row, last_read, *_) = bounds[0], bounds[-1]
        found, runs = [Step(slice(0, 1), None, None)], list[ChainRun]()
        for before, here, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
            rows, parent_span = slice(here[0], after[0]), slice(before[1], here[1])
            if rows.start == rows.stop:
                break
            previous = before[0] - first_row
            width = parent_span.stop - parent_span.start
            local_rows = slice(rows.start - first_row, rows.stop - first_row)
            local_reads = slice(parent_span.start - first_read, parent_span.stop - first_read)
            branches = None
            if width < rows.stop - rows.start:
                family = slice(here[3], after[3])
                some = forks[before[2] : here[2]]
                branches = Branches(
                    local_reads, parents[rows], first[parent_span], some, children[family], ones[family]
                )
            elif found[-1].previous is None or found[-1].branches:
                runs.append(ChainRun(local_reads, local_rows))
            else:
                run = runs[-1]
                runs[-1] = ChainRun(
                    slice(run.parent_span.start, local_reads.stop), slice(run.rows.start, local_rows.stop)
                )
            found.append(Step(local_rows, slice(previous, previous + width), branches))
        return _Walk(slice(first_row, last_row), slice(first_read, last_read), found, runs)

    bounds = np.stack([begins, reads_at, forks_at, children_at], axis=1).tolist()
    for number in range(0, len(bounds) - 1, longest):
        yield walk(bounds[number : number + longest + 1])


def _in_common(tokens: Indices, group: BatchGroup) -> Indices:
    """(M,) how many rows of each name are those of the name before it in its batch."""
    begins = exclusive_cumsum(group.rows)
    place = np.arange(begins[-1])
    read = tokens[place + np.repeat(group.starts - begins[:-1], group.rows)]
    # What lies beyond the end of a shorter name does not matter: its end token differs already.
    place += np.repeat(np.roll(group.starts, 1) - begins[:-1], group.rows)
    differs = read != tokens.take(place, mode="clip")
    differs[begins[exclusive_cumsum(group.sizes)[:-1]]] = True
    places = np.append(np.flatnonzero(differs), begins[-1])
    first_that_differs = places[np.searchsorted(places, begins[:-1])]
    return np.minimum(first_that_differs - begins[:-1], group.rows)
