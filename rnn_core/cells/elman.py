"""The Elman cell: one hidden layer that reads its own last value.

    h_t = tanh(W_xh[token_t] + h_{t-1} W_hh + b_h),   h before the first character is 0

Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990). The orthogonal start of W_hh:
A. M. Saxe, J. L. McClelland & S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
linear neural networks", ICLR (2014).
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching import Batch
from rnn_core.cells.face import Backprop, State, one_hot, orthogonal

NAME = "elman"
RECURRENT_SCALE = 0.7  # of an orthogonal matrix; with 1 held-out names were predicted worse


class Parameters(NamedTuple):
    """A gradient is a `Parameters` as well: same fields, same shapes."""

    W_xh: Floats  # (V, H) token to hidden; a one-hot product is a row lookup
    W_hh: Floats  # (H, H) hidden to hidden
    b_h: Floats  # (H,)


def shapes(vocabulary_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every field of `Parameters`."""
    return {
        "W_xh": (vocabulary_size, hidden_size),
        "W_hh": (hidden_size, hidden_size),
        "b_h": (hidden_size,),
    }


def init(rng: np.random.Generator, vocabulary_size: int, hidden_size: int) -> Parameters:
    """Random parameters to start from, in float64."""
    return Parameters(
        W_xh=rng.standard_normal((vocabulary_size, hidden_size)),
        W_hh=RECURRENT_SCALE * orthogonal(rng, hidden_size),
        b_h=np.zeros(hidden_size),
    )


def forward(
    parameters: Parameters, batch: Batch, workspace: Workspace
) -> tuple[Floats, Backprop[Parameters]]:
    """Hidden states of every row of a batch, (N, H), and the way back.

    Both use the workspace, so they are good until the next batch.
    """
    W_xh, W_hh, b_h = parameters
    hidden_size = len(b_h)
    recurrent = workspace.take("recurrent", batch.width, hidden_size)
    h = workspace.take("h", batch.size, hidden_size)
    np.take(W_xh, batch.tokens, axis=0, out=h, mode="clip")  # all time steps at once
    h += b_h
    for rows, previous in batch.steps:
        h_t = h[rows]
        if previous is not None:
            h_t += np.matmul(h[previous], W_hh, out=recurrent[: len(h_t)])
        np.tanh(h_t, out=h_t)

    def backprop(d_h: Floats) -> Parameters:
        """From dL/dh, (N, H), which it consumes, to the gradient."""
        slope = np.multiply(h, h, out=workspace.take("slope", *h.shape))
        np.subtract(1.0, slope, out=slope)  # of the tanh
        W_hh_T = np.ascontiguousarray(W_hh.T)
        d_pre = d_h
        for rows, previous in reversed(batch.steps):
            d_pre_t = d_pre[rows]
            d_pre_t *= slope[rows]
            if previous is not None:
                d_h_before = d_h[previous]
                d_h_before += np.matmul(d_pre_t, W_hh_T, out=recurrent[: len(d_pre_t)])
        h_before = workspace.take("slope", len(batch.previous_rows), hidden_size)  # the slope is done with
        np.take(h, batch.previous_rows, axis=0, out=h_before, mode="clip")
        return Parameters(
            W_xh=one_hot(batch.tokens, len(W_xh), workspace).T @ d_pre,  # one product over all time steps
            W_hh=h_before.T @ d_pre[batch.later],
            b_h=d_pre.sum(axis=0),
        )

    return h, backprop


def initial_state(parameters: Parameters, count: int) -> State:
    """What `count` names start from."""
    return (np.zeros((count, len(parameters.b_h)), parameters.b_h.dtype),)


def step(parameters: Parameters, tokens: Integers, state: State) -> State:
    """One character further, for names that are drawn: tokens (B,)."""
    W_xh, W_hh, b_h = parameters
    (h,) = state
    h_next = h @ W_hh
    h_next += W_xh[tokens]
    h_next += b_h
    return (np.tanh(h_next, out=h_next),)
