"""What a training step leaves out at random, so that a small list is not learned by heart.

    output:     an entry of h is zero on its way to the output layer. The choice belongs to a row of the
                batch, so names that share a row share it.
                N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
                JMLR 15 (2014).
    recurrent:  an entry of W_hh is zero for a whole batch, over all its time steps.
                L. Wan et al., "Regularization of Neural Networks using DropConnect", ICML (2013); in the
                recurrence: S. Merity, N. S. Keskar & R. Socher, "Regularizing and Optimizing LSTM Language
                Models", ICLR (2018).

What is kept is scaled up by 1 / (1 - rate), so that the mean stays and nothing changes after training.
"""

from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Workspace

LEVELS = 1 << 16  # a rate is rounded to a multiple of 1 / 65,536: two random bytes per entry


class DropoutMasks(NamedTuple):
    """Factors to multiply with: 0 or 1 / (1 - rate). None leaves nothing out."""

    output: Floats | None = None  # (N, H)
    recurrent: Floats | None = None  # the shape of W_hh


NO_DROPOUT = DropoutMasks()


def dropout_mask(
    rng: np.random.Generator, rate: float, workspace: Workspace, name: str, *shape: int
) -> Floats | None:
    """An array of the workspace: 0 with probability `rate`, 1 / (1 - rate) elsewhere. None if that is 0."""
    if not rate:
        return None
    out = workspace.take(name, *shape)
    words = rng.integers(1 << 64, size=-(-out.size // 4), dtype=np.uint64)  # six times faster than rng.bytes
    drawn = words.view(np.uint16)[: out.size].reshape(out.shape)
    dropped = min(round(rate * LEVELS), LEVELS - 1)
    np.greater_equal(drawn, dropped, out=out, casting="unsafe")
    out *= LEVELS / (LEVELS - dropped)
    return out
