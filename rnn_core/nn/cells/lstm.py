"""Long short-term memory: beside h a memory c, which gates write, keep and output.

    o_t = sigmoid(x_t[0] + h_{t-1} W_hh[0])    what is output
    i_t = sigmoid(x_t[1] + h_{t-1} W_hh[1])    what is written
    f_t = sigmoid(x_t[2] + h_{t-1} W_hh[2])    what is kept
    g_t = tanh(x_t[3] + h_{t-1} W_hh[3])       what is new
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t),   h and c before the first row are 0, x as in rnn_core.nn.cells.inputs

Source: S. Hochreiter & J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997), with the gate f
and its start near "keep" of F. A. Gers, J. Schmidhuber & F. Cummins, "Learning to Forget: Continual
Prediction with LSTM", Neural Computation 12 (2000).
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Workspace, transpose_into
from rnn_core.batching.batch import Batch
from rnn_core.nn.cells.base import Backprop, CellState, random_orthogonal, sigmoid_in_place
from rnn_core.nn.cells.inputs import Inputs

NAME = "lstm"
RECURRENT_SCALE = 0.7
KEEP_BIAS = 1.0  # the initial bias of f


class LSTMParameters(NamedTuple):
    """The parameters of an LSTM layer; a gradient is one as well. First axis: output, write, keep, new."""

    W_xh: Floats  # (4, I, H); I is V in the first layer and H in others
    W_hh: Floats  # (4, H, H)
    b_h: Floats  # (4, H)


PARAMETERS = LSTMParameters


def shapes(input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every field of `LSTMParameters`."""
    return {
        "W_xh": (4, input_size, hidden_size),
        "W_hh": (4, hidden_size, hidden_size),
        "b_h": (4, hidden_size),
    }


def init(rng: np.random.Generator, input_size: int, hidden_size: int) -> LSTMParameters:
    """Random parameters to start from, in float64."""
    b_h = np.zeros((4, hidden_size))
    b_h[2] = KEEP_BIAS
    return LSTMParameters(
        W_xh=rng.standard_normal((4, input_size, hidden_size)),
        W_hh=np.stack([RECURRENT_SCALE * random_orthogonal(rng, hidden_size) for _ in range(4)]),
        b_h=b_h,
    )


def forward(
    parameters: LSTMParameters, inputs: Inputs, batch: Batch, workspace: Workspace
) -> tuple[Floats, Backprop[LSTMParameters]]:
    """Hidden states of every row of a batch, (N, H), and the backward pass.

    Both use the workspace, so they are valid until the next batch.
    """
    W_xh, W_hh, b_h = parameters
    hidden_size = b_h.shape[1]
    whole = (batch.size, hidden_size)
    gates = workspace.take("gates", 4, *whole)
    c_before = workspace.take("c_before", *whole)
    c = workspace.take("c", *whole)
    tanh_c = workspace.take("tanh_c", *whole)
    h = workspace.take("h", *whole)
    inputs.project(W_xh, b_h, out=gates)
    for step in batch.steps:
        rows = step.rows
        gates_t = gates[:, rows]
        # A contiguous copy: arithmetic on planes that lie apart takes twice as long.
        o, i, f, g = together = workspace.take("together", *gates_t.shape)
        c_before_t, c_t, tanh_c_t, h_t = c_before[rows], c[rows], tanh_c[rows], h[rows]
        if step.previous is None:
            together[:] = gates_t
            c_before_t[:] = 0.0
        else:
            h_parents = h[step.previous]
            c_before_t[:] = batch.to_children(step, c[step.previous], workspace)
            products = np.matmul(h_parents, W_hh, out=workspace.take("product", 4, *h_parents.shape))
            np.add(gates_t, batch.to_children(step, products, workspace), out=together)
        sigmoid_in_place(together[:3])
        np.tanh(g, out=g)
        gates_t[:] = together
        np.multiply(i, g, out=c_t)
        c_t += np.multiply(f, c_before_t, out=h_t)
        np.tanh(c_t, out=tanh_c_t)
        np.multiply(o, tanh_c_t, out=h_t)

    def backprop(d_h: Floats, gradient: LSTMParameters) -> None:
        """From dL/dh, (N, H), which is overwritten, to the gradient, left in the given arrays."""
        o, i, f, g = gates
        slopes = o_of_h, i_of_c, f_of_c, g_of_c = workspace.take("slopes", 4, *whole)
        # How c changes with h_t, and the gates with either, for all time steps at once.
        np.subtract(1.0, gates[:3], out=slopes[:3])
        slopes[:3] *= gates[:3]
        i_of_c *= g
        f_of_c *= c_before
        o_of_h *= tanh_c
        np.multiply(g, g, out=g_of_c)
        np.subtract(1.0, g_of_c, out=g_of_c)
        g_of_c *= i
        c_of_h = tanh_c  # reuses the memory of tanh_c
        np.multiply(tanh_c, tanh_c, out=c_of_h)
        np.subtract(1.0, c_of_h, out=c_of_h)
        c_of_h *= o
        W_hh_T = transpose_into(W_hh, out=workspace.take("W_hh_T", *W_hh.shape))
        d_pre = slopes  # each slope becomes its d_pre, in place
        d_c = workspace.take("c", *whole)  # reuses the memory of c
        d_c[:] = 0.0
        d_kept = batch.parent_buffer(d_c, workspace, "d_kept")
        d_products = batch.parent_buffer(d_pre, workspace, "d_products")
        for step in reversed(batch.steps):
            rows = step.rows
            d_h_t, d_c_t = d_h[rows], d_c[rows]
            c_of_h_t = c_of_h[rows]
            c_of_h_t *= d_h_t
            d_c_t += c_of_h_t
            d_pre[0, rows] *= d_h_t
            d_pre[1:, rows] *= d_c_t
            if step.previous is not None:
                d_c_t *= f[rows]
                d_c[step.previous] = batch.sum_children(step, d_c, d_kept, workspace)
                d_h_before = d_h[step.previous]
                d_products_t = batch.sum_children(step, d_pre, d_products, workspace)
                product = workspace.take("product", *d_products_t.shape)
                for part in np.matmul(d_products_t, W_hh_T, out=product):
                    d_h_before += part
        h_parents = workspace.take("c_before", len(batch.parent_rows), hidden_size)
        h.take(batch.parent_rows, axis=0, out=h_parents, mode="clip")
        d_products = batch.complete_sums(d_pre, d_products)
        np.matmul(h_parents.T, d_products, out=gradient.W_hh)  # products over all time steps
        inputs.backprop(d_pre, W_xh, gradient.W_xh, gradient.b_h)

    return h, backprop


def initial_state(parameters: LSTMParameters, count: int) -> CellState:
    """The state before the first character of `count` names."""
    shape = count, parameters.b_h.shape[1]
    return np.zeros(shape, parameters.b_h.dtype), np.zeros(shape, parameters.b_h.dtype)


def step(parameters: LSTMParameters, x: Floats, state: CellState, workspace: Workspace) -> None:
    """Advances the state of B names by one character in place; x, (4, B, H), is overwritten."""
    o, i, f, g = x
    h, c = state
    x += np.matmul(h, parameters.W_hh, out=workspace.take("product", *x.shape))
    sigmoid_in_place(x[:3])
    np.tanh(g, out=g)
    c *= f
    i *= g
    c += i
    np.tanh(c, out=h)
    h *= o
