"""Names laid out for one pass through the network.

A name of L characters is L + 1 rows: the end token is read first and the first character is wanted, and in
the end the last character is read and the end token is wanted. No padded character is ever computed. There
are two kinds of batches, and the cells walk through both in the same way:

Packed: the rows of all names, time step by time step, longest name first. The names that still run at a
step are the first of those that ran at the step before.

    names "anna", "bo":   read   $ $ | a b | n o | n | a        wanted   a b | n o | n $ | a | $

Shared: a trie. All names start from the same state, so a prefix that several names have in common is one
row, which counts for all of them and wants all that follows. Loss and gradient are those of the packed
batch, from fewer rows. Within a step the rows that lead furthest come first: those that end come last.

    names "anna", "abo":  read   $ | a | n b | n o | a          wanted   2 × a | n, b | n o | a $ | $
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.names import EncodedNames
from rnn_core.vocabulary import END_TOKEN

Indices = npt.NDArray[np.int64]


class Branches(NamedTuple):
    """Who follows whom from one step to the next where prefixes part: C rows follow P rows.

    parents:       (C,) in [0, P), the row that each row follows.
    first:         (P,) for every row that is followed, the first that follows it, as a row of the batch.
    others:        (E,) the C - P rows that are no one's first, as rows of the batch.
    forks:         (K,) in [0, P), the rows that more than one follows.
    fork_of_other: (E,) in [0, K), the fork from which each of `others` comes.
    """

    parents: Indices
    first: Indices
    others: Indices
    forks: Indices
    fork_of_other: Indices


class Step(NamedTuple):
    """One time step of a batch: C rows."""

    rows: slice
    previous: slice | None  # the P rows of the step before that they follow; None at the first step
    reads: slice  # where those stand among all the rows that are followed, `Batch.followed`
    branches: Branches | None  # None: row by row, so C is P


class Wanted(NamedTuple):
    """The characters that came next: E of them, each once for every row.

    rows:       (E,) the row that it comes after.
    tokens:     (E,) the character.
    counts:     (E,) float64, how many names go on so.
    of_row:     (N,) float64, how many names go through each row: the sum of its counts.
    total:      how many characters, end tokens included, are in the names one by one.
    """

    rows: Indices
    tokens: Indices
    counts: npt.NDArray[np.float64]
    of_row: npt.NDArray[np.float64]
    total: int


class Batch(NamedTuple):
    """B names in N rows, as the cells walk through them.

    tokens:    (N,) the characters read, time step by time step.
    wanted:    the characters that came next.
    steps:     the time steps, first to last.
    followed:  (R,) the rows that some row of the next step follows, in order.
    widest:    rows of the largest step.
    is_shared: whether rows may stand for several names.
    names:     (C,) in [0, B), the name that each character of the names one by one belongs to.
    places:    (C,) in [0, E), which of `wanted` it is.
    """

    tokens: Indices
    wanted: Wanted
    steps: tuple[Step, ...]
    followed: Indices
    widest: int
    is_shared: bool
    names: Indices
    places: Indices

    @property
    def size(self) -> int:
        """N, the number of rows."""
        return len(self.tokens)

    def spread(self, step: Step, values: Floats, workspace: Workspace) -> Floats:
        """To each row of a step what belongs to the row it follows: (..., P, H) to (..., C, H)."""
        if step.branches is None:
            return values
        parents = step.branches.parents
        spread = workspace.take("spread", *values.shape[:-2], len(parents), values.shape[-1])
        return np.take(values, parents, axis=-2, out=spread, mode="clip")

    def for_followed(self, d_rows: Floats, workspace: Workspace, name: str) -> Floats:
        """Where `collected` leaves its sums, (..., R, H). In a packed batch they are the rows themselves."""
        if not self.is_shared:
            return d_rows[..., self.steps[0].rows.stop :, :]
        return workspace.take(name, *d_rows.shape[:-2], len(self.followed), d_rows.shape[-1])

    def collected(self, step: Step, d_rows: Floats, out: Floats, workspace: Workspace) -> Floats:
        """The way back of `spread`: sums over the rows of a step that follow the same row, (..., P, H).

        d_rows:  (..., N, H), of which the rows of the step are read.
        out:     from `for_followed`; the sums are put there.
        """
        sums = out[..., step.reads, :]
        if not self.is_shared:
            return sums
        if step.branches is None:
            sums[...] = d_rows[..., step.rows, :]
            return sums
        planes = (d_rows, sums) if d_rows.ndim == 3 else ([d_rows], [sums])
        for d_plane, sums_of_plane in zip(*planes, strict=True):
            _sum_by_parent(step.branches, d_plane, sums_of_plane, workspace)
        return sums


class Stream(NamedTuple):
    """Names one after another with an end token before, between and after them.

    The end token that closes a name opens the next. So what name i reads is
    tokens[starts[i]:][:rows[i]], and what is wanted lies one further.

    tokens:  (C + N + 1,)
    starts:  (N,) the end token before name i.
    rows:    (N,) its length with the end token.
    """

    tokens: Indices
    starts: Indices
    rows: Indices

    @classmethod
    def of(cls, names: EncodedNames) -> "Stream":
        rows = names.lengths + 1
        starts = names.offsets[:-1] + np.arange(names.count)
        tokens = np.full(len(names.tokens) + names.count + 1, END_TOKEN, dtype=np.int64)
        is_character = np.ones(len(tokens), dtype=bool)
        is_character[starts] = is_character[-1] = False
        tokens[is_character] = names.tokens
        return cls(tokens, starts, rows)

    def packed(self, chosen: Integers) -> Batch:
        """The packed batch of the chosen names, which have to come longest first."""
        rows, starts = self.rows[chosen], self.starts[chosen]
        longest = int(rows[0])
        running = len(rows) - np.cumsum(np.bincount(rows, minlength=longest + 1))[:longest]
        ends = np.cumsum(running)
        begins = ends - running
        step = np.repeat(np.arange(longest), running)
        row = np.arange(ends[-1])
        name = row - begins[step]
        place = starts[name] + step
        later = slice(len(rows), None)
        once = np.ones(len(row))
        return Batch(
            tokens=self.tokens[place],
            wanted=Wanted(rows=row, tokens=self.tokens[place + 1], counts=once, of_row=once, total=len(row)),
            steps=tuple(_packed_steps(running.tolist())),
            followed=begins[step[later] - 1] + name[later],
            widest=len(rows),
            is_shared=False,
            names=name,
            places=row,
        )

    def shared(self, chosen: Integers) -> Batch:
        """The shared batch of the chosen names, which have to come in alphabetical order."""
        lengths, starts = self.rows[chosen], self.starts[chosen]
        longest, width = int(lengths.max()), len(lengths)
        time = np.arange(longest + 1)[:, np.newaxis]
        # What stands where in every name, (longest + 1, B); what lies beyond a name's end is never used.
        characters = self.tokens.take(starts + time, mode="clip")
        # Where a prefix is not the one of the name before; once names differ, they differ to the end.
        is_new = np.ones(characters.shape, dtype=bool)
        np.not_equal(characters[:, 1:], characters[:, :-1], out=is_new[:, 1:])
        np.logical_or.accumulate(is_new, axis=0, out=is_new)
        inside = np.flatnonzero(time[:-1] < lengths)  # where a name has a character, step by step
        flat, begins = characters.ravel(), is_new.ravel()

        # A row is a run of characters: it begins at the first name that has the prefix.
        begins_row = begins[inside]
        first_of_run = np.flatnonzero(begins_row)
        place = inside[first_of_run]
        step = place // width
        reach = np.maximum.reduceat(np.tile(lengths, longest), place)  # rows of the longest name through it
        order = np.argsort(small(step * (longest + 1) - reach), kind="stable")
        row_of_run = np.empty_like(order)
        row_of_run[order] = np.arange(len(order))
        row_of_character = row_of_run[np.cumsum(begins_row) - 1]
        rows = np.empty(longest * width, dtype=np.int64)
        rows[inside] = row_of_character
        step, reach, place = step[order], reach[order], place[order]

        begins_wanted = begins[inside + width]  # one step further
        first_of_wanted = np.flatnonzero(begins_wanted)
        return Batch(
            tokens=flat[place],
            wanted=Wanted(
                rows=row_of_character[first_of_wanted],
                tokens=flat[inside[first_of_wanted] + width],
                counts=_run_lengths(first_of_wanted, len(inside)),
                of_row=_run_lengths(first_of_run, len(inside))[order],
                total=len(inside),
            ),
            steps=tuple(_shared_steps(step, reach, parents=rows[place[1:] - width])),
            followed=np.flatnonzero(reach > step + 1),
            widest=int(np.bincount(step).max()),
            is_shared=True,
            names=inside % width,
            places=np.cumsum(begins_wanted) - 1,
        )


def alphabetical_places(names: EncodedNames) -> Indices:
    """(N,) the place of each name when all are sorted by their tokens."""
    tokens = names.tokens.astype(">u4").tobytes()  # most significant byte first: bytes sort as tokens do
    bounds = (4 * names.offsets).tolist()
    words = [tokens[begin:end] for begin, end in itertools.pairwise(bounds)]
    places = np.empty(names.count, dtype=np.int64)
    places[sorted(range(names.count), key=words.__getitem__)] = np.arange(names.count)
    return places


def small(keys: Indices) -> Integers:
    """The same numbers in two bytes if they fit: these are sorted in time linear in their number."""
    limits = np.iinfo(np.int16)
    fits = keys.size and limits.min <= keys.min() and keys.max() <= limits.max
    return keys.astype(np.int16) if fits else keys


def ordered(keys: Integers, chosen: Integers) -> Integers:
    """The chosen names by rising key; equal ones keep their order."""
    return chosen[np.argsort(keys[chosen], kind="stable")]


def longest_first(rows: Integers, chosen: Integers) -> Integers:
    """The chosen names by falling length; equal ones keep their order."""
    return ordered(-rows, chosen)


def shuffled_batches(keys: Integers, batch_size: int, rng: np.random.Generator) -> list[Integers]:
    """Every name once, in random batches, each sorted by key.

    keys:  (N,) minus the lengths for packed batches, `alphabetical_places` for shared ones.
    """
    order = rng.permutation(len(keys))
    return [ordered(keys, order[start : start + batch_size]) for start in range(0, len(order), batch_size)]


def chunks_of_rows(rows: Integers, limit: int) -> Iterator[Integers]:
    """Every name once, longest first, in chunks of at most `limit` rows, or of one name that has more."""
    order = longest_first(rows, np.arange(len(rows)))
    start = 0
    while start < len(order):
        names = max(1, limit // int(rows[order[start]]))  # none is longer than the first
        yield order[start : start + names]
        start += names


def _packed_steps(running: list[int]) -> Iterator[Step]:
    yield Step(slice(0, running[0]), None, slice(0, 0), None)
    begin, before, end, read = 0, running[0], running[0], 0
    for count in running[1:]:
        previous = slice(begin, begin + count)
        rows = slice(end, end + count)
        yield Step(rows, previous, slice(read, read + count), None)
        begin, end, read = begin + before, end + count, read + count
        before = count


def _shared_steps(step: Indices, reach: Indices, parents: Indices) -> Iterator[Step]:
    """The steps of a trie.

    step:     (N,) rising.
    reach:    (N,) falling within a step.
    parents:  (N - 1,) the row that each row but the first, which is the only one of its step, follows.
    """
    is_followed = reach > step + 1
    place = np.cumsum(is_followed) - 1  # among the rows that are followed
    parents = place[parents]
    rows = np.arange(1, len(step))
    first = np.empty(int(place[-1]) + 1, dtype=np.int64)
    first[parents[::-1]] = rows[::-1]  # of those that follow one row the last to be written, the first, stays
    is_other = np.ones(len(step), dtype=bool)
    is_other[0] = False
    is_other[first] = False
    others = np.flatnonzero(is_other)
    is_fork = np.zeros(len(first), dtype=bool)
    is_fork[parents[others - 1]] = True
    forks = np.flatnonzero(is_fork)
    fork_of_other = (np.cumsum(is_fork) - 1)[parents[others - 1]]

    def bounds(steps: Indices) -> list[int]:
        """Where the part of each step begins, and the end."""
        counts = np.bincount(steps, minlength=int(step[-1]) + 1)
        return [0, *np.cumsum(counts).tolist()]

    of_rows, of_reads = bounds(step), bounds(step[is_followed])
    of_others, of_forks = bounds(step[others]), bounds(step[is_followed][forks])
    yield Step(slice(0, 1), None, slice(0, 0), None)
    for time in range(1, len(of_rows) - 1):
        begin, end = of_rows[time : time + 2]
        read = slice(*of_reads[time - 1 : time + 1])
        width = read.stop - read.start
        previous = slice(of_rows[time - 1], of_rows[time - 1] + width)
        branches = None
        if width < end - begin:
            some = slice(*of_others[time : time + 2])
            fork_begin, fork_end = of_forks[time - 1 : time + 1]
            branches = Branches(
                parents=parents[begin - 1 : end - 1] - read.start,
                first=first[read],
                others=others[some],
                forks=forks[fork_begin:fork_end] - read.start,
                fork_of_other=fork_of_other[some] - fork_begin,
            )
        yield Step(slice(begin, end), previous, read, branches)


def _run_lengths(begins: Indices, total: int) -> npt.NDArray[np.float64]:
    lengths = np.empty(len(begins))
    np.subtract(begins[1:], begins[:-1], out=lengths[:-1])
    lengths[-1] = total - begins[-1]
    return lengths


def _sum_by_parent(branches: Branches, d_rows: Floats, out: Floats, workspace: Workspace) -> None:
    _, first, others, forks, fork_of_other = branches
    np.take(d_rows, first, axis=0, out=out, mode="clip")
    # A product with ones: quicker than np.add.at and np.add.reduceat, which go element by element.
    ones = workspace.take("siblings", len(forks), len(others))
    ones[:] = 0.0
    ones[fork_of_other, np.arange(len(others))] = 1.0
    rest = workspace.take("spread", len(others), d_rows.shape[1])
    out[forks] += ones @ np.take(d_rows, others, axis=0, out=rest, mode="clip")
