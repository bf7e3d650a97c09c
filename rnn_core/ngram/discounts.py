"""The discounts of a Kneser-Ney model, fitted on validation names: those that make them most probable.

    sum_i w_i log P(name_i)  -  firmness / 2 sum (D_j / j - expected_j)^2

The second term keeps the discounts of rare n-grams, which few names tell about, near to what is usual.

A context's probability of a character is linear in the discounts of its own level, and in the probability
that the shorter context gives. So its slopes are known in one walk up the levels and one back down:

    P_k = (count - d) / total + left P_{k-1},       left = sum_j D_j kinds_j / total
    dP_k / dD_j = -[the count is of class j] / total + P_{k-1} kinds_j / total
    dP / dD_k = dP_k / dD_k  product of left over the longer levels

As curvature stands the sum of the squares of the slopes of log P, which is what the negative Hessian is in
the mean over names that the model makes.

Source: E. Berndt, B. Hall, R. Hall & J. Hausman, "Estimation and inference in nonlinear structural models",
Annals of Economic and Social Measurement 3 (1974), for the curvature. That discounts are better fitted on
held-out names than taken from counts of counts was measured: docs/decisions/network-and-ngrams-together.md.
"""

from typing import NamedTuple

import numpy as np

from rnn_core.metrics.scoring import split_by_rows
from rnn_core.ngram.kneser_ney import DISCOUNT, KneserNey, NgramConfig
from rnn_core.ngram.levels import (
    CLASS_COUNTS,
    CLASSES,
    DISCOUNT_RANGE,
    UNSEEN,
    Discounts,
    Indices,
    NgramLevel,
    NgramRows,
    Probabilities,
    context_counts,
    count_classes,
)
from rnn_core.ngram.newton import Expansion, Vector, maximize
from rnn_core.text.names import EncodedNames

# What is expected of discounts, as shares of the counts that they are taken from, and how firmly. On 50
# validation names that is worth some 0.005 nats per character, on 400 nothing.
EXPECTED, FIRMNESS = np.array([0.75, 0.6, 0.5]), 10.0
MAX_ROWS = 1 << 17  # characters that are fitted on, end tokens included: more move no digit that matters


class LevelRows(NamedTuple):
    """The R characters whose contexts a level has seen, each after its context.

    rows:   (R,) which of all characters they are.
    share:  (R,) count over total.
    own:    (R, CLASSES) one over total, in the class of the count; 0 if that is 0.
    left:   (R, CLASSES) how many n-grams of each class the context has, over total.
    """

    rows: Indices
    share: Probabilities
    own: Probabilities
    left: Probabilities


def fit_ngrams(
    config: NgramConfig, training: EncodedNames, validation: EncodedNames, vocabulary_size: int
) -> KneserNey:
    """The model of the training names, its discounts fitted on the validation names if the config names none.

    Raises DataError for a token that is not in the vocabulary.
    """
    ngrams = KneserNey.fit(training, vocabulary_size, config.order, config.discount or DISCOUNT)
    if config.discount is not None or not validation.count:
        return ngrams
    return ngrams.with_discounts(fit_discounts(ngrams, validation))


def fit_discounts(ngrams: KneserNey, validation: EncodedNames) -> Discounts:
    """(K, CLASSES) the discounts of K levels under which the validation names are most probable.

    Each name counts by its weight, if names have weights. Of very many names, the first are used. A discount
    that no name tells about is the expected one.
    """
    names = next(split_by_rows(validation, MAX_ROWS))
    weights = np.ones(len(names.tokens) + names.count)
    if names.weights is not None:
        weights *= np.repeat(names.weights, names.lengths + 1)
    levels = _level_rows(ngrams, NgramRows.from_names(names))
    counts = np.tile(CLASS_COUNTS, len(levels))
    expected = np.tile(EXPECTED, len(levels))

    def posterior(shares: Vector) -> Expansion:
        likelihood = _log_likelihood(
            (shares * counts).reshape(-1, CLASSES), levels, weights, ngrams.vocabulary_size
        )
        deviation = shares - expected
        return Expansion(
            likelihood.value - FIRMNESS / 2 * float(deviation @ deviation),
            likelihood.gradient * counts - FIRMNESS * deviation,
            likelihood.curvature * np.outer(counts, counts) + FIRMNESS * np.eye(len(counts)),
        )

    lowest, highest = (np.full(len(counts), bound) for bound in DISCOUNT_RANGE)
    return (maximize(posterior, expected, lowest, highest) * counts).reshape(-1, CLASSES)


def _log_likelihood(
    discounts: Discounts, levels: list[LevelRows], weights: Probabilities, vocabulary_size: int
) -> Expansion:
    """The log-likelihood of the characters, and its slopes."""
    probability = np.full(len(weights), 1.0 / vocabulary_size)
    lefts, shorter = [], []
    for of_level, (rows, share, own, left) in zip(discounts, levels, strict=True):
        shorter.append(probability[rows])
        lefts.append(left @ of_level)
        probability[rows] = share - own @ of_level + lefts[-1] * shorter[-1]
    slopes = np.zeros((len(weights), len(levels), CLASSES))
    reach = 1.0 / probability  # of a level's probability: the slope of log P
    for number in reversed(range(len(levels))):
        rows, _, own, left = levels[number]
        slopes[rows, number] = reach[rows, np.newaxis] * (left * shorter[number][:, np.newaxis] - own)
        reach[rows] *= lefts[number]
    flat = slopes.reshape(len(weights), -1)
    weighted = flat * weights[:, np.newaxis]
    return Expansion(float(weights @ np.log(probability)), weighted.sum(axis=0), weighted.T @ flat)


def _level_rows(ngrams: KneserNey, rows: NgramRows) -> list[LevelRows]:
    result = []
    contexts, below = np.zeros_like(rows.tokens), 1
    for length, level in enumerate(ngrams.levels, start=1):
        grams = level.find(contexts * ngrams.vocabulary_size + rows.targets)
        result.append(_rows_of_level(level, contexts, below, grams, ngrams.vocabulary_size))
        contexts, below = rows.contexts(grams, length), len(level.codes)
    return result


def _rows_of_level(
    level: NgramLevel, contexts: Indices, below: int, grams: Indices, vocabulary_size: int
) -> LevelRows:
    totals, kinds = context_counts(level.codes // vocabulary_size, level.counts, below)
    rows = np.flatnonzero((contexts != UNSEEN) & (totals[contexts] > 0))
    total = totals[contexts[rows]]
    counts = np.append(level.counts, 0)[grams[rows]]
    own = np.zeros((len(rows), CLASSES))
    own[np.arange(len(rows)), count_classes(counts)] = (counts > 0) / total
    return LevelRows(rows, counts / total, own, kinds[contexts[rows]] / total[:, np.newaxis])
