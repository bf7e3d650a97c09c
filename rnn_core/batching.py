"""Names laid out for one pass through the network, so that no padded character is ever computed.

A name of L characters is L + 1 rows: the end token is read first and the first character is wanted, and in
the end the last character is read and the end token is wanted. A packed batch holds the rows of all its
names time step by time step, longest name first: the names that still run at a step are the first of those
that ran at the step before.

    names "anna", "bo":   read   $ $ | a b | n o | n | a        wanted   a b | n o | n $ | a | $
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.names import EncodedNames
from rnn_core.vocabulary import END_TOKEN

Indices = npt.NDArray[np.int64]


class Step(NamedTuple):
    """One time step of a batch."""

    rows: slice  # the names that still run
    previous: slice | None  # where they stood one step earlier; None at the first


class Batch(NamedTuple):
    """B names in N rows, as the cells walk through them.

    tokens:         (N,) the characters read, time step by time step, longest name first.
    targets:        (N,) the characters that came next.
    names:          (N,) in [0, B), the name that a row belongs to.
    steps:          the time steps, first to last.
    previous_rows:  (N - B,) for every row after the first step, the row of the same name one step earlier.
    """

    tokens: Indices
    targets: Indices
    names: Indices
    steps: tuple[Step, ...]
    previous_rows: Indices

    @property
    def width(self) -> int:
        """B: how many names, all of which run at the first step."""
        return len(self.tokens) - len(self.previous_rows)

    @property
    def size(self) -> int:
        """How many rows: characters with the end tokens."""
        return len(self.tokens)

    @property
    def later(self) -> slice:
        """The rows after the first step."""
        return slice(self.width, None)


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
        """The batch of the chosen names, which have to come longest first."""
        rows, starts = self.rows[chosen], self.starts[chosen]
        longest = int(rows[0])
        running = len(rows) - np.cumsum(np.bincount(rows, minlength=longest + 1))[:longest]
        ends = np.cumsum(running)
        begins = ends - running
        step = np.repeat(np.arange(longest), running)
        name = np.arange(ends[-1]) - begins[step]
        place = starts[name] + step
        later = slice(len(rows), None)
        return Batch(
            tokens=self.tokens[place],
            targets=self.tokens[place + 1],
            names=name,
            steps=tuple(_steps(running.tolist())),
            previous_rows=begins[step[later] - 1] + name[later],
        )


def longest_first(rows: Integers, chosen: Integers) -> Integers:
    """The chosen names by falling length; equal ones keep their order."""
    return chosen[np.argsort(-rows[chosen], kind="stable")]


def shuffled_batches(rows: Integers, batch_size: int, rng: np.random.Generator) -> list[Integers]:
    """Every name once, in random batches, each ready to be packed."""
    order = rng.permutation(len(rows))
    return [
        longest_first(rows, order[start : start + batch_size]) for start in range(0, len(order), batch_size)
    ]


def chunks_of_rows(rows: Integers, limit: int) -> Iterator[Integers]:
    """Every name once, longest first, in chunks of at most `limit` rows, or of one name that has more."""
    order = longest_first(rows, np.arange(len(rows)))
    start = 0
    while start < len(order):
        names = max(1, limit // int(rows[order[start]]))  # none is longer than the first
        yield order[start : start + names]
        start += names


def _steps(running: list[int]) -> Iterator[Step]:
    begin = 0
    previous = 0
    for time, count in enumerate(running):
        yield Step(slice(begin, begin + count), slice(previous, previous + count) if time else None)
        previous, begin = begin, begin + count
