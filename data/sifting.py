"""Which names of a list repeat earlier ones, by partitions of it that can be gone through one at a time.

Equal names are in one partition: a name repeats an earlier one if and only if it does so there.
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rnn_core.arrays import Integers
from rnn_core.fingerprints import fingerprints
from rnn_core.random_numbers import splitmix64

Names: TypeAlias = pa.StringArray | pa.LargeStringArray | pa.ChunkedArray

_OFFSETS: Final = {pa.string(): np.int32, pa.large_string(): np.int64}


def partition_of(names: Names, partitions: int) -> npt.NDArray[np.int64]:
    """(N,) from 0 to below `partitions`, by the fingerprint of a name's UTF-8, and so the same for ever.

    Raises ValueError if a name is null, or for anything but strings.
    """
    _refuse_nulls(names)
    chunks = names.chunks if isinstance(names, pa.ChunkedArray) else [names]
    words = np.concatenate([np.zeros(0, np.uint64), *(fingerprints(*_utf8(chunk)) for chunk in chunks)])
    # Sums of few different words are spread unevenly over their last bits: let all bits have a say.
    return (splitmix64(words) % np.uint64(partitions)).astype(np.int64)


def first_occurrences(names: Names) -> npt.NDArray[np.bool_]:
    """(N,) True where no equal name comes before.

    Raises ValueError if a name is null.
    """
    return _are_new(_numbered(names))


def first_rows(names: Names) -> npt.NDArray[np.int64]:
    """(N,) the row in which the equal name stands that comes before all others.

    Raises ValueError if a name is null.
    """
    numbers = _numbered(names)
    return np.flatnonzero(_are_new(numbers))[numbers]


def grouped(partition: Integers, partitions: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows by partition, those of one in the order they had.

    partition:  (N,) from 0 to below `partitions`.

    Returns the rows, (N,), and offsets, (partitions + 1,): rows[offsets[p]:offsets[p + 1]] are those of p.
    """
    # Up to 2^16 partitions NumPy sorts digit by digit, more than ten times as fast as it compares.
    narrow = partition.astype(np.min_scalar_type(partitions - 1))
    counts = np.bincount(partition, minlength=partitions)
    return np.argsort(narrow, kind="stable"), np.concatenate([[0], np.cumsum(counts)])


def _numbered(names: Names) -> npt.NDArray[np.int32]:
    """(N,) a number for each distinct name, from 0 in the order of first appearance."""
    _refuse_nulls(names)
    encoded = names.dictionary_encode()
    chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
    return np.concatenate([np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in chunks)])


def _are_new(numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    # What is new has a higher number than all before it.
    highest = np.maximum.accumulate(np.concatenate([np.full(1, -1, np.int32), numbers]))
    return highest[1:] > highest[:-1]


def _utf8(names: pa.StringArray | pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], Integers]:
    """The text that Arrow holds and where in it the names begin, and the last one ends."""
    if names.type not in _OFFSETS:
        raise ValueError(f"names must be strings, got {names.type}")
    if not len(names):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, text = names.buffers()
    bounds = np.frombuffer(offsets, _OFFSETS[names.type])[names.offset : names.offset + len(names) + 1]
    return np.frombuffer(text or b"", np.uint8), bounds


def _refuse_nulls(names: Names) -> None:
    if names.null_count:
        raise ValueError(f"a name is text, but {names.null_count} of {len(names)} are null")
