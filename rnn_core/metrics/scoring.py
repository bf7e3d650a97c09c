"""The log-probabilities of names under a network, or an ensemble of networks."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import downcast, length_sorted_chunks
from rnn_core.errors import DataError
from rnn_core.nn import ensemble
from rnn_core.nn.ensemble import Networks
from rnn_core.text.names import EncodedNames

OnScored = Callable[[int], object]  # is called with every number of names that were scored
TargetScorer = Callable[[Batch, Workspace], Floats]  # gives the log-probability of each target, (E,)

ROWS_AT_ONCE = 4_096  # bounds the memory whatever the number of names, and keeps the work in the cache


def log_probabilities(
    networks: Networks, names: EncodedNames, on_scored: OnScored = lambda _names: None
) -> npt.NDArray[np.float64]:
    """(N,) the log-probability of each name in nats, the end token included, given its style if it has one.

    Raises DataError if a token is not in the vocabulary of the network, or a style not one of its styles.
    """
    check_names(names, networks.vocabulary_size, networks.style_count)
    padded = ensemble.pad_vocabulary(networks)
    return stream_log_probabilities(
        partial(ensemble.target_log_probabilities, padded),
        BatchStream.from_names(names),
        Workspace(networks.dtype),
        on_scored=on_scored,
    )


def character_log_probabilities(networks: Networks, names: EncodedNames) -> npt.NDArray[np.float64]:
    """(C + N,) log P(character | those before it) in nats, name after name; the end token is a name's last.

    Raises DataError if a token is not in the vocabulary of the network, or a style not one of its styles.
    """
    check_names(names, networks.vocabulary_size, networks.style_count)
    stream = BatchStream.from_names(names)
    first = names.offsets[:-1] + np.arange(names.count)
    result = np.zeros(len(names.tokens) + names.count)
    padded, workspace = ensemble.pad_vocabulary(networks), Workspace(networks.dtype)
    for chosen, batch in length_sorted_batches(stream):
        log_probabilities = ensemble.target_log_probabilities(padded, batch, workspace)
        # Within a name the characters are in order already, so a stable sort puts name after name.
        order = np.argsort(downcast(batch.name_of_character), kind="stable")
        rows = stream.rows[chosen]
        skipped = first[chosen] - (np.cumsum(rows) - rows)
        result[np.arange(len(order)) + np.repeat(skipped, rows)] = log_probabilities[
            batch.target_of_character
        ][order]
    return result


def sum_per_name(log_probabilities: npt.NDArray[np.float64], names: EncodedNames) -> npt.NDArray[np.float64]:
    """(N,) the sums over the characters of each name.

    log_probabilities:  (C + N,) of the characters, name after name, end tokens included.
    """
    name_of_character = np.repeat(np.arange(names.count), names.lengths + 1)
    return np.bincount(name_of_character, log_probabilities, minlength=names.count).astype(np.float64)


def cross_entropy_per_character(networks: Networks, names: EncodedNames) -> float:
    """Mean of -log P(character | those before it) in nats, the end token of each name included.

    A name counts by its weight, if it has one. nan without names. Its exponential is the perplexity; divided
    by log 2 it is in bits.
    """
    return mean_nats_per_character(log_probabilities(networks, names), names)


def mean_nats_per_character(log_probabilities: npt.NDArray[np.float64], names: EncodedNames) -> float:
    """Nats per character, end tokens included, of names with these log-probabilities, (N,); nan for none."""
    return _mean_cost(log_probabilities, names.lengths + 1, names.weights)


def stream_cross_entropy(
    networks: Networks,
    stream: BatchStream,
    workspace: Workspace,
    weights: Floats | None = None,
) -> float:
    """`cross_entropy_per_character` for padded parameters and a prepared stream.

    weights:  (N,) of the names.
    """
    score = partial(ensemble.target_log_probabilities, networks)
    return _mean_cost(stream_log_probabilities(score, stream, workspace), stream.rows, weights)


def stream_log_probabilities(
    score: TargetScorer,
    stream: BatchStream,
    workspace: Workspace,
    rows_at_once: int = ROWS_AT_ONCE,
    on_scored: OnScored = lambda _names: None,
) -> npt.NDArray[np.float64]:
    """(N,) the log-probability of each name of a prepared stream, by what scores the targets of a batch."""
    result = np.zeros(len(stream.rows))
    for chosen, batch in length_sorted_batches(stream, rows_at_once):
        log_probabilities = score(batch, workspace)[batch.target_of_character]
        result[chosen] = np.bincount(
            batch.name_of_character, weights=log_probabilities, minlength=len(chosen)
        )
        on_scored(len(chosen))
    return result


def length_sorted_batches(
    stream: BatchStream, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[tuple[Integers, Batch]]:
    """All names of a stream, in packed batches of similar lengths: which names, (B,), and their batch."""
    for chosen in length_sorted_chunks(stream.rows, rows_at_once):
        (batch,) = stream.packed_batches([chosen])
        yield chosen, batch


def split_by_rows(names: EncodedNames, rows_at_once: int) -> Iterator[EncodedNames]:
    """Parts of the names, each of at most so many characters, end tokens included, or of one name."""
    ends = names.offsets[1:] + np.arange(1, names.count + 1)
    start = 0
    while start < names.count:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + rows_at_once, side="right")))
        yield names.take(np.arange(start, stop))
        start = stop


def check_names(names: EncodedNames, vocabulary_size: int, style_count: int = 0) -> None:
    """Raises DataError if a token lies outside of 1 to vocabulary_size - 1, or a style is none of so many.

    style_count:  of the network; 0 if it knows no styles, and then names have none.
    """
    check_tokens(names, vocabulary_size)
    styles = (
        np.zeros(0, np.int64) if names.starts is None else names.starts.astype(np.int64) - vocabulary_size
    )
    has_styles, saw = names.starts is not None, "names without styles"
    if styles.size:
        saw = f"styles from {styles.min()} to {styles.max()}"
    is_known = not styles.size or 0 <= styles.min() <= styles.max() < style_count
    if names.count and (has_styles != bool(style_count) or not is_known):
        raise DataError(
            "names.style",
            f"a name must have one of the {style_count} styles of the network"
            if style_count
            else "the network knows no styles",
            saw=saw,
            fix="give every name the style of its list, or no name a style if the network knows none.",
        )


def check_tokens(names: EncodedNames, vocabulary_size: int) -> None:
    """Raises DataError if a token lies outside of 1 to vocabulary_size - 1, whatever the styles."""
    tokens = names.tokens
    if tokens.size and not 1 <= tokens.min() <= tokens.max() < vocabulary_size:
        raise DataError(
            "names.token",
            f"a token of a name must lie in 1 to {vocabulary_size - 1} with this vocabulary",
            saw=f"tokens from {tokens.min()} to {tokens.max()}",
            fix="encode the names with the vocabulary of the model.",
        )


def _mean_cost(
    log_probabilities: npt.NDArray[np.float64], characters: npt.NDArray[np.int64], weights: Floats | None
) -> float:
    """sum_i w_i (-log P_i) / sum_i w_i n_i over N names of n_i characters and weight w_i."""
    w: Floats | float = 1.0 if weights is None else weights
    total = float((w * characters).sum())
    return -float((w * log_probabilities).sum()) / total if total else math.nan
