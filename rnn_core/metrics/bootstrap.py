"""The paired bootstrap: by how much a model predicts the same names better than another, with an interval.

With the log-probabilities a_i and b_i of name i under the two, and its c_i characters, the end included, the
gain of the first is, in nats per character,

    gain = sum_i (a_i - b_i) / sum_i c_i

The gain is computed for many resamples of the names with replacement; the middle `confidence` of these gains
is the interval (the percentile bootstrap). It is paired: a name that is hard for both is hard for both in
every resample, so only their difference varies.

Source: B. Efron & R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13; P. Koehn,
"Statistical significance tests for machine translation evaluation", EMNLP (2004), for comparing models.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

GROUPS = 10_000  # of names at most: equal random groups vary as single names do, and cost less
_INDICES_AT_ONCE = 1 << 22  # bounds the memory

Numbers = npt.NDArray[np.float64]


class Gain(NamedTuple):
    """A gain and its interval in nats per character; nan without names or finite log-probabilities."""

    value: float
    low: float
    high: float


def paired_gain(
    candidate: Numbers,
    champion: Numbers,
    characters: npt.NDArray[np.integer],
    rng: np.random.Generator,
    resamples: int = 2_000,
    confidence: float = 0.95,
) -> Gain:
    """How much better the candidate predicts the same N names, with its bootstrap interval.

    candidate, champion:   (N,) log-probabilities in nats, of whole names.
    characters:            (N,) of each name, its end included.
    confidence:            of the interval, from 0 to 1.
    """
    with np.errstate(invalid="ignore"):
        gains = candidate - champion
    if not len(gains) or not np.isfinite(gains).all():
        return Gain(np.nan, np.nan, np.nan)
    grouped = min(len(gains), GROUPS)
    group_of_name = rng.permutation(len(gains)) % grouped
    gains, sizes = (
        np.bincount(group_of_name, values, grouped).astype(np.float64) for values in (gains, characters)
    )
    resampled_gains = []
    at_once = max(_INDICES_AT_ONCE // grouped, 1)
    for first in range(0, resamples, at_once):
        indices = rng.integers(0, grouped, (min(at_once, resamples - first), grouped))
        resampled_gains.append(gains[indices].sum(axis=1) / sizes[indices].sum(axis=1))
    outside = (1.0 - confidence) / 2
    low, high = np.quantile(np.concatenate(resampled_gains), (outside, 1.0 - outside))
    return Gain(float(gains.sum() / sizes.sum()), float(low), float(high))
