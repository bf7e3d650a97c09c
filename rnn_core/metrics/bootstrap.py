"""Two models on the same names: by how much one predicts them better, and how sure that is.

With the log-probabilities a_i and b_i of name i under the two, and its c_i characters, the end among them,
the gain of the first is, in nats per character,

    gain = sum_i (a_i - b_i) / sum_i c_i

Names are drawn with replacement, as many as there are, and the gain of those is taken, again and again: the
middle `confidence` of these gains is the interval (the percentile bootstrap). It is paired: a name that both
find hard is hard for both in every draw, so what is left is how they differ.

Source: B. Efron & R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13; P. Koehn,
"Statistical significance tests for machine translation evaluation", EMNLP (2004), who compares two models so.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

GROUPS = 10_000  # of names at most: random ones of one size vary as single names do, and cost less
_DRAWS_AT_ONCE = 1 << 22  # bounds the memory

Numbers = npt.NDArray[np.float64]


class Gain(NamedTuple):
    """Nats per character; nan if there are no names, or their log-probabilities are no numbers."""

    value: float
    low: float
    high: float


def paired_gain(
    challenger: Numbers,
    champion: Numbers,
    characters: npt.NDArray[np.integer],
    rng: np.random.Generator,
    resamples: int = 2_000,
    confidence: float = 0.95,
) -> Gain:
    """How much more probable the challenger finds the same N names, with its bootstrap interval.

    challenger, champion:  (N,) log-probabilities in nats, of whole names.
    characters:            (N,) of each name, its end included.
    confidence:            that the interval holds the gain over all such names, from 0 to 1.
    """
    with np.errstate(invalid="ignore"):
        gains = challenger - champion
    if not len(gains) or not np.isfinite(gains).all():
        return Gain(np.nan, np.nan, np.nan)
    grouped = min(len(gains), GROUPS)
    group_of_name = rng.permutation(len(gains)) % grouped
    gains, sizes = (
        np.bincount(group_of_name, each, grouped).astype(np.float64) for each in (gains, characters)
    )
    drawn = []
    at_once = max(_DRAWS_AT_ONCE // grouped, 1)
    for first in range(0, resamples, at_once):
        chosen = rng.integers(0, grouped, (min(at_once, resamples - first), grouped))
        drawn.append(gains[chosen].sum(axis=1) / sizes[chosen].sum(axis=1))
    outside = (1.0 - confidence) / 2
    low, high = np.quantile(np.concatenate(drawn), (outside, 1.0 - outside))
    return Gain(float(gains.sum() / sizes.sum()), float(low), float(high))
