"""The Elman cell: a hidden layer that reads its own previous value.

    h_t = tanh(x_t + h_{t-1} W_hh),   h before the first row is 0, x as in rnn_core.nn.cells.inputs

Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990). The orthogonal start of W_hh:
A. M. Saxe, J. L. McClelland & S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
linear neural networks", ICLR (2014).
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Workspace, transpose_into
from rnn_core.batching.batch import Batch
from rnn_core.nn.cells.base import Backprop, CellState, random_orthogonal
from rnn_core.nn.cells.inputs import Inputs

NAME = "elman"
RECURRENT_SCALE = 0.7  # of an orthogonal matrix; held-out names were predicted worse with 1


class ElmanParameters(NamedTuple):
    """The parameters of an Elman layer; a gradient is one as well."""

    W_xh: Floats  # (I, H) input to hidden; I is V in the first layer and H in others
    W_hh: Floats  # (H, H) hidden to hidden
    b_h: Floats  # (H,)


PARAMETERS = ElmanParameters


def shapes(input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every field of `ElmanParameters`."""
    return {
        "W_xh": (input_size, hidden_size),
        "W_hh": (hidden_size, hidden_size),
        "b_h": (hidden_size,),
    }


def init(rng: np.random.Generator, input_size: int, hidden_size: int) -> ElmanParameters:
    """Random parameters to start from, in float64."""
    return ElmanParameters(
        W_xh=rng.standard_normal((input_size, hidden_size)),
        W_hh=RECURRENT_SCALE * random_orthogonal(rng, hidden_size),
        b_h=np.zeros(hidden_size),
    )


def forward(
    parameters: ElmanParameters, inputs: Inputs, batch: Batch, workspace: Workspace
) -> tuple[Floats, Backprop[ElmanParameters]]:
    """Hidden states of every row of a batch, (N, H), and the backward pass.

    Both use the workspace, so they are valid until the next batch.
    """
    W_xh, W_hh, b_h = parameters
    hidden_size = len(b_h)
    recurrent = workspace.take("recurrent", batch.largest_step, hidden_size)
    h = workspace.take("h", batch.size, hidden_size)
    inputs.project(W_xh, b_h, out=h)
    for step in batch.steps:
        h_t = h[step.rows]
        if step.previous is not None:
            before = h[step.previous]
            h_t += batch.to_children(step, np.dot(before, W_hh, out=recurrent[: len(before)]), workspace)
        np.tanh(h_t, out=h_t)

    def backprop(d_h: Floats, gradient: ElmanParameters) -> None:
        """From dL/dh, (N, H), which is overwritten, to the gradient, left in the given arrays."""
        slope = np.multiply(h, h, out=workspace.take("slope", *h.shape))
        np.subtract(1.0, slope, out=slope)  # of the tanh
        W_hh_T = transpose_into(W_hh, out=workspace.take("W_hh_T", *W_hh.shape))
        d_pre = d_h
        d_product = batch.parent_buffer(d_pre, workspace, "d_product")  # of h W_hh, for each parent row
        for step in reversed(batch.steps):
            d_pre_t = d_pre[step.rows]
            d_pre_t *= slope[step.rows]
            if step.previous is not None:
                d_product_t = batch.sum_children(step, d_pre, d_product, workspace)
                d_h_before = d_h[step.previous]
                d_h_before += np.dot(d_product_t, W_hh_T, out=recurrent[: len(d_product_t)])
        h_parents = workspace.take("slope", len(batch.parent_rows), hidden_size)  # reuses the slope's memory
        h.take(batch.parent_rows, axis=0, out=h_parents, mode="clip")
        d_product = batch.complete_sums(d_pre, d_product)
        np.matmul(h_parents.T, d_product, out=gradient.W_hh)  # one product over all time steps
        inputs.backprop(d_pre, W_xh, gradient.W_xh, gradient.b_h)

    return h, backprop


def initial_state(parameters: ElmanParameters, count: int) -> CellState:
    """The state before the first character of `count` names."""
    return (np.zeros((count, len(parameters.b_h)), parameters.b_h.dtype),)


def step(parameters: ElmanParameters, x: Floats, state: CellState, workspace: Workspace) -> None:
    """Advances the state of B names by one character in place; x, (B, H), is overwritten."""
    (h,) = state
    x += np.dot(h, parameters.W_hh, out=workspace.take("product", *h.shape))
    np.tanh(x, out=h)
