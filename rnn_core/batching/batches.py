"""Names laid out in batches for one pass through the network.

A name of L characters is L + 1 rows: the first reads the end token and has the first character as its target,
the last reads the last character and has the end token as its target. No padded character is ever computed.
There are two kinds of batches, and the cells walk through both in the same way:

Packed: the rows of all names, time step by time step, longest name first. The names that are active at a step
are the first of those at the step before. All read the end token from the same state, so that is one row,
whose targets are the first characters of all names.

    names "anna", "bo":   read   $ | a b | n o | n | a        targets   a, b | n o | n $ | a | $

Shared: a trie. A prefix that several names have in common is one row, which counts for all of them and has
all their next characters as targets. Loss and gradient are those of the packed batch, from fewer rows. Within
a step the rows with the longest names come first, and those that end last.

    names "anna", "abo":  read   $ | a | n b | n o | a        targets   2 × a | n, b | n o | a $ | $

Names with styles read the start token of their style in place of that first end token. Then a packed batch
has a first row for each name, and a shared one for each style: a trie for each.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Integers
from rnn_core.batching import packing, tries
from rnn_core.batching.batch import Batch, Indices
from rnn_core.batching.groups import BatchGroup
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

# Names times time steps that are laid out at a time: more would not stay in the cache.
MAX_GROUP_CELLS = 1 << 15


class BatchStream(NamedTuple):
    """Names one after another with an end token before, between and after them.

    The end token that closes a name opens the next; but names with styles have each their start token before
    them. So name i reads tokens[starts[i]:][:rows[i]], and its targets are one further.

    tokens:      (C + N + 1,), or (C + 2 N,) with styles.
    starts:      (N,) what name i reads first.
    rows:        (N,) its length with the end token.
    has_styles:  whether names have start tokens.
    """

    tokens: Indices
    starts: Indices
    rows: Indices
    has_styles: bool = False

    @classmethod
    def from_names(cls, names: EncodedNames) -> "BatchStream":
        """The stream of these names, in their order."""
        rows = names.lengths + 1
        if names.starts is not None:
            return cls(*_with_start_tokens(names, names.starts, rows), has_styles=True)
        starts = names.offsets[:-1] + np.arange(names.count)
        tokens = np.full(len(names.tokens) + names.count + 1, END_TOKEN, dtype=np.int64)
        is_character = np.ones(len(tokens), dtype=bool)
        is_character[starts] = is_character[-1] = False
        tokens[is_character] = names.tokens
        return cls(tokens, starts, rows)

    def packed_batches(self, batches: Iterable[Integers]) -> Iterator[Batch]:
        """A packed batch of each selection of names, which must come longest first."""
        for group in self._groups(batches):
            yield from packing.packed_batches(self.tokens, group, self.has_styles)

    def shared_batches(self, batches: Iterable[Integers]) -> Iterator[Batch]:
        """A shared batch of each selection of names, which must come in alphabetical order."""
        for group in self._groups(batches):
            yield from tries.shared_batches(self.tokens, group)

    def _groups(self, batches: Iterable[Integers]) -> Iterator[BatchGroup]:
        longest = int(self.rows.max(initial=1))
        waiting: list[Integers] = []
        names = 0
        for chosen in batches:
            if waiting and (names + len(chosen)) * longest > MAX_GROUP_CELLS:
                yield BatchGroup.from_batches(self.rows, self.starts, waiting)
                waiting, names = [], 0
            waiting.append(chosen)
            names += len(chosen)
        if waiting:
            yield BatchGroup.from_batches(self.rows, self.starts, waiting)


def _with_start_tokens(
    names: EncodedNames, start_tokens: Integers, rows: Indices
) -> tuple[Indices, Indices, Indices]:
    """The tokens, starts and rows of a stream in which every name has its start token before it."""
    starts = names.offsets[:-1] + 2 * np.arange(names.count)
    tokens = np.full(len(names.tokens) + 2 * names.count, END_TOKEN, dtype=np.int64)
    is_character = np.ones(len(tokens), dtype=bool)
    is_character[starts] = is_character[starts + rows] = False
    tokens[is_character] = names.tokens
    tokens[starts] = start_tokens
    return tokens, starts, rows
