"""Dropout: a training step omits random units and weights, so that a small list is not memorized.

    output:     an entry of h is zero on its way to the layer above. The mask belongs to a row of the batch,
                so names that share a row share it.
                N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
                JMLR 15 (2014).
    recurrent:  an entry of W_hh is zero for a whole batch, over all its time steps.
                L. Wan et al., "Regularization of Neural Networks using DropConnect", ICML (2013); in the
                recurrence: S. Merity, N. S. Keskar & R. Socher, "Regularizing and Optimizing LSTM Language
                Models", ICLR (2018).

Kept entries are scaled by 1 / (1 - rate), so that the mean stays and nothing changes after training.
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Workspace

LEVELS = 1 << 16  # a rate is rounded to a multiple of 1 / 65,536: two random bytes per entry


class DropoutMasks(NamedTuple):
    """Factors of one layer: 0 or 1 / (1 - rate). None drops nothing."""

    output: Floats | None = None  # (N, H)
    recurrent: Floats | None = None  # the shape of W_hh


NO_DROPOUT = DropoutMasks()


def dropout_mask(
    rng: np.random.Generator, rate: float, workspace: Workspace, name: str, *shape: int
) -> Floats | None:
    """An array of the workspace: 0 with probability `rate`, 1 / (1 - rate) elsewhere. None for rate 0."""
    if not rate:
        return None
    out = workspace.take(name, *shape)
    words = rng.integers(1 << 64, size=-(-out.size // 4), dtype=np.uint64)  # six times faster than rng.bytes
    random = words.view(np.uint16)[: out.size].reshape(out.shape)
    dropped = min(round(rate * LEVELS), LEVELS - 1)
    np.greater_equal(random, dropped, out=out, casting="unsafe")
    out *= LEVELS / (LEVELS - dropped)
    return out
