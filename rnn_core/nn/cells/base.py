"""What the rest of the package knows about a cell, and what cells have in common."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from rnn_core.arrays import Floats, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.nn.cells.inputs import Inputs

CellParameters = TypeVar("CellParameters")

Backprop: TypeAlias = Callable[[Floats, CellParameters], None]
"""From dL/dh, (N, H), which it consumes, to the gradient, which it leaves in the arrays given."""

CellState: TypeAlias = tuple[Floats, ...]
"""Arrays of (B, H), one row per name. What is above reads the first."""


class Cell(Protocol):
    """The face of a cell's module.

    The parameters are a NamedTuple of each cell's own, which only the cell itself looks into, but for three
    fields that every cell has: `W_xh` and `b_h`, which make x of what is read, and the recurrent `W_hh`.
    """

    NAME: str
    PARAMETERS: type[Any]

    def shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]: ...

    def init(self, rng: np.random.Generator, input_size: int, hidden_size: int) -> Any: ...

    def forward(
        self, parameters: Any, inputs: Inputs, batch: Batch, workspace: Workspace
    ) -> tuple[Floats, Backprop[Any]]: ...

    def initial_state(self, parameters: Any, count: int) -> CellState: ...

    def step(self, parameters: Any, x: Floats, state: CellState, workspace: Workspace) -> None: ...


def random_orthogonal(rng: np.random.Generator, size: int) -> Floats:
    """A random orthogonal matrix: it neither shrinks nor stretches what goes through it, step after step."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    uniform: Floats = q * np.sign(np.diag(r))  # without the signs, QR favours some directions
    return uniform


def sigmoid_in_place(x: Floats) -> None:
    """In place, as (1 + tanh(x / 2)) / 2: quick, and no exponential overflows."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1.0
    x *= 0.5
