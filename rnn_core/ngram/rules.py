"""How a network and n-grams become one distribution of the next character: two rules with one interface.

The geometric rule weighs log-probabilities, and decides apart whether a name ends. For all other characters v

    P(v | before, no end)  ~  P_network(v | before)^a  P_ngrams(v | before)^b

    logit P(end | before)  =  c logit P_network(end | before) + d logit P_ngrams(end | before) + shift(length)

N-grams do not know how long a name is already, so the end has exponents of its own, and a shift for every
length. An exponent below 1 makes a model bolder than it is, since both together would be too sure.

The linear rule is that of older models:

    P(v | before) = weight P_network(v | before) + (1 - weight) P_ngrams(v | before)

Sources: G. Hinton, "Training products of experts by minimizing contrastive divergence", Neural Computation
14 (2002), for products; F. Jelinek & R. L. Mercer, "Interpolated estimation of Markov source parameters from
sparse data", Pattern Recognition in Practice (1980), for sums, and for weights found from held-out text.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats
from rnn_core.ngram.levels import Indices, Probabilities
from rnn_core.sample.model import softmax
from rnn_core.state_dict import Layout, Layouts, invalid_arrays
from rnn_core.text.styles import MOST_STYLES
from rnn_core.text.vocabulary import END_TOKEN

MAX_EXPONENT = 4.0
MAX_STORED_SHIFT = 100.0
MAX_LENGTHS = 1 << 16

_invalid = partial(invalid_arrays, "mixture", "fit it again")


class GeometricRule(NamedTuple):
    """The geometric rule.

    characters:  (2,) the exponents of network and n-grams, a and b.
    ends:        (2,) those of the end token, c and d.
    shifts:      (S, L) what is added to the log-odds of an end after 0, 1, ... characters, the last for all
                 longer names: for each style, or in one row for all.
    """

    characters: Probabilities
    ends: Probabilities
    shifts: Probabilities

    def combine(
        self, logits: Floats, probabilities: Probabilities, lengths: Indices, styles: Indices
    ) -> Probabilities:
        """The log-probabilities of the next character up to a constant, (V, B).

        logits:         (V, B) those of the network.
        probabilities:  (V, B) those of the n-grams; overwritten.
        lengths:        (B,) characters before it.
        styles:         (B,) of the names; 0 if they have none.
        """
        network_logits = logits.astype(np.float64)
        ends = self.ends @ end_log_odds(network_logits, probabilities)
        rows, columns = self.shifts.shape
        ends += self.shifts[styles if rows > 1 else 0, np.minimum(lengths, columns - 1)]
        combined = np.log(probabilities, out=probabilities)
        combined *= self.characters[1]
        network_logits *= self.characters[0]
        combined += network_logits
        combined[END_TOKEN] = ends + _log_sum(combined[END_TOKEN + 1 :])
        return combined

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies by name."""
        return {_EXPONENTS: np.stack([self.characters, self.ends]), _SHIFTS: self.shifts.copy()}


class LinearRule(NamedTuple):
    """The linear rule; weight: of the network."""

    weight: float

    def combine(
        self, logits: Floats, probabilities: Probabilities, _lengths: Indices, _styles: Indices
    ) -> Probabilities:
        """As `GeometricRule.combine`."""
        probabilities *= 1.0 - self.weight
        probabilities += self.weight * softmax(logits)
        with np.errstate(divide="ignore"):  # with a weight of 1 a character may be impossible
            return np.log(probabilities, out=probabilities)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies by name."""
        return {_WEIGHT: np.array(self.weight)}


Rule: TypeAlias = GeometricRule | LinearRule


def end_log_odds(logits: Probabilities, probabilities: Probabilities) -> Probabilities:
    """(2, B) log P(end) / P(no end) under the network, and under the n-grams; shapes as in `combine`."""
    others = probabilities[END_TOKEN + 1 :].sum(axis=0)  # 1 - P(end) would lose the digits of a small one
    of_ngrams = np.log(probabilities[END_TOKEN]) - np.log(others)
    return np.stack([logits[END_TOKEN] - _log_sum(logits[END_TOKEN + 1 :]), of_ngrams])


def rule_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Rule | None:
    """The rule in arrays of a file, of which others are ignored; None if there is none.

    Raises DataError for arrays that are not a rule.
    """
    check_layout(arrays)
    if _WEIGHT in arrays:
        weight = float(arrays[_WEIGHT])
        if not 0.0 <= weight <= 1.0:
            raise _invalid("the weight must lie from 0 to 1", _WEIGHT, f"{weight}")
        return LinearRule(weight)
    if _EXPONENTS not in arrays:
        return None
    exponents, shifts = arrays[_EXPONENTS].copy(), arrays[_SHIFTS].copy()
    if not ((exponents > 0.0) & (exponents <= MAX_EXPONENT)).all():
        what = f"exponents must be above 0, at most {MAX_EXPONENT:g}"
        raise _invalid(what, _EXPONENTS, f"{exponents.ravel()}")
    if not (np.abs(shifts) <= MAX_STORED_SHIFT).all():
        raise _invalid(f"shifts must lie within ±{MAX_STORED_SHIFT:g}", _SHIFTS, f"{shifts.ravel()[:9]}")
    return GeometricRule(exponents[0], exponents[1], shifts)


def check_layout(arrays: Layouts) -> None:
    """Raise DataError unless the arrays of a rule among these can be one, by type and shape."""
    if _WEIGHT in arrays:
        _check(arrays, _WEIGHT, "one float64", arrays[_WEIGHT].shape == ())
    if _EXPONENTS in arrays or _SHIFTS in arrays:
        if not {_EXPONENTS, _SHIFTS} <= set(arrays) or _WEIGHT in arrays:
            saw = ", ".join(name for name in ARRAYS if name in arrays)
            raise _invalid("it has exponents and shifts, or a weight", "", f"names {saw}")
        _check(arrays, _EXPONENTS, "float64 of shape (2, 2)", arrays[_EXPONENTS].shape == (2, 2))
        shape = arrays[_SHIFTS].shape
        is_matrix = len(shape) == 2 and 1 <= shape[0] <= MOST_STYLES and 1 <= shape[1] <= MAX_LENGTHS
        _check(arrays, _SHIFTS, f"float64, for 1 to {MAX_LENGTHS} lengths of each style", is_matrix)


def _check(arrays: Layouts, name: str, what: str, is_right: bool) -> None:
    array: Layout = arrays[name]
    if array.dtype != np.float64 or not is_right:
        raise _invalid(f"it must be {what}", name, f"{array.dtype} of shape {array.shape}")


_WEIGHT, _EXPONENTS, _SHIFTS = ARRAYS = "mixture.weight", "mixture.exponents", "mixture.shifts"


def _log_sum(logits: Probabilities) -> Probabilities:
    """(B,) log sum_v exp logits, over the first axis."""
    with np.errstate(invalid="ignore"):  # checked by the logits processor
        largest = logits.max(axis=0)
        sums: Probabilities = np.log(np.exp(logits - largest).sum(axis=0)) + largest
    return sums
