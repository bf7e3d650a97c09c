"""What every contestant begins with: the same names, the same batches, the same parameters."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from rnn_core.batching.batches import BatchStream
from rnn_core.nn import cells, network
from rnn_core.text.names import EncodedNames
from rnn_core.tree import tree_map

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.99, 1e-8  # of Adam, for everyone
EMBEDDING_SIZE = 64  # of the module that looks its inputs up in an embedding first


class Start(NamedTuple):
    """parameters.layers[0].W_xh is `embedding` times `W_x`, so that one more layer begins with the same loss.

    batches:    the chosen names of every batch, longest first.
    embedding:  (V, E).
    W_x:        (E, H), or one per gate.
    """

    cell: str
    names: EncodedNames
    stream: BatchStream
    batches: list[Any]
    parameters: network.NetworkParameters
    embedding: Any
    W_x: Any

    @property
    def longest(self) -> int:
        """Rows of the longest name of the list."""
        return int(self.stream.rows.max())

    def characters(self, batch: int) -> int:
        """End tokens included, padding not."""
        return int(self.stream.rows[self.batches[batch]].sum())

    def padded(self, batch: int, length: int | None = None) -> tuple[Any, Any]:
        """What is read, filled up with 0, and the targets, filled up with -1: (T, B) each."""
        chosen = self.batches[batch]
        rows = self.stream.rows[chosen]
        time = np.arange(length or int(rows.max()))[:, np.newaxis]
        place = np.minimum(self.stream.starts[chosen] + time, len(self.stream.tokens) - 2)
        inside = time < rows
        read = np.where(inside, self.stream.tokens[place], 0)
        return read, np.where(inside, self.stream.tokens[place + 1], -1)


class Contestant(Protocol):
    def step(self, batch: int) -> float:
        """Lay the batch out if it is not, one step of Adam; the loss before it, in nats per character."""


def start(
    cell: str, names: EncodedNames, vocabulary_size: int, hidden_size: int, batch_size: int, count: int
) -> Start:
    rng = np.random.default_rng(0)
    stream = BatchStream.from_names(names)
    order = [rng.permutation(names.count)[:batch_size] for _ in range(count)]
    batches = [chosen[np.argsort(-stream.rows[chosen], kind="stable")] for chosen in order]
    initial = cells.by_name(cell).init(rng, vocabulary_size, hidden_size)
    embedding = rng.standard_normal((vocabulary_size, EMBEDDING_SIZE)) / np.sqrt(EMBEDDING_SIZE)
    W_x = rng.standard_normal((*initial.W_xh.shape[:-2], EMBEDDING_SIZE, hidden_size))
    initial = initial._replace(W_xh=embedding @ W_x)
    W_hy = 0.5 * rng.standard_normal((hidden_size, vocabulary_size)) / np.sqrt(hidden_size)
    parameters = network.NetworkParameters((initial,), W_hy, np.zeros(vocabulary_size))
    return Start(cell, names, stream, batches, _float32(parameters), *_float32((embedding, W_x)))


def _float32(tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.astype(np.float32), tree)
