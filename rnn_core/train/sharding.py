"""The gradient of a batch from several threads: each computes its part of the names with memory of its own.

    loss = sum_s rows_s loss_s / sum_s rows_s,   and the gradient likewise, over the parts s of a batch

Sums in another order round otherwise, so the parts are a matter of the configuration and are added up in
their order. How many threads share them is not: with any number the same bits come out.
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
"""The builtin, or one that shares the work between threads."""


class Shard(NamedTuple):
    """What one thread computes with. `gradient` is `vector` in the shapes of the parameters."""

    workspace: Workspace
    vector: Floats
    gradient: network.NetworkParameters

    @classmethod
    def like(cls, parameters: network.NetworkParameters) -> "Shard":
        return cls(Workspace(parameters.dtype), *flat_views(parameters, parameters.dtype))


class ShardLoss(NamedTuple):
    """What a thread found: the mean loss of its names, and how many characters they have."""

    loss: float
    rows: int


def split_batch(chosen: Integers, count: int, neighbours: bool) -> list[Integers]:
    """The names of a batch in at most `count` parts of about as much work, none empty.

    neighbours:  whether those that lie side by side stay together: in alphabetical order they share most.
                 Sorted by length, each part takes its turn instead.
    """
    count = min(count, len(chosen))
    if not neighbours:
        return [chosen[place::count] for place in range(count)]
    bounds = [len(chosen) * place // count for place in range(count + 1)]
    return [chosen[begin:end] for begin, end in itertools.pairwise(bounds)]


def combine_gradients(shards: Sequence[Shard], found: Sequence[ShardLoss]) -> ShardLoss:
    """The loss of the whole batch; its gradient is left in the first shard."""
    if len(found) == 1:
        return found[0]
    rows = sum(part.rows for part in found)
    total = shards[0].vector
    total *= found[0].rows / rows
    for shard, part in zip(shards[1:], found[1:], strict=False):
        shard.vector[:] *= part.rows / rows
        total += shard.vector
    return ShardLoss(sum(part.loss * part.rows for part in found) / rows, rows)


@contextmanager
def shard_map(threads: int) -> Iterator[MapFunction]:
    """A `map` over that many threads."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="shard") as executor:
        yield executor.map
