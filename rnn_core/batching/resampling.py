"""Systematic resampling: names occur as often as their weights say."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats

MIDPOINT: Final = 0.5  # the offset without chance: running totals are rounded to the nearest


def systematic_resample(weights: Floats, offset: float) -> npt.NDArray[np.int64]:
    """(N,) indices of N names in ascending order, each as often as its weight says.

    The weights are laid end to end, with N equidistant points over them. A name occurs once for every point
    on its weight: N w_i / sum(w) times, rounded down or up, and exactly as often in the mean over all
    offsets. Whether a name occurs depends on its neighbors, so the order of the names should be random.

    weights:  (N,) above 0.
    offset:   of the first point, in [0, 1) of the distance; one random number for all.

    Sources: G. Kitagawa, "Monte Carlo Filter and Smoother for Non-Gaussian Nonlinear State Space Models",
    Journal of Computational and Graphical Statistics 5 (1996); J. Carpenter, P. Clifford & P. Fearnhead,
    "Improved particle filter for nonlinear problems", IEE Proceedings - Radar, Sonar and Navigation 146
    (1999).
    """
    ends = np.cumsum(weights, dtype=np.float64)
    points = (np.arange(len(ends)) + offset) * (ends[-1:] / max(1, len(ends)))
    # Rounding may put the last point at the very end.
    return np.minimum(np.searchsorted(ends, points, side="right"), len(ends) - 1)
