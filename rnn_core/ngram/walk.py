"""How n-gram models walk along names: contexts that each character advances, row by row of a batch."""

from typing import TypeAlias

from rnn_core.arrays import Integers
from rnn_core.batching.batch import Batch
from rnn_core.ngram.levels import Indices

ContextIds: TypeAlias = tuple[Indices, ...]
"""What a model knows of what comes before, in vectors with an element for each name."""


class ContextWalk:
    """Base of n-gram models: one that can advance contexts can walk through a batch."""

    __slots__ = ()

    def initial_state(self, count: int) -> ContextIds:
        """The contexts before the first character, (count,) each."""
        raise NotImplementedError

    def advance(self, tokens: Integers, contexts: ContextIds) -> ContextIds:
        """The contexts after reading tokens, (B,)."""
        raise NotImplementedError

    def batch_contexts(self, batch: Batch) -> ContextIds:
        """The contexts of each row of a batch, (N,) each, after reading its token."""
        contexts = self.initial_state(batch.size)
        for step in batch.steps:
            rows, previous = step.rows, step.previous
            before = self.initial_state(rows.stop - rows.start)
            if previous is not None:
                before = tuple(ids[previous] for ids in contexts)
            if step.branches is not None:
                before = tuple(ids[step.branches.parent_of] for ids in before)
            for ids, read in zip(contexts, self.advance(batch.tokens[rows], before), strict=True):
                ids[rows] = read
        return contexts
