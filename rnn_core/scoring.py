"""How probable a network finds given names."""

import math

import numpy as np
import numpy.typing as npt

from rnn_core import network
from rnn_core.arrays import Workspace
from rnn_core.batching import Stream, chunks_of_rows
from rnn_core.errors import DataError
from rnn_core.names import EncodedNames

ROWS_AT_ONCE = 4_096  # bounds the memory whatever the number of names, and keeps the work in the cache


def log_probabilities(parameters: network.Parameters, names: EncodedNames) -> npt.NDArray[np.float64]:
    """(N,) the log-probability of each name in nats, the end token included.

    Raises DataError if a token is not in the vocabulary of the network.
    """
    check_tokens(names, parameters.vocabulary_size)
    return _stream_log_probabilities(
        network.padded(parameters), Stream.of(names), Workspace(parameters.dtype)
    )


def cross_entropy_per_character(parameters: network.Parameters, names: EncodedNames) -> float:
    """Mean of -log P(character | those before it) in nats, the end token of each name being a character.

    nan if there are no names. Its exponential is the perplexity; divided by log 2 it is in bits.
    """
    return per_character(log_probabilities(parameters, names), names)


def per_character(log_probabilities: npt.NDArray[np.float64], names: EncodedNames) -> float:
    """Nats per character, end tokens included, of names with these log-probabilities, (N,); nan for none."""
    return _mean_cost(log_probabilities, len(names.tokens) + names.count)


def stream_cross_entropy(parameters: network.Parameters, stream: Stream, workspace: Workspace) -> float:
    """`cross_entropy_per_character` for parameters and names that are prepared already."""
    return _mean_cost(_stream_log_probabilities(parameters, stream, workspace), int(stream.rows.sum()))


def check_tokens(names: EncodedNames, vocabulary_size: int) -> None:
    """Raises DataError if a token lies outside of 1 to vocabulary_size - 1."""
    tokens = names.tokens
    if tokens.size and not 1 <= tokens.min() <= tokens.max() < vocabulary_size:
        raise DataError(
            "names.token",
            f"a token of a name lies in 1 to {vocabulary_size - 1} with this vocabulary",
            saw=f"tokens from {tokens.min()} to {tokens.max()}",
            fix="encode the names with the vocabulary that belongs to the model.",
        )


def _stream_log_probabilities(
    parameters: network.Parameters, stream: Stream, workspace: Workspace
) -> npt.NDArray[np.float64]:
    result = np.zeros(len(stream.rows))
    for chosen in chunks_of_rows(stream.rows, ROWS_AT_ONCE):
        (batch,) = stream.packed([chosen])
        wanted = network.target_log_probabilities(parameters, batch, workspace)
        result[chosen] = np.bincount(batch.names, weights=wanted[batch.places], minlength=len(chosen))
    return result


def _mean_cost(log_probabilities: npt.NDArray[np.float64], characters: int) -> float:
    return -float(log_probabilities.sum()) / characters if characters else math.nan
