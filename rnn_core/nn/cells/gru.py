"""The gated recurrent unit: two gates decide how much of the last state is read and how much is kept.

    r_t = sigmoid(x_t[0] + h_{t-1} W_hh[0])                what of h_{t-1} is read
    z_t = sigmoid(x_t[1] + h_{t-1} W_hh[1])                what of h_{t-1} is kept
    n_t = tanh(x_t[2] + r_t * (h_{t-1} W_hh[2] + c_h))     what is new
    h_t = (1 - z_t) * n_t + z_t * h_{t-1},   h before the first row is 0, x as in rnn_core.nn.cells.inputs

Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
Translation", EMNLP (2014), in the variant that resets after the product (its version 1 on arXiv, 1406.1078,
and cuDNN), so that all products with h_{t-1} can be taken at once.
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Workspace, transpose_into
from rnn_core.batching.batch import Batch
from rnn_core.nn.cells.base import Backprop, CellState, random_orthogonal, sigmoid_in_place
from rnn_core.nn.cells.inputs import Inputs

NAME = "gru"
RECURRENT_SCALE = 0.7


class GRUParameters(NamedTuple):
    """The parameters of a GRU layer; a gradient is one as well. The first axis is reset, keep, new."""

    W_xh: Floats  # (3, I, H); I is V in the first layer and H in others
    W_hh: Floats  # (3, H, H)
    b_h: Floats  # (3, H)
    c_h: Floats  # (H,)


PARAMETERS = GRUParameters


def shapes(input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every field of `GRUParameters`."""
    return {
        "W_xh": (3, input_size, hidden_size),
        "W_hh": (3, hidden_size, hidden_size),
        "b_h": (3, hidden_size),
        "c_h": (hidden_size,),
    }


def init(rng: np.random.Generator, input_size: int, hidden_size: int) -> GRUParameters:
    """Random parameters to start from, in float64."""
    return GRUParameters(
        W_xh=rng.standard_normal((3, input_size, hidden_size)),
        W_hh=np.stack([RECURRENT_SCALE * random_orthogonal(rng, hidden_size) for _ in range(3)]),
        b_h=np.zeros((3, hidden_size)),
        c_h=np.zeros(hidden_size),
    )


def forward(
    parameters: GRUParameters, inputs: Inputs, batch: Batch, workspace: Workspace
) -> tuple[Floats, Backprop[GRUParameters]]:
    """Hidden states of every row of a batch, (N, H), and the backward pass.

    Both use the workspace, so they are valid until the next batch.
    """
    W_xh, W_hh, b_h, c_h = parameters
    hidden_size = len(c_h)
    whole = (batch.size, hidden_size)
    gates = workspace.take("gates", 3, *whole)
    recalled = workspace.take("recalled", *whole)  # h_{t-1} W_hh[2] + c_h
    h = workspace.take("h", *whole)
    h_before = workspace.take("h_before", *whole)
    inputs.project(W_xh, b_h, out=gates)
    recalled[:] = c_h
    for step in batch.steps:
        rows = step.rows
        gates_t, n = gates[:2, rows], gates[2, rows]
        # A contiguous copy: arithmetic on planes that lie apart takes twice as long.
        r, z = together = workspace.take("together", *gates_t.shape)
        before, recalled_t, h_t = h_before[rows], recalled[rows], h[rows]
        if step.previous is None:
            together[:] = gates_t
            before[:] = 0.0
        else:
            h_parents = h[step.previous]
            before[:] = batch.to_children(step, h_parents, workspace)
            products = np.matmul(h_parents, W_hh, out=workspace.take("product", 3, *h_parents.shape))
            products = batch.to_children(step, products, workspace)
            np.add(gates_t, products[:2], out=together)
            recalled_t += products[2]
        sigmoid_in_place(together)
        gates_t[:] = together
        n += np.multiply(r, recalled_t, out=h_t)
        np.tanh(n, out=n)
        np.subtract(before, n, out=h_t)
        h_t *= z
        h_t += n  # n + z (h_{t-1} - n)

    def backprop(d_h: Floats, gradient: GRUParameters) -> None:
        """From dL/dh, (N, H), which is overwritten, to the gradient, left in the given arrays."""
        r, z, n = gates
        # How n and z change with h_t, and r with n, for all time steps at once.
        rest = np.subtract(1.0, z, out=workspace.take("rest", *whole))
        z_of_h = np.subtract(h_before, n, out=workspace.take("z_of_h", *whole))
        z_of_h *= z
        z_of_h *= rest
        n_of_h = n  # reuses the memory of n
        np.multiply(n, n, out=n_of_h)
        np.subtract(1.0, n_of_h, out=n_of_h)
        n_of_h *= rest
        r_of_n = recalled
        r_of_n *= r
        r_of_n *= np.subtract(1.0, r, out=rest)
        W_hh_T = transpose_into(W_hh, out=workspace.take("W_hh_T", *W_hh.shape))
        d_pre = d_r, d_z, d_recalled, d_n = workspace.take("d_pre", 4, *whole)
        d_kept = batch.parent_buffer(d_h, workspace, "d_kept")
        d_products = batch.parent_buffer(d_pre[:3], workspace, "d_products")
        for step in reversed(batch.steps):
            rows = step.rows
            d_h_t, d_n_t = d_h[rows], d_n[rows]
            np.multiply(d_h_t, n_of_h[rows], out=d_n_t)
            np.multiply(d_h_t, z_of_h[rows], out=d_z[rows])
            np.multiply(d_n_t, r_of_n[rows], out=d_r[rows])
            np.multiply(d_n_t, r[rows], out=d_recalled[rows])
            if step.previous is not None:
                d_h_t *= z[rows]
                d_h_before = d_h[step.previous]
                d_h_before += batch.sum_children(step, d_h, d_kept, workspace)
                d_products_t = batch.sum_children(step, d_pre[:3], d_products, workspace)
                product = workspace.take("product", *d_products_t.shape)
                for part in np.matmul(d_products_t, W_hh_T, out=product):
                    d_h_before += part
        h_parents = workspace.take("rest", len(batch.parent_rows), hidden_size)
        h.take(batch.parent_rows, axis=0, out=h_parents, mode="clip")
        d_products = batch.complete_sums(d_pre[:3], d_products)
        np.matmul(h_parents.T, d_products, out=gradient.W_hh)  # products over all time steps
        np.matmul(workspace.ones(batch.size), d_recalled, out=gradient.c_h)
        d_recalled[:] = d_n  # next to the other two gates
        inputs.backprop(d_pre[:3], W_xh, gradient.W_xh, gradient.b_h)

    return h, backprop


def initial_state(parameters: GRUParameters, count: int) -> CellState:
    """The state before the first character of `count` names."""
    return (np.zeros((count, len(parameters.c_h)), parameters.c_h.dtype),)


def step(parameters: GRUParameters, x: Floats, state: CellState, workspace: Workspace) -> None:
    """Advances the state of B names by one character in place; x, (3, B, H), is overwritten."""
    r, z, n = x
    (h,) = state
    products = np.matmul(h, parameters.W_hh, out=workspace.take("product", *x.shape))
    x[:2] += products[:2]
    sigmoid_in_place(x[:2])
    recalled = products[2]
    recalled += parameters.c_h
    recalled *= r
    n += recalled
    np.tanh(n, out=n)
    h -= n
    h *= z
    h += n  # n + z (h_{t-1} - n)
