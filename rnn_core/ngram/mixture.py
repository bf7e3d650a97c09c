"""The mixture of a network and an n-gram model: what one has not learned, the other may have counted.

    P(c | before) = weight P_network(c | before) + (1 - weight) P_ngrams(c | before)

One weight, the one under which held-out names are most probable.

Source: F. Jelinek & R. L. Mercer, "Interpolated estimation of Markov source parameters from sparse data",
Pattern Recognition in Practice (1980), who find such weights from held-out text.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics import scoring
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.nn.ensemble import Networks, to_float64
from rnn_core.sample.model import Model, ModelState, network_model, softmax
from rnn_core.state_dict import Layout, invalid_arrays
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

_invalid = partial(invalid_arrays, "mixture", "fit it again")

ROWS_AT_ONCE = 1 << 18  # characters; bounds the memory of scoring
BISECTIONS = 40  # of the interval that holds the weight

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A network and an n-gram model of one vocabulary; weight: of the network, from 0 to 1.

    Raises DataError for different vocabularies, or a weight out of range.
    """

    network: Networks
    ngrams: KneserNey
    weight: float

    def __post_init__(self) -> None:
        sizes = self.network.vocabulary_size, self.ngrams.vocabulary_size
        if sizes[0] != sizes[1]:
            raise _invalid(
                "both parts must have the same vocabulary", "", f"{sizes[0]} and {sizes[1]} tokens"
            )
        if not 0.0 <= self.weight <= 1.0:
            raise _invalid("the weight must lie from 0 to 1", "", f"{self.weight}")

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens."""
        return self.network.vocabulary_size


def fit_weight(parameters: Networks, ngrams: KneserNey, validation: EncodedNames) -> float:
    """The weight of the network that makes the validation names most probable, to 1e-12.

    The log-likelihood is concave in the weight, so bisection finds where its slope is zero:

        sum_c (P_network(c) - P_ngrams(c)) / (weight P_network(c) + (1 - weight) P_ngrams(c))

    Each term counts by the weight of its name, if names have weights.

    Raises DataError if there are no validation names, or for a token that is not in the vocabulary, and
    TrainingError if the network's probabilities are not finite.
    """
    if not validation.count:
        raise mixture_unavailable()
    network_log_p = scoring.character_log_probabilities(parameters, validation)
    ngram_log_p = ngrams.character_log_probabilities(validation)
    if np.isnan(network_log_p).any():
        raise TrainingError(
            "mixture.not_finite",
            "the network's probabilities are not finite",
            fix="train the model again with a lower learning rate.",
        )
    # A common factor cancels: the larger of the two becomes 1, so that no sum is zero.
    larger = np.maximum(network_log_p, ngram_log_p)
    p, q = np.exp(network_log_p - larger), np.exp(ngram_log_p - larger)
    difference = p - q
    if validation.weights is not None:
        difference *= np.repeat(validation.weights, validation.lengths + 1)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        weight = (low + high) / 2
        if (difference / (weight * p + (1.0 - weight) * q)).sum() > 0:
            low = weight
        else:
            high = weight
    return (low + high) / 2


def weight_from_array(array: npt.NDArray[Any]) -> float:
    """The weight stored as one float64. Raises DataError for anything else."""
    check_weight_layout(array)
    return float(array)


def check_weight_layout(array: Layout) -> None:
    """Raise DataError unless an array of this type and shape can be a stored weight."""
    if array.dtype != np.float64 or array.shape != ():
        raise _invalid("the weight must be one float64", "", f"{array.dtype} of shape {array.shape}")


def log_probabilities(
    mixture: Mixture, names: EncodedNames, on_scored: scoring.OnScored = lambda _names: None
) -> Probabilities:
    """(N,) the log-probability of each name in nats, the end token included.

    Raises DataError for a token that is not in the vocabulary.
    """
    scored = [np.zeros(0)]
    for part in scoring.split_by_rows(names, ROWS_AT_ONCE):
        scored.append(scoring.sum_per_name(_character_log_probabilities(mixture, part), part))
        on_scored(part.count)
    return np.concatenate(scored)


def mixture_model(mixture: Mixture) -> Model:
    """The model of a mixture, to sample from; its state is that of the network and that of the n-grams."""
    network_part = network_model(mixture.network)
    ngrams, weight = mixture.ngrams, mixture.weight

    def initial_state(count: int) -> ModelState:
        return network_part.initial_state(count), ngrams.initial_state(count)

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        network_state, ngram_state = state
        logits = network_part.step(tokens, network_state, workspace)
        # N-grams count names of all styles: for them each begins with the end token.
        read = np.where(tokens < mixture.vocabulary_size, tokens, END_TOKEN)
        for contexts, next_contexts in zip(ngram_state, ngrams.advance(read, ngram_state), strict=True):
            contexts[:] = next_contexts
        probabilities = ngrams.distributions(ngram_state, len(tokens))
        probabilities *= 1.0 - weight
        probabilities += weight * softmax(logits).T
        with np.errstate(divide="ignore"):  # with a weight of 1 a character may be impossible
            return np.log(probabilities, out=probabilities).T

    is_double = mixture.network.dtype == np.float64
    double = None if is_double else mixture_model(replace(mixture, network=to_float64(mixture.network)))
    return Model(mixture.vocabulary_size, mixture.network.dtype, initial_state, step, double)


def mixture_unavailable() -> DataError:
    """The error for a mixture whose weight could not be fitted."""
    return DataError(
        "mixture.no_validation",
        "the mixture is unavailable: its weight is fitted on validation names, and there are none",
        fix="give some names to validation, or sample from the network alone.",
    )


def _character_log_probabilities(mixture: Mixture, names: EncodedNames) -> Probabilities:
    network_log_p = scoring.character_log_probabilities(mixture.network, names)
    ngram_log_p = mixture.ngrams.character_log_probabilities(names)
    with np.errstate(divide="ignore"):  # a weight of 0 or 1 uses one part alone
        network_log_p += np.log(mixture.weight)
        ngram_log_p += np.log1p(-mixture.weight)
    return np.logaddexp(network_log_p, ngram_log_p, out=network_log_p)
