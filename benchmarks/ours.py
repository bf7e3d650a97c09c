"""rnn_core itself, with packed or with shared batches, on one core."""

import itertools
from collections.abc import Iterator

import numpy as np

from benchmarks.start import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Start
from rnn_core.arrays import Workspace
from rnn_core.batching.batch import Batch
from rnn_core.batching.ordering import alphabetical_ranks, downcast, sort_by_key
from rnn_core.nn import network
from rnn_core.train.optimizers import adam, chain, scale_by
from rnn_core.train.schedules import constant
from rnn_core.tree import flat_views, tree_map


class Ours:
    def __init__(self, start: Start, shared: bool) -> None:
        self._start = start
        self._shared = shared
        self._lengths = downcast(-start.stream.rows)
        self._places = downcast(alphabetical_ranks(start.names))
        padded = network.pad_vocabulary(start.parameters)
        self._vector, self._parameters = flat_views(padded, np.float32)
        tree_map(np.copyto, self._parameters, padded)
        self._gradient_vector, self._gradient = flat_views(padded, np.float32)
        self._workspace = Workspace(np.float32)
        self._optimizer = chain(adam(BETA_1, BETA_2, EPSILON), scale_by(constant(LEARNING_RATE)))
        self._state = self._optimizer.init(self._vector)
        self._batches = self._from(0)

    def step(self, batch: int) -> float:
        number, laid_out = next(self._batches)
        if number != batch:
            self._batches = self._from(batch)
            _, laid_out = next(self._batches)
        loss, _ = network.loss_and_gradient(self._parameters, laid_out, self._workspace, out=self._gradient)
        self._vector += self._optimizer.update(self._gradient_vector, self._state, self._vector)
        return loss

    def _from(self, first: int) -> Iterator[tuple[int, Batch]]:
        """From this batch on, round and round; some are laid out ahead, as in training."""
        stream, chosen = self._start.stream, self._start.batches
        layout, keys = (
            (stream.shared_batches, self._places) if self._shared else (stream.packed_batches, self._lengths)
        )
        numbers = itertools.chain(range(first, len(chosen)), itertools.cycle(range(len(chosen))))
        mine, ahead = itertools.tee(numbers)
        return zip(mine, layout(sort_by_key(keys, chosen[number]) for number in ahead), strict=False)
