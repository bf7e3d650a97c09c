"""The order and the batches in which names come."""

import itertools
from collections.abc import Iterator

import numpy as np

from rnn_core.arrays import Integers
from rnn_core.batching.batch import Indices
from rnn_core.text.names import EncodedNames


def alphabetical_ranks(names: EncodedNames) -> Indices:
    """(N,) the rank of each name when all are sorted by their tokens, style by style."""
    tokens = names.tokens.astype(">u4").tobytes()  # most significant byte first: bytes sort as tokens do
    bounds = (4 * names.offsets).tolist()
    words = [tokens[begin:end] for begin, end in itertools.pairwise(bounds)]
    order: Integers = np.array(sorted(range(names.count), key=words.__getitem__), dtype=np.int64)
    if names.starts is not None:
        order = sort_by_key(names.starts, order)
    ranks = np.empty(names.count, dtype=np.int64)
    ranks[order] = np.arange(names.count)
    return ranks


def downcast(keys: Indices) -> Integers:
    """The same numbers as int16 if they fit, which are sorted in linear time."""
    limits = np.iinfo(np.int16)
    fits = keys.size and limits.min <= keys.min() and keys.max() <= limits.max
    return keys.astype(np.int16) if fits else keys


def sort_by_key(keys: Integers, chosen: Integers) -> Integers:
    """The chosen names by ascending key; equal ones keep their order."""
    return chosen[np.argsort(keys[chosen], kind="stable")]


def longest_first(rows: Integers, chosen: Integers) -> Integers:
    """The chosen names by descending length; equal ones keep their order."""
    return sort_by_key(-rows, chosen)


def shuffled_batches(
    keys: Integers, batch_size: int, rng: np.random.Generator, names: Integers | None = None
) -> list[Integers]:
    """Random batches of all names, each batch sorted by key.

    keys:   (N,) minus the lengths for packed batches, `alphabetical_ranks` for shared ones.
    names:  (N,) these instead of all, some perhaps more than once.
    """
    order: Integers = rng.permutation(len(keys))
    if names is not None:
        order = names[order]
    return [
        sort_by_key(keys, order[start : start + batch_size]) for start in range(0, len(order), batch_size)
    ]


def length_sorted_chunks(rows: Integers, limit: int) -> Iterator[Integers]:
    """All names, longest first, in chunks of at most `limit` rows, or of one name that has more."""
    order = longest_first(rows, np.arange(len(rows)))
    start = 0
    while start < len(order):
        names = max(1, limit // int(rows[order[start]]))  # none is longer than the first
        yield order[start : start + names]
        start += names
