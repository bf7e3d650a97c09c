"""A list in which names occur as often as their weights say."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats

MIDPOINT: Final = 0.5  # the offset where nothing is left to chance: running totals are rounded to the nearest


def systematic_resample(weights: Floats, offset: float) -> npt.NDArray[np.int64]:
    """(N,) rows of N names, in their order, each as often as its weight says.

    The weights are laid end to end, and over them N points at one distance from each other. A name occurs
    once for every point that falls on its weight: N w_i / sum(w) times, rounded down or up, and just as often
    in the mean over all offsets. Whether a name occurs has to do with those beside it, so their order should
    be a random one.

    weights:  (N,) above 0.
    offset:   of the first point, from 0 to below 1 of that distance; one random number for them all.

    Sources: G. Kitagawa, "Monte Carlo Filter and Smoother for Non-Gaussian Nonlinear State Space Models",
    Journal of Computational and Graphical Statistics 5 (1996); J. Carpenter, P. Clifford & P. Fearnhead,
    "Improved particle filter for nonlinear problems", IEE Proceedings - Radar, Sonar and Navigation 146
    (1999), where it is called systematic.
    """
    ends = np.cumsum(weights, dtype=np.float64)
    points = (np.arange(len(ends)) + offset) * (ends[-1:] / max(1, len(ends)))
    # Rounding may put the last point at the very end.
    return np.minimum(np.searchsorted(ends, points, side="right"), len(ends) - 1)
