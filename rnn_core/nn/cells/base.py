"""The interface of a cell, and functions that cells have in common."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from rnn_core.arrays import Floats, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.nn.cells.inputs import Inputs

CellParameters = TypeVar("CellParameters")

Backprop: TypeAlias = Callable[[Floats, CellParameters], None]
"""From dL/dh, (N, H), which is overwritten, to the gradient, which is left in the given arrays."""

CellState: TypeAlias = tuple[Floats, ...]
"""Arrays of (B, H), one row per name. The layer above reads the first."""


class Cell(Protocol):
    """The interface of a cell's module.

    The parameters are a NamedTuple of the cell's own, which only the cell itself reads, except for three
    fields that every cell has: `W_xh` and `b_h`, which project the inputs to x, and the recurrent `W_hh`.
    """

    NAME: str
    PARAMETERS: type[Any]

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by field."""

    def init(self, rng: np.random.Generator, input_size: int, hidden_size: int) -> Any:
        """Random parameters to start from, in float64."""

    def forward(
        self, parameters: Any, inputs: Inputs, batch: Batch, workspace: Workspace
    ) -> tuple[Floats, Backprop[Any]]:
        """Hidden states of every row of a batch, (N, H), and the backward pass."""
        ...

    def initial_state(self, parameters: Any, count: int) -> CellState:
        """The state before the first character of `count` names."""
        ...

    def step(self, parameters: Any, x: Floats, state: CellState, workspace: Workspace) -> None:
        """Advances the state of B names by one character in place; x, (..., B, H), is overwritten."""


def random_orthogonal(rng: np.random.Generator, size: int) -> Floats:
    """A random orthogonal matrix, which keeps the norm of a state step after step."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    uniform: Floats = q * np.sign(np.diag(r))  # without the signs, QR favors some directions
    return uniform


def sigmoid_in_place(x: Floats) -> None:
    """The logistic function as (1 + tanh(x / 2)) / 2: fast, and no exponential overflows."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1.0
    x *= 0.5
