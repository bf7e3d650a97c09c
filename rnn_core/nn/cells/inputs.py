"""The inputs of a layer: the characters, or the hidden states of the layer below.

    x_t = W_xh[token_t] + b_h    the first layer: the product with a one-hot vector is a row
    x_t = h_t W_xh + b_h         other layers, with h_t of the layer below

A cell with gates has a matrix W_xh and a vector b_h for each; the arrays here then have a first axis of
gates.
"""

from typing import Protocol

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace, transpose_into


class Inputs(Protocol):
    """The inputs of a layer: N rows, as in a batch."""

    d_below: Floats  # (N, H) dL/dh of the layer below, after `backprop`

    def project(self, W_xh: Floats, b_h: Floats, out: Floats) -> None:
        """x of all time steps at once, (..., N, H)."""

    def backprop(self, d_x: Floats, W_xh: Floats, d_W_xh: Floats, d_b_h: Floats) -> None:
        """From dL/dx, (..., N, H), to the gradients, left in the given arrays."""


class CharacterInputs:
    """Characters as inputs: tokens (N,), each below V. No layer is below, so `d_below` has no rows."""

    d_below: Floats = np.zeros((0, 0))

    def __init__(self, tokens: Integers, workspace: Workspace) -> None:
        self._tokens = tokens
        self._workspace = workspace

    def project(self, W_xh: Floats, b_h: Floats, out: Floats) -> None:
        """x of all time steps at once, (..., N, H)."""
        (W_xh + b_h[..., np.newaxis, :]).take(self._tokens, axis=-2, out=out, mode="clip")

    def backprop(self, d_x: Floats, W_xh: Floats, d_W_xh: Floats, d_b_h: Floats) -> None:
        """From dL/dx, (..., N, H), to the gradients, left in the given arrays."""
        vocabulary_size = W_xh.shape[-2]
        # Summing the rows of each token by a product is several times faster than np.add.at.
        one_hot = self._workspace.take("one_hot", len(self._tokens), vocabulary_size)
        one_hot.fill(0.0)
        one_hot.reshape(-1)[np.arange(0, one_hot.size, vocabulary_size) + self._tokens] = 1.0
        np.matmul(one_hot.T, d_x, out=d_W_xh)
        np.sum(d_W_xh, axis=-2, out=d_b_h)  # every row reads one token


class HiddenInputs:
    """The hidden states of the layer below as inputs, (N, H)."""

    def __init__(self, hidden: Floats, workspace: Workspace) -> None:
        self.d_below = workspace.take("d_below", *hidden.shape)
        self._hidden = hidden
        self._workspace = workspace

    def project(self, W_xh: Floats, b_h: Floats, out: Floats) -> None:
        """x of all time steps at once, (..., N, H)."""
        np.matmul(self._hidden, W_xh, out=out)
        out += b_h[..., np.newaxis, :]

    def backprop(self, d_x: Floats, W_xh: Floats, d_W_xh: Floats, d_b_h: Floats) -> None:
        """From dL/dx, (..., N, H), to the gradients, left in the given arrays."""
        np.matmul(self._hidden.T, d_x, out=d_W_xh)
        np.matmul(self._workspace.ones(len(self._hidden)), d_x, out=d_b_h)
        W_xh_T = transpose_into(W_xh, out=self._workspace.take("W_xh_T", *W_xh.shape))
        if W_xh.ndim == 2:
            np.matmul(d_x, W_xh_T, out=self.d_below)
        else:  # the sum over the gates
            parts = np.matmul(d_x, W_xh_T, out=self._workspace.take("d_read_parts", *d_x.shape))
            np.sum(parts, axis=0, out=self.d_below)
