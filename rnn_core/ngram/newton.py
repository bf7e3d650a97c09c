"""A maximum within bounds, by Newton's method with a safeguard.

    step = H^-1 g over the coordinates that may move, H the negative Hessian or a matrix like it

A coordinate at a bound whose gradient points outwards stays there. A step is halved until the function gains
at least a ten-thousandth of what its gradient promises. Everything is in double precision and in one order,
so the result is the same each time.

Source: D. P. Bertsekas, "Projected Newton methods for optimization problems with simple constraints", SIAM
Journal on Control and Optimization 20 (1982).
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

MAX_STEPS, MAX_HALVINGS = 200, 40
SUFFICIENT_GAIN = 1e-4  # of what the gradient promises
TOLERANCE = 1e-10  # of a step's gain, relative to the value
RIDGE = 1e-10  # of the largest element of H, where a coordinate changes nothing


class Expansion(NamedTuple):
    """A function near a point.

    value:      at the point.
    gradient:   (P,)
    curvature:  (P, P) positive semidefinite: the negative Hessian, or what stands for it.
    """

    value: float
    gradient: Vector
    curvature: npt.NDArray[np.float64]


Function: TypeAlias = Callable[[Vector], Expansion]


def maximize(function: Function, start: Vector, lowest: Vector, highest: Vector) -> Vector:
    """(P,) where the function is largest, within the bounds; the global maximum if it is concave.

    start:            (P,) within them.
    lowest, highest:  (P,)
    """
    point, here = start, function(start)
    for _ in range(MAX_STEPS):
        step = _step(point, here, lowest, highest)
        for halvings in range(MAX_HALVINGS):
            trial = np.clip(point + step * 0.5**halvings, lowest, highest)
            there = function(trial)
            promised = max(float(here.gradient @ (trial - point)), 0.0)
            if there.value - here.value >= SUFFICIENT_GAIN * promised:
                break
        else:
            return point  # nothing is gained in any digit
        gain = there.value - here.value
        point, here = trial, there
        if gain <= TOLERANCE * abs(here.value):
            break
    return point


def _step(point: Vector, here: Expansion, lowest: Vector, highest: Vector) -> Vector:
    """Newton's step, 0 where a bound holds."""
    held = ((point <= lowest) & (here.gradient <= 0)) | ((point >= highest) & (here.gradient >= 0))
    free = np.flatnonzero(~held)
    step = np.zeros(len(point))
    if len(free):
        curvature = here.curvature[np.ix_(free, free)].copy()
        curvature.flat[:: len(free) + 1] += RIDGE * max(curvature.max(), 1.0)
        step[free] = np.linalg.solve(curvature, here.gradient[free])
    return step
