"""Data-parallel gradients: each thread computes a part of the batch with memory of its own.

    loss = sum_s rows_s loss_s / sum_s rows_s,   and the gradient likewise, over the parts s of a batch

Sums in another order round differently, so the parts are set by the configuration and added in their order.
The number of threads that share them changes no bit.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.nn import network
from rnn_core.tree import flat_views

MapFunction: TypeAlias = Callable[..., Iterable[Any]]
"""The built-in `map`, or one over several threads."""


class Shard(NamedTuple):
    """The memory of one thread. `gradient` is `vector` in the shapes of the parameters."""

    workspace: Workspace
    vector: Floats
    gradient: network.NetworkParameters

    @classmethod
    def like(cls, parameters: network.NetworkParameters) -> "Shard":
        """A shard for gradients in the shapes of these parameters."""
        return cls(Workspace(parameters.dtype), *flat_views(parameters, parameters.dtype))


class ShardLoss(NamedTuple):
    """The mean loss of a part of a batch, and how many characters it has."""

    loss: float
    rows: int


def split_batch(batch: Integers, count: int, contiguous: bool) -> list[Integers]:
    """The names of a batch in at most `count` parts of about equal work, none empty.

    contiguous:  whether neighbors stay together: in alphabetical order they share most. Otherwise, sorted by
                 length, the parts take turns.
    """
    count = min(count, len(batch))
    if not contiguous:
        return [batch[place::count] for place in range(count)]
    bounds = [len(batch) * place // count for place in range(count + 1)]
    return [batch[begin:end] for begin, end in itertools.pairwise(bounds)]


def combine_gradients(shards: Sequence[Shard], losses: Sequence[ShardLoss]) -> ShardLoss:
    """The mean loss of the whole batch; its gradient is left in the first shard."""
    if len(losses) == 1:
        return losses[0]
    rows = sum(part.rows for part in losses)
    total = shards[0].vector
    total *= losses[0].rows / rows
    for shard, part in zip(shards[1:], losses[1:], strict=False):
        shard.vector[:] *= part.rows / rows
        total += shard.vector
    return ShardLoss(sum(part.loss * part.rows for part in losses) / rows, rows)


@contextmanager
def shard_map(threads: int) -> Iterator[MapFunction]:
    """A `map` over so many threads."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="shard") as executor:
        yield executor.map
