"""The learning rate of every step, as a pure function of the step's number."""

import math
from collections.abc import Callable
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int], float]
"""From the number of a step, counted from 0, to its learning rate."""


def constant(learning_rate: float) -> Schedule:
    return lambda _: learning_rate


def warmup_then_cosine(peak: float, warmup: int, total: int) -> Schedule:
    """Rises in a straight line over `warmup` steps to `peak`, then falls as half a cosine wave towards 0.

    The last of `total` steps is the first that would be 0 one step later.

    Source: I. Loshchilov & F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR (2017).
    """

    def learning_rate(step: int) -> float:
        if step < warmup:
            return peak * (step + 1) / warmup
        progress = (step - warmup) / max(1, total - warmup)
        return peak * 0.5 * (1.0 + math.cos(math.pi * progress))

    return learning_rate
