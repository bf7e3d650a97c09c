"""The learning rate of every step, as a pure function of the step's number."""

import math
from collections.abc import Callable
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int], float]
"""From the number of a step, counted from 0, to its learning rate."""


def constant(learning_rate: float) -> Schedule:
    """The same learning rate at every step."""
    return lambda _: learning_rate


def cosine(peak: float, total: int) -> Schedule:
    """Falls from `peak` as half a cosine wave towards 0, reached one step after the last.

    Source: I. Loshchilov & F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR (2017).
    """
    return lambda step: peak * 0.5 * (1.0 + math.cos(math.pi * step / max(1, total)))


def warmup(steps: int, then: Schedule) -> Schedule:
    """Rises linearly over so many steps to where the schedule `then` begins."""
    return lambda step: then(0) * (step + 1) / steps if step < steps else then(step - steps)
