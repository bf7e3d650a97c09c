"""What the rest of the package knows about a cell, and what cells have in common."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching import Batch

CellParameters = TypeVar("CellParameters")

Backprop: TypeAlias = Callable[[Floats, CellParameters], None]
"""From dL/dh, (N, H), which it consumes, to the gradient, which it leaves in the arrays given."""

State: TypeAlias = tuple[Floats, ...]
"""Arrays of (B, H), one row per name. The output layer reads the first."""


class Cell(Protocol):
    """The face of a cell's module. Every cell's recurrent matrix is the field `W_hh` of its `Parameters`.

    The parameters are a NamedTuple of each cell's own, which only the cell itself looks into.
    """

    NAME: str
    Parameters: type[Any]

    def shapes(self, vocabulary_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]: ...

    def init(self, rng: np.random.Generator, vocabulary_size: int, hidden_size: int) -> Any: ...

    def forward(
        self, parameters: Any, batch: Batch, workspace: Workspace
    ) -> tuple[Floats, Backprop[Any]]: ...

    def initial_state(self, parameters: Any, count: int) -> State: ...

    def step(self, parameters: Any, tokens: Integers, state: State) -> State: ...


def one_hot(tokens: Integers, vocabulary_size: int, workspace: Workspace) -> Floats:
    """(N, V): its transpose times (N, H) sums the rows of each token.

    As a product that is several times faster than np.add.at.
    """
    matrix = workspace.take("one_hot", len(tokens), vocabulary_size)
    matrix[:] = 0.0
    matrix.reshape(-1)[np.arange(0, matrix.size, vocabulary_size) + tokens] = 1.0
    return matrix


def orthogonal(rng: np.random.Generator, size: int) -> Floats:
    """A random orthogonal matrix: it neither shrinks nor stretches what goes through it, step after step."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    uniform: Floats = q * np.sign(np.diag(r))  # without the signs, QR favours some directions
    return uniform


def sigmoid(x: Floats) -> None:
    """In place, as (1 + tanh(x / 2)) / 2: quick, and no exponential overflows."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1.0
    x *= 0.5
