"""The gated recurrent unit: two gates decide how much of the last state is read, and how much is kept.

    r_t = sigmoid(W_xh[0, token_t] + h_{t-1} W_hh[0] + b_h[0])                what of h_{t-1} is read
    z_t = sigmoid(W_xh[1, token_t] + h_{t-1} W_hh[1] + b_h[1])                what of h_{t-1} is kept
    n_t = tanh(W_xh[2, token_t] + b_h[2] + r_t * (h_{t-1} W_hh[2] + c_h))     what is new
    h_t = (1 - z_t) * n_t + z_t * h_{t-1},   h before the first character is 0

Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
Translation", EMNLP (2014), in the variant that resets after the product (its version 1 on arXiv, 1406.1078,
and cuDNN), so that all products with h_{t-1} can be taken at once.
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching import Batch
from rnn_core.cells.face import Backprop, State, one_hot, orthogonal

NAME = "gru"
RECURRENT_SCALE = 0.7


class Parameters(NamedTuple):
    """A gradient is a `Parameters` as well. The first axis is reset, keep, new."""

    W_xh: Floats  # (3, V, H)
    W_hh: Floats  # (3, H, H)
    b_h: Floats  # (3, H)
    c_h: Floats  # (H,)


def shapes(vocabulary_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every field of `Parameters`."""
    return {
        "W_xh": (3, vocabulary_size, hidden_size),
        "W_hh": (3, hidden_size, hidden_size),
        "b_h": (3, hidden_size),
        "c_h": (hidden_size,),
    }


def init(rng: np.random.Generator, vocabulary_size: int, hidden_size: int) -> Parameters:
    """Random parameters to start from, in float64."""
    return Parameters(
        W_xh=rng.standard_normal((3, vocabulary_size, hidden_size)),
        W_hh=np.stack([RECURRENT_SCALE * orthogonal(rng, hidden_size) for _ in range(3)]),
        b_h=np.zeros((3, hidden_size)),
        c_h=np.zeros(hidden_size),
    )


def forward(
    parameters: Parameters, batch: Batch, workspace: Workspace
) -> tuple[Floats, Backprop[Parameters]]:
    """Hidden states of every row of a batch, (N, H), and the way back.

    Both use the workspace, so they are good until the next batch.
    """
    W_xh, W_hh, b_h, c_h = parameters
    hidden_size = len(c_h)
    product = workspace.take("product", 3, batch.width, hidden_size)
    gates = workspace.take("gates", 3, batch.size, hidden_size)
    recalled = workspace.take("recalled", batch.size, hidden_size)  # h_{t-1} W_hh[2] + c_h
    h = workspace.take("h", batch.size, hidden_size)
    h_before = workspace.take("h_before", batch.size, hidden_size)
    np.take(W_xh, batch.tokens, axis=1, out=gates, mode="clip")  # all time steps at once
    gates += b_h[:, np.newaxis]
    recalled[:] = c_h
    for rows, previous in batch.steps:
        r, z, n = gates_t = gates[:, rows]
        before = h_before[rows]
        if previous is None:
            before[:] = 0.0
        else:
            before[:] = h[previous]
            products = np.matmul(before, W_hh, out=product[:, : len(before)])
            gates_t[:2] += products[:2]
            recalled[rows] += products[2]
        _sigmoid(gates_t[:2])
        n += r * recalled[rows]
        np.tanh(n, out=n)
        np.subtract(before, n, out=h[rows])
        h[rows] *= z
        h[rows] += n  # n + z (h_{t-1} - n)

    def backprop(d_h: Floats) -> Parameters:
        """From dL/dh, (N, H), which it consumes, to the gradient."""
        r, z, n = gates
        # How each part changes with h_t, and the reset gate with n, for all time steps at once.
        n_of_h = (1.0 - z) * (1.0 - n * n)
        z_of_h = (h_before - n) * z * (1.0 - z)
        r_of_n = recalled * r * (1.0 - r)
        W_hh_T = np.ascontiguousarray(W_hh.transpose(0, 2, 1))
        d_pre = workspace.take("d_pre", 4, batch.size, hidden_size)
        d_r, d_z, d_recalled, d_n = d_pre
        for rows, previous in reversed(batch.steps):
            np.multiply(d_h[rows], n_of_h[rows], out=d_n[rows])
            np.multiply(d_h[rows], z_of_h[rows], out=d_z[rows])
            np.multiply(d_n[rows], r_of_n[rows], out=d_r[rows])
            np.multiply(d_n[rows], r[rows], out=d_recalled[rows])
            if previous is not None:
                d_h_before = d_h[previous]
                d_h_before += d_h[rows] * z[rows]
                for part in np.matmul(d_pre[:3, rows], W_hh_T, out=product[:, : len(d_h_before)]):
                    d_h_before += part
        read = one_hot(batch.tokens, W_xh.shape[1], workspace).T
        return Parameters(
            W_xh=np.stack([read @ d for d in (d_r, d_z, d_n)]),  # products over all time steps
            W_hh=np.matmul(h_before[batch.later].T, d_pre[:3, batch.later]),
            b_h=np.stack([d.sum(axis=0) for d in (d_r, d_z, d_n)]),
            c_h=d_recalled.sum(axis=0),
        )

    return h, backprop


def initial_state(parameters: Parameters, count: int) -> State:
    """What `count` names start from."""
    return (np.zeros((count, len(parameters.c_h)), parameters.c_h.dtype),)


def step(parameters: Parameters, tokens: Integers, state: State) -> State:
    """One character further, for names that are drawn: tokens (B,)."""
    W_xh, W_hh, b_h, c_h = parameters
    (h,) = state
    r, z, n = gates = W_xh[:, tokens] + b_h[:, np.newaxis]
    products = np.matmul(h, W_hh)
    gates[:2] += products[:2]
    _sigmoid(gates[:2])
    n += r * (products[2] + c_h)
    np.tanh(n, out=n)
    return (n + z * (h - n),)


def _sigmoid(x: Floats) -> None:
    """In place, as (1 + tanh(x / 2)) / 2: quick, and no exponential overflows."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1.0
    x *= 0.5
