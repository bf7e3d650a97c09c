"""A network and an n-gram model together: what one has not learnt, the other may have counted.

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
from rnn_core.nn.network import NetworkParameters, to_float64
from rnn_core.sample.model import Model, ModelState, network_model
from rnn_core.state_dict import invalid_arrays
from rnn_core.text.names import EncodedNames

_refused = partial(invalid_arrays, "mixture", "make it again")

ROWS_AT_ONCE = 1 << 18  # characters; bounds the memory of scoring
HALVINGS = 40  # of the interval that holds the weight

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """weight:  of the network, from 0 to 1.

    Raises DataError for two vocabularies, or a weight out of range.
    """

    network: NetworkParameters
    ngrams: KneserNey
    weight: float

    def __post_init__(self) -> None:
        sizes = self.network.vocabulary_size, self.ngrams.vocabulary_size
        if sizes[0] != sizes[1]:
            raise _refused("both parts have one vocabulary", "", f"{sizes[0]} and {sizes[1]} tokens")
        if not 0.0 <= self.weight <= 1.0:
            raise _refused("the weight lies from 0 to 1", "", f"{self.weight}")

    @property
    def vocabulary_size(self) -> int:
        return self.network.vocabulary_size


def fit_weight(parameters: NetworkParameters, ngrams: KneserNey, validation: EncodedNames) -> float:
    """The weight of the network that makes the validation names most probable, to 1e-12.

    The log-likelihood is concave in the weight. So its slope falls, and halving finds where it is zero:

        sum_c (P_network(c) - P_ngrams(c)) / (weight P_network(c) + (1 - weight) P_ngrams(c))

    Each term counts as much as the name that the character is of, if names have weights.

    Raises DataError if there are no validation names, or for a token that is not in the vocabulary, and
    TrainingError if the network's probabilities are not numbers.
    """
    if not validation.count:
        raise mixture_unavailable()
    of_network = scoring.character_log_probabilities(parameters, validation)
    of_ngrams = ngrams.character_log_probabilities(validation)
    if np.isnan(of_network).any():
        raise TrainingError(
            "mixture.not_finite",
            "the network gives probabilities that are not numbers",
            fix="train the model again; a lower learning rate may be what it needs.",
        )
    # A common factor cancels. So the larger of the two becomes 1, and none of their sums is zero.
    larger = np.maximum(of_network, of_ngrams)
    p, q = np.exp(of_network - larger), np.exp(of_ngrams - larger)
    difference = p - q
    if validation.weights is not None:
        difference *= np.repeat(validation.weights, validation.lengths + 1)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        weight = (low + high) / 2
        if (difference / (weight * p + (1.0 - weight) * q)).sum() > 0:
            low = weight
        else:
            high = weight
    return (low + high) / 2


def weight_from_array(array: npt.NDArray[Any]) -> float:
    """The weight that a file holds as one float64. Raises DataError for anything else."""
    if array.dtype != np.float64 or array.shape != ():
        raise _refused("the weight is one float64", "", f"{array.dtype} of shape {array.shape}")
    return float(array)


def log_probabilities(mixture: Mixture, names: EncodedNames) -> Probabilities:
    """(N,) the log-probability of each name in nats, the end token included.

    Raises DataError for a token that is not in the vocabulary.
    """
    scored = [
        scoring.sum_per_name(_character_log_probabilities(mixture, some), some)
        for some in scoring.split_by_rows(names, ROWS_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0), *scored])


def mixture_model(mixture: Mixture) -> Model:
    """For `sampling`. A name's state is that of the network, and that of the n-grams."""
    network_part = network_model(mixture.network)
    ngrams, weight = mixture.ngrams, mixture.weight

    def initial_state(count: int) -> ModelState:
        return network_part.initial_state(count), ngrams.initial_state(count)

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        of_network, of_ngrams = state
        logits = network_part.step(tokens, of_network, workspace)
        probabilities, contexts = ngrams.step(tokens, of_ngrams)
        for kept, context in zip(of_ngrams, contexts, strict=True):
            kept[:] = context
        probabilities *= 1.0 - weight
        probabilities += weight * _softmax(logits).T
        with np.errstate(divide="ignore"):  # with a weight of 1 a character may be impossible
            return np.log(probabilities, out=probabilities).T

    is_double = mixture.network.dtype == np.float64
    double = None if is_double else mixture_model(replace(mixture, network=to_float64(mixture.network)))
    return Model(mixture.vocabulary_size, mixture.network.dtype, initial_state, step, double)


def mixture_unavailable() -> DataError:
    """What to raise when someone asks for the mixture and its weight could not be fitted."""
    return DataError(
        "mixture.no_validation",
        "there is no mixture: its weight is fitted on validation names, and there are none",
        fix="give some names to validation, or sample from the network alone.",
    )


def _character_log_probabilities(mixture: Mixture, names: EncodedNames) -> Probabilities:
    of_network = scoring.character_log_probabilities(mixture.network, names)
    of_ngrams = mixture.ngrams.character_log_probabilities(names)
    with np.errstate(divide="ignore"):  # a weight of 0 or 1 leaves one part out
        of_network += np.log(mixture.weight)
        of_ngrams += np.log1p(-mixture.weight)
    return np.logaddexp(of_network, of_ngrams, out=of_network)


def _softmax(logits: Floats) -> Probabilities:
    """Over the first axis."""
    with np.errstate(invalid="ignore"):  # what is not a number is seen by who draws from it
        weights: Probabilities = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    weights /= weights.sum(axis=0)
    return weights
