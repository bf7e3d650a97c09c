"""Distances between two sets of names, in spelling and in length.

Two samples of one distribution differ as well, the more the smaller they are. So compare these distances with
those of two sets of real names of the same sizes.
"""

import math

import numpy as np
import numpy.typing as npt

from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

LONGEST = 3  # n-grams
TOKEN_BITS = 21  # enough for all of Unicode; three tokens fit into an int64


def length_distance(left: EncodedNames, right: EncodedNames) -> float:
    """Wasserstein-1 distance of the two distributions of lengths, in characters; nan if one set is empty.

    The least mean number of characters by which names would have to grow or shrink for one distribution to
    become the other.
    """
    return wasserstein(np.bincount(left.lengths), np.bincount(right.lengths))


def wasserstein(left: Codes, right: Codes) -> float:
    """Wasserstein-1 distance of two distributions over 0, 1, 2, ..., given as counts; nan if one is empty.

    On a line it is the area between the two cumulative distributions F and G:

        W = sum_x |F(x) - G(x)|

    Sources: L. V. Kantorovich, "On the translocation of masses", Doklady AN SSSR 37 (1942), for the distance;
    S. S. Vallender, "Calculation of the Wasserstein distance between probability distributions on the line",
    Theory of Probability & Its Applications 18 (1974), for the formula.
    """
    values = max(len(left), len(right), 1)
    F, G = (np.cumsum(_shares(np.pad(counts, (0, values - len(counts))))) for counts in (left, right))
    return float(np.abs(F - G).sum())


def ngram_divergence(left: EncodedNames, right: EncodedNames, length: int) -> float:
    """Jensen-Shannon divergence of the two distributions of n-grams, in bits.

    0 if they are equal, 1 if they have no n-gram in common; nan if one set is empty.

    length:  n, from 1 to 3; ValueError for another. An n-gram ends at every character and at the end of the
             name; before a name stand end tokens.
    """
    if not 1 <= length <= LONGEST:
        raise ValueError(f"n-grams of 1 to {LONGEST} characters are compared, not of {length}")
    if not (left.count and right.count):
        return math.nan
    codes = [_ngram_codes(names, length) for names in (left, right)]
    distinct, ids_of_both = np.unique(np.concatenate(codes), return_inverse=True)
    counts = (np.bincount(ids, minlength=len(distinct)) for ids in np.split(ids_of_both, [len(codes[0])]))
    return jensen_shannon(*map(_shares, counts))


def jensen_shannon(p: Numbers, q: Numbers) -> float:
    """Jensen-Shannon divergence in bits of two distributions over the same K things, (K,) each.

        JS(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2,   H(p) = -sum_k p_k log2 p_k

    Source: J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information
    Theory 37 (1991).
    """
    return max(0.0, _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2)  # rounding may go below 0


def _ngram_codes(names: EncodedNames, length: int) -> Codes:
    """(C + N,) a number for each n-gram, name after name."""
    tokens = np.insert(names.tokens, names.offsets[1:], END_TOKEN).astype(np.int64)
    starts = names.offsets[:-1] + np.arange(names.count)
    before = np.arange(len(tokens)) - np.repeat(starts, names.lengths + 1)  # characters in its name
    codes = tokens.copy()
    for back in range(1, length):
        earlier = np.where(before >= back, np.roll(tokens, back), END_TOKEN)
        codes |= earlier << (TOKEN_BITS * back)
    return codes


def _entropy(p: Numbers) -> float:
    positive = p[p > 0]
    return float(-(positive * np.log2(positive)).sum())


def _shares(counts: npt.NDArray[np.int64]) -> Numbers:
    """The counts as shares; nan if all are 0."""
    with np.errstate(invalid="ignore"):
        shares: Numbers = counts / counts.sum()
    return shares
