"""The exponents of a geometric mixture, fitted on validation names: those that make them most probable.

    sum_i w_i log P(name_i)  -  firmness / 2 sum (exponent - 1/2)^2

The likelihood is that of two log-linear models, one of the characters and one of the ends, so it is concave
in the exponents, and Newton's method finds its maximum in a few steps:

    gradient  sum_i w_i (f_i - E f_i),    negative Hessian  sum_i w_i Cov f_i

with the log-probabilities under network and n-grams (of an end: their log-odds) as the features f. The second
term matters where there are but a few names to fit on.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.batching.batch import Batch
from rnn_core.batching.batches import BatchStream
from rnn_core.errors import TrainingError
from rnn_core.metrics.scoring import length_sorted_batches, split_by_rows
from rnn_core.ngram.by_style import Ngrams
from rnn_core.ngram.levels import Probabilities
from rnn_core.ngram.newton import Expansion, Vector, maximize
from rnn_core.ngram.rules import MAX_EXPONENT, end_log_odds
from rnn_core.nn import ensemble
from rnn_core.nn.ensemble import Networks
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

MAX_ELEMENTS = 1 << 24  # log-probabilities of each model that are held: of more names, the first are used
MIN_EXPONENT = 1e-3  # above 0: what one of the models holds for impossible stays so
EXPECTED, FIRMNESS = 0.5, 10.0
SMALLEST = -1e4  # log-probability that is fitted on


class FeatureRows(NamedTuple):
    """What network and n-grams say before N characters, and what came: a part of all.

    characters:  (2, N, V - 1) float32, their log-probabilities of all but the end, up to a constant.
    sums:        (2,) of those of the characters that came, by weight.
    weights:     (N,) of the characters that came.
    ends:        (2, N) their log-odds of an end.
    ended:       (N,) the weight of the names that ended.
    """

    characters: npt.NDArray[np.float32]
    sums: Probabilities
    weights: Probabilities
    ends: Probabilities
    ended: Probabilities


def fit_exponents(
    networks: Networks, ngrams: Ngrams, validation: EncodedNames
) -> tuple[Probabilities, Probabilities]:
    """(2,) the exponents of network and n-grams for characters, and (2,) those for the end token.

    Each name counts by its weight, if names have weights.

    Raises DataError for a token that is not in the vocabulary, and TrainingError if the network's
    probabilities are not finite.
    """
    names = next(split_by_rows(validation, max(1, MAX_ELEMENTS // ngrams.vocabulary_size)))
    parts = list(_feature_rows(networks, ngrams, names))
    start, lowest, highest = (np.full(2, value) for value in (EXPECTED, MIN_EXPONENT, MAX_EXPONENT))

    def characters(exponents: Vector) -> Expansion:
        return _posterior(exponents, [_characters(exponents, part) for part in parts])

    def ends(exponents: Vector) -> Expansion:
        return _posterior(exponents, [_ends(exponents, part) for part in parts])

    return maximize(characters, start, lowest, highest), maximize(ends, start, lowest, highest)


def _feature_rows(networks: Networks, ngrams: Ngrams, names: EncodedNames) -> Iterator[FeatureRows]:
    name_weights = np.ones(names.count) if names.weights is None else names.weights
    workspace = Workspace(networks.dtype)
    for chosen, batch in length_sorted_batches(BatchStream.from_names(names)):
        logits = ensemble.logits(networks, batch, workspace).astype(np.float64)
        if not np.isfinite(logits.max(axis=1)).all():
            raise TrainingError(
                "mixture.not_finite",
                "the network's probabilities are not finite",
                fix="train the model again with a lower learning rate.",
            )
        logits -= logits.max(axis=1, keepdims=True)
        np.maximum(logits, SMALLEST, out=logits)
        probabilities = ngrams.distributions(ngrams.batch_contexts(batch), batch.size)
        odds = end_log_odds(logits.T, probabilities.T)
        log_p = np.stack([logits, np.log(probabilities)])
        yield _with_targets(batch, name_weights[chosen], log_p, odds)


def _with_targets(
    batch: Batch, weights: Probabilities, log_p: Probabilities, odds: Probabilities
) -> FeatureRows:
    """log_p: (2, N, V). weights: (B,) of the names."""
    targets = batch.targets
    of_target = np.bincount(
        batch.target_of_character, weights[batch.name_of_character], minlength=len(targets.rows)
    )
    is_end = targets.tokens == END_TOKEN
    ended, continued = (
        np.bincount(targets.rows[of], of_target[of], minlength=batch.size).astype(np.float64)
        for of in (is_end, ~is_end)
    )
    came = log_p[:, targets.rows[~is_end], targets.tokens[~is_end]]
    characters = log_p[:, :, END_TOKEN + 1 :].astype(np.float32)
    return FeatureRows(characters, came @ of_target[~is_end], continued, odds, ended)


def _characters(exponents: Vector, part: FeatureRows) -> Expansion:
    features = part.characters.astype(np.float64)
    combined = exponents[0] * features[0] + exponents[1] * features[1]
    largest = combined.max(axis=1, keepdims=True)
    shares = np.exp(combined - largest)
    sums = shares.sum(axis=1)
    shares /= sums[:, np.newaxis]
    normalizers = np.log(sums) + largest[:, 0]
    means = (features * shares).sum(axis=2)
    spread = (features * np.sqrt(shares * part.weights[:, np.newaxis])).reshape(2, -1)
    return Expansion(
        float(exponents @ part.sums - part.weights @ normalizers),
        part.sums - means @ part.weights,
        spread @ spread.T - (means * part.weights) @ means.T,
    )


def _ends(exponents: Vector, part: FeatureRows) -> Expansion:
    odds = exponents @ part.ends
    share = 1.0 / (1.0 + np.exp(-odds))
    total = part.weights + part.ended
    return Expansion(
        float(part.ended @ odds - total @ np.logaddexp(0.0, odds)),
        part.ends @ (part.ended - total * share),
        (part.ends * (total * share * (1.0 - share))) @ part.ends.T,
    )


def _posterior(exponents: Vector, parts: list[Expansion]) -> Expansion:
    """The likelihood of all parts, and what is expected of exponents."""
    away = exponents - EXPECTED
    return Expansion(
        sum(part.value for part in parts) - FIRMNESS / 2 * float(away @ away),
        np.sum([part.gradient for part in parts], axis=0) - FIRMNESS * away,
        np.sum([part.curvature for part in parts], axis=0) + FIRMNESS * np.eye(len(exponents)),
    )
