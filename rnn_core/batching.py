"""Names laid out for one pass through the network.

A name of L characters is L + 1 rows: the end token is read first and the first character is wanted, and in
the end the last character is read and the end token is wanted. No padded character is ever computed. There
are two kinds of batches, and the cells walk through both in the same way:

Packed: the rows of all names, time step by time step, longest name first. The names that still run at a
step are the first of those that ran at the step before. All read the end token from the same state, so that
is one row, which wants the first character of every name.

    names "anna", "bo":   read   $ | a b | n o | n | a        wanted   a, b | n o | n $ | a | $

Shared: a trie. Any prefix that several names have in common is one row, which counts for all of them and
wants all that follows. Loss and gradient are those of the packed batch, from fewer rows. Within a step the
rows that lead furthest come first: those that end come last.

    names "anna", "abo":  read   $ | a | n b | n o | a          wanted   2 × a | n, b | n o | a $ | $
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.names import EncodedNames
from rnn_core.vocabulary import END_TOKEN

Indices = npt.NDArray[np.int64]

# Batches are laid out several at a time, which takes a fraction of the time, in arrays of up to so many names
# by time steps: more would not stay in the cache.
PLACES_AT_ONCE = 1 << 15


class Branches(NamedTuple):
    """Who follows whom from one step to the next where prefixes part: C rows follow P rows.

    reads:     where those P stand among all the rows that are followed, `Batch.followed`.
    parents:   (C,) in [0, P), the row that each row follows.
    first:     (P,) for every row that is followed, the first that follows it, as a row of the batch.
    forks:     (K,) in [0, P), the rows that more than one follows.
    children:  (E,) all that follow a fork, as rows of the batch.
    ones:      (E,) in [0, K E), where the flat (K, E) matrix of which fork each child follows is one.
    """

    reads: slice
    parents: Indices
    first: Indices
    forks: Indices
    children: Indices
    ones: Indices


class Step(NamedTuple):
    """One time step of a batch: C rows."""

    rows: slice
    previous: slice | None  # the P rows of the step before that they follow; None at the first step
    branches: Branches | None  # None: row by row, so C is P


class Run(NamedTuple):
    """Consecutive steps in which every row follows one of its own."""

    reads: slice  # what is followed, as a part of `Batch.followed`
    rows: slice  # what follows it


class Wanted(NamedTuple):
    """The characters that came next: E of them, each once for every row.

    rows:       (E,) the row that it comes after.
    tokens:     (E,) the character.
    counts:     (E,) how many names go on so.
    of_row:     (N,) how many names go through each row: the sum of its counts.
    total:      how many characters, end tokens included, are in the names one by one.
    """

    rows: Indices
    tokens: Indices
    counts: npt.NDArray[np.float32]
    of_row: npt.NDArray[np.float32]
    total: int


class Batch(NamedTuple):
    """B names in N rows, as the cells walk through them.

    tokens:    (N,) the characters read, time step by time step.
    wanted:    the characters that came next.
    steps:     the time steps, first to last.
    followed:  (R,) the rows that some row of the next step follows, in order.
    widest:    rows of the largest step.
    runs:      the steps without branches.
    """

    tokens: Indices
    wanted: Wanted
    steps: tuple[Step, ...]
    followed: Indices
    widest: int
    runs: tuple[Run, ...]

    @property
    def size(self) -> int:
        """N, the number of rows."""
        return len(self.tokens)

    @property
    def names(self) -> Indices:
        """(C,) in [0, B), the name that each character of a packed batch belongs to, step by step."""
        return np.concatenate([np.arange(width) for width in self._widths])

    @property
    def places(self) -> Indices:
        """(C,) in [0, E), which of `wanted` each character of a packed batch is, step by step."""
        count, second, *_ = *self._widths, 0
        beginnings = np.full(count, END_TOKEN, dtype=np.int64)  # of empty names
        beginnings[:second] = self.tokens[1 : 1 + second]
        letters = len(self.wanted.tokens) - (self.size - 1)
        place = np.searchsorted(self.wanted.tokens[:letters], beginnings)
        return np.concatenate([place, np.arange(letters, len(self.wanted.tokens))])

    @property
    def _widths(self) -> list[int]:
        """How many names run at each step."""
        later = [step.rows.stop - step.rows.start for step in self.steps[1:]]
        return [int(self.wanted.of_row[0]), *later]

    def spread(self, step: Step, values: Floats, workspace: Workspace) -> Floats:
        """To each row of a step what belongs to the row it follows.

        values:  (..., P, H), to (..., C, H), or to (..., 1, H) if all follow one.
        """
        if step.branches is None or values.shape[-2] == 1:
            return values
        parents = step.branches.parents
        spread = workspace.take("spread", *values.shape[:-2], len(parents), values.shape[-1])
        return values.take(parents, axis=-2, out=spread, mode="clip")

    def for_followed(self, d_rows: Floats, workspace: Workspace, name: str) -> Floats:
        """Where `collected` leaves its sums, (..., R, H)."""
        return workspace.take(name, *d_rows.shape[:-2], len(self.followed), d_rows.shape[-1])

    def collected(self, step: Step, d_rows: Floats, out: Floats, workspace: Workspace) -> Floats:
        """The way back of `spread`: sums over the rows of a step that follow the same row, (..., P, H).

        d_rows:  (..., N, H), of which the rows of the step are read.
        out:     from `for_followed`; sums of more than one row are put there.
        """
        d_step = d_rows[..., step.rows, :]
        if step.branches is None:
            return d_step
        sums = out[..., step.branches.reads, :]
        if sums.shape[-2] == 1:
            np.matmul(workspace.ones(d_step.shape[-2])[np.newaxis], d_step, out=sums)
        else:
            _sum_by_parent(step.branches, d_rows, sums, workspace)
        return sums

    def completed(self, d_rows: Floats, out: Floats) -> Floats:
        """`out` with all sums: those that `collected` left there, and those of a single row."""
        for run in self.runs:
            out[..., run.reads, :] = d_rows[..., run.rows, :]
        return out


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

    def packed(self, batches: Iterable[Integers]) -> Iterator[Batch]:
        """A packed batch of each choice of names, which have to come longest first."""
        for group in self._groups(batches):
            yield from _packed(self.tokens, group)

    def shared(self, batches: Iterable[Integers]) -> Iterator[Batch]:
        """A shared batch of each choice of names, which have to come in alphabetical order."""
        for group in self._groups(batches):
            yield from _shared(self.tokens, group)

    def _groups(self, batches: Iterable[Integers]) -> Iterator["_Group"]:
        longest = int(self.rows.max(initial=1))
        waiting: list[Integers] = []
        names = 0
        for chosen in batches:
            if waiting and (names + len(chosen)) * longest > PLACES_AT_ONCE:
                yield _Group.of(self, waiting)
                waiting, names = [], 0
            waiting.append(chosen)
            names += len(chosen)
        if waiting:
            yield _Group.of(self, waiting)


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


class _Group(NamedTuple):
    """M names of K batches, batch after batch, to be laid out together in at most T steps."""

    sizes: Indices  # (K,) names of each batch
    batch: Indices  # (M,) in [0, K)
    rows: Indices  # (M,)
    starts: Indices  # (M,)
    longest: int  # T

    @classmethod
    def of(cls, stream: Stream, batches: Sequence[Integers]) -> "_Group":
        sizes = np.array([len(chosen) for chosen in batches])
        chosen = np.concatenate(batches)
        rows = stream.rows[chosen]
        batch = np.repeat(np.arange(len(sizes)), sizes)
        return cls(sizes, batch, rows, stream.starts[chosen], int(rows.max()))


def _packed(tokens: Indices, group: _Group) -> Iterator[Batch]:
    """In each batch the names come longest first."""
    shape = count, longest = len(group.sizes), group.longest
    ended = np.bincount(group.batch * longest + group.rows - 1, minlength=math.prod(shape))
    widths = np.ones(shape, dtype=np.int64)  # the rows of each step of each batch; all names share the first
    widths[:, 1:] = group.sizes[:, np.newaxis] - np.cumsum(ended.reshape(shape)[:, :-1], axis=1)
    begins = _sums_before(widths)[:-1].reshape(shape)
    first_row, first_name = begins[:, :1], _sums_before(group.sizes)[:-1, np.newaxis]
    width_before = np.roll(widths, 1, axis=1)
    width_before[:, 1:2] = widths[:, 1:2]  # leads from the last row of the second step to the first of all

    def of_rows(of_steps: Indices) -> Indices:
        """(K, T) to (N,)."""
        return np.repeat(of_steps.ravel(), widths.ravel())

    row = np.arange(widths.sum())
    place = group.starts[row + of_rows(first_name - begins)]
    place += of_rows(np.broadcast_to(np.arange(longest), shape))
    row_before = row - of_rows(first_row + width_before)
    read, wanted = tokens[place], tokens[place + 1]
    once = np.ones(len(row), np.float32)
    through = once.copy()
    through[first_row] = group.sizes[:, np.newaxis]

    # The first row wants the beginnings of all names: the distinct ones, with how often they come.
    beginnings = tokens[group.starts + 1]
    vocabulary_size = int(beginnings.max()) + 1
    of_letters = np.bincount(group.batch * vocabulary_size + beginnings, minlength=count * vocabulary_size)
    times = of_letters.reshape(count, vocabulary_size).astype(np.float32)

    zeros = np.zeros(max(vocabulary_size, *group.sizes), dtype=np.int64)
    bounds = itertools.pairwise([*first_row.ravel().tolist(), len(row)])
    for number, ((begin, end), of_steps) in enumerate(zip(bounds, widths.tolist(), strict=True)):
        letters = times[number].nonzero()[0]
        later, second = slice(begin + 1, end), sum(of_steps[1:2])
        if second > 1:
            every = row[1 : 1 + second]
            branches = Branches(slice(0, 1), zeros[:second], row[1:2], row[:1], every, row[:second])
            run = Run(slice(1, None), slice(1 + second, None))
        else:
            branches, run = None, Run(slice(0, None), slice(1, None))
        yield Batch(
            tokens=read[begin:end],
            wanted=Wanted(
                rows=np.concatenate([zeros[: len(letters)], row[1 : end - begin]]),
                tokens=np.concatenate([letters, wanted[later]]),
                counts=np.concatenate([times[number, letters], once[later]]),
                of_row=through[begin:end],
                total=end - begin - 1 + int(group.sizes[number]),
            ),
            steps=tuple(_packed_steps(of_steps, branches)),
            followed=row_before[begin + max(1, second) : end],
            widest=max(1, second),
            runs=(run,),
        )


def _packed_steps(widths: list[int], branches: Branches | None) -> Iterator[Step]:
    """branches:  from the first step to the second."""
    yield Step(slice(0, 1), None, None)
    begin, end = 0, 1
    for before, width in itertools.pairwise(widths):
        if not width:
            return
        yield Step(slice(end, end + width), slice(begin, begin + min(before, width)), branches)
        begin, end, branches = end, end + width, None


class _Tries(NamedTuple):
    """The rows of the tries of K batches: batch by batch, step by step, those that lead furthest first.

    names:        (N,) in [0, M), the first name that goes through a row.
    steps:        (N,) in [0, T).
    segments:     (N,) in [0, K T), rising: the step of the batch.
    begins:       (K T + 1,) where each of these begins.
    parents:      (N,) the row that a row follows; for those of the first step anything.
    is_followed:  (N,)
    through:      (N,) how many names go through a row.
    endings:      (D,) in [0, M), the names, of equal ones in a batch the first.
    last:         (D,) their last rows.
    alike:        (D,) how many are equal to each.
    """

    names: Indices
    steps: Indices
    segments: Indices
    begins: Indices
    parents: Indices
    is_followed: npt.NDArray[np.bool_]
    through: npt.NDArray[np.float32]
    endings: Indices
    last: Indices
    alike: npt.NDArray[np.float32]

    @classmethod
    def of(cls, tokens: Indices, group: _Group) -> "_Tries":
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
        order = np.argsort(small(segment * (longest + 1) - reach), kind="stable")
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
            is_followed=reach[order] > step + 1,
            through=through[order].astype(np.float32),
            endings=endings,
            last=row_of_run[run[(group.rows[endings] - 1) * names + endings]],
            alike=np.diff(endings, append=names).astype(np.float32),
        )


def _shared(tokens: Indices, group: _Group) -> Iterator[Batch]:
    """In each batch the names come in alphabetical order."""
    tries = _Tries.of(tokens, group)
    first_row = tries.begins[: -1 : group.longest]
    origin = first_row[group.batch[tries.names]]  # rows are counted within their batch
    read = tokens[group.starts[tries.names] + tries.steps]
    # What is wanted after a row are the rows that follow it, and the end token where names end.
    parents, last = tries.parents - origin, tries.last - first_row[group.batch[tries.endings]]
    ends = np.full(len(last), END_TOKEN)
    followed = np.flatnonzero(tries.is_followed)
    followed -= origin[followed]
    totals = np.add.reduceat(group.rows, _sums_before(group.sizes)[:-1]).tolist()
    bounds = itertools.pairwise(_sums_before(np.bincount(group.batch[tries.endings])).tolist())
    for walk, total, (begin, end) in zip(_walks(tries, origin, group.longest), totals, bounds, strict=True):
        rows, later, ending = walk.rows, slice(walk.rows.start + 1, walk.rows.stop), slice(begin, end)
        yield Batch(
            tokens=read[rows],
            wanted=Wanted(
                rows=np.concatenate([parents[later], last[ending]]),
                tokens=np.concatenate([read[later], ends[ending]]),
                counts=np.concatenate([tries.through[later], tries.alike[ending]]),
                of_row=tries.through[rows],
                total=total,
            ),
            steps=tuple(walk.steps),
            followed=followed[walk.reads],
            widest=max(step.rows.stop - step.rows.start for step in walk.steps),
            runs=tuple(walk.runs),
        )


class _Walk(NamedTuple):
    """The way through one of several tries: its rows, those of them that are followed, and how."""

    rows: slice
    reads: slice
    steps: list[Step]
    runs: list[Run]


def _walks(tries: _Tries, origin: Indices, longest: int) -> Iterator[_Walk]:
    _, steps, segments, begins, parents, is_followed, *_ = tries
    later = np.flatnonzero(steps)
    first = np.empty_like(parents)
    first[parents[later[::-1]]] = later[::-1]  # of those that follow one row the first is written last
    is_fork = np.zeros(len(parents), dtype=bool)
    is_fork[parents[later[first[parents[later]] != later]]] = True
    is_child = is_fork[parents]
    is_child[begins[:-1:longest]] = False
    masks = is_followed, is_fork, is_child
    followed, forks, children = (np.flatnonzero(mask) for mask in masks)
    reads_at, forks_at, children_at = (_sums_before(mask)[begins] for mask in masks)
    segment = segments[children]
    fork_of_child = _sums_before(is_fork)[parents[children]] - forks_at[segment - 1]
    ones = fork_of_child * np.diff(children_at)[segment] + np.arange(len(children)) - children_at[segment]
    # Rows that are followed are counted within their step, others within their batch.
    parents, forks = parents - begins[segments - 1], forks - begins[segments[forks]]
    first, children = (first - origin)[followed], children - origin[children]

    def walk(bounds: list[list[int]]) -> _Walk:
        """bounds:  where the rows of each step begin, those that are followed, the forks and the children."""
        (first_row, first_read, *_), (last_row, last_read, *_) = bounds[0], bounds[-1]
        found, runs = [Step(slice(0, 1), None, None)], list[Run]()
        for before, here, after in zip(bounds, bounds[1:], bounds[2:], strict=False):
            rows, reads = slice(here[0], after[0]), slice(before[1], here[1])
            if rows.start == rows.stop:
                break
            previous = before[0] - first_row
            width = reads.stop - reads.start
            local_rows = slice(rows.start - first_row, rows.stop - first_row)
            local_reads = slice(reads.start - first_read, reads.stop - first_read)
            branches = None
            if width < rows.stop - rows.start:
                family = slice(here[3], after[3])
                some = forks[before[2] : here[2]]
                branches = Branches(
                    local_reads, parents[rows], first[reads], some, children[family], ones[family]
                )
            elif found[-1].previous is None or found[-1].branches:
                runs.append(Run(local_reads, local_rows))
            else:
                run = runs[-1]
                runs[-1] = Run(
                    slice(run.reads.start, local_reads.stop), slice(run.rows.start, local_rows.stop)
                )
            found.append(Step(local_rows, slice(previous, previous + width), branches))
        return _Walk(slice(first_row, last_row), slice(first_read, last_read), found, runs)

    bounds = np.stack([begins, reads_at, forks_at, children_at], axis=1).tolist()
    for number in range(0, len(bounds) - 1, longest):
        yield walk(bounds[number : number + longest + 1])


def _in_common(tokens: Indices, group: _Group) -> Indices:
    """(M,) how many rows of each name are those of the name before it in its batch."""
    begins = _sums_before(group.rows)
    place = np.arange(begins[-1])
    read = tokens[place + np.repeat(group.starts - begins[:-1], group.rows)]
    # What lies beyond the end of a shorter name does not matter: its end token differs already.
    place += np.repeat(np.roll(group.starts, 1) - begins[:-1], group.rows)
    differs = read != tokens.take(place, mode="clip")
    differs[begins[_sums_before(group.sizes)[:-1]]] = True
    places = np.append(np.flatnonzero(differs), begins[-1])
    first_that_differs = places[np.searchsorted(places, begins[:-1])]
    return np.minimum(first_that_differs - begins[:-1], group.rows)


def _sums_before(values: npt.NDArray[Any]) -> Indices:
    """(n + 1,) for n values: the sum of all before each, and of all."""
    sums = np.zeros(values.size + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _sum_by_parent(branches: Branches, d_rows: Floats, out: Floats, workspace: Workspace) -> None:
    _, _, first, forks, children, ones = branches
    d_rows.take(first, axis=-2, out=out, mode="clip")
    # A product with ones: quicker than np.add.at and np.add.reduceat, which go element by element.
    follows = workspace.take("follows", len(forks), len(children))
    follows.fill(0.0)
    follows.reshape(-1)[ones] = 1.0
    d_children = workspace.take("spread", *out.shape[:-2], len(children), out.shape[-1])
    out[..., forks, :] = follows @ d_rows.take(children, axis=-2, out=d_children, mode="clip")
