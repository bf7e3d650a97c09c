"""Rows as the readers of all formats hand them on, and blocks of bytes cut where rows end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rnn_core.errors import DataError

Ends = npt.NDArray[np.int64]

# Reasons for rejecting rows that hold nothing which could be lost.
BLANK_LINE, BLANK_NAME = BLANK = "blank line", "blank name"

_LF, _CR = b"\n"[0], b"\r"[0]


class Rows(NamedTuple):
    """N consecutive rows of a file.

    values:    (N,) strings as in the file, null where there is none.
    reasons:   (N,) why a row is rejected, null where it is not; None if none is.
    counts:    (N,) float64, positive in rows that are not rejected; None without counts.
    blank:     why a name of white space alone is rejected; None if it is not.
    raw:       the bytes of the rows of a mask; called only where some are rejected.
    selected:  (N,) which rows satisfy the row filter; None without one.
    """

    values: pa.StringArray
    reasons: pa.StringArray | None
    counts: pa.DoubleArray | None
    blank: str | None
    raw: Callable[[pa.BooleanArray], pa.BinaryArray]
    selected: pa.BooleanArray | None = None


def whole_rows(
    blocks: Iterator[bytes], ends_of: Callable[[bytes], Ends], max_row_bytes: int, path: Path, first: int = 1
) -> Iterator[tuple[bytes, Ends]]:
    """The same bytes, cut where rows end, with the end offsets of the rows, ascending.

    ends_of:        gives the row ends that are certain, whatever follows.
    max_row_bytes:  of a row with its line end. No more than that, and a block, is held in memory.
    first:          number of the first row, for messages.

    What follows the last end is a row too. Raises DataError for a row that is longer.
    """
    left = b""
    for block in blocks:
        data = left + block
        ends = ends_of(data)
        _check_lengths(data, ends, max_row_bytes, first, path)
        whole = int(ends[-1]) if len(ends) else 0
        left = data[whole:]
        if whole:
            yield data[:whole], ends
        first += len(ends)
    if left:
        yield left, np.array([len(left)])


def line_ends(data: bytes) -> Ends:
    r"""The offsets after every \n, \r\n and \r; not after a \r at the end, which may be half of \r\n."""
    characters = np.frombuffer(data, np.uint8)
    is_end = characters == _LF
    if b"\r" in data:
        is_return = characters == _CR
        is_return[:-1] &= characters[1:] != _LF
        is_return[-1] = False
        is_end |= is_return
    return np.flatnonzero(is_end) + 1


def as_lines(data: bytes, ends: Ends) -> pa.StringArray:
    """(N,) the rows with their line ends, without a copy, and not checked to be UTF-8."""
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))


def _check_lengths(data: bytes, ends: Ends, max_row_bytes: int, first: int, path: Path) -> None:
    if len(data) <= max_row_bytes:
        return
    lengths = np.diff(ends, prepend=0, append=len(data))
    longest = int(lengths.argmax())
    if lengths[longest] > max_row_bytes:
        start = int(ends[longest - 1]) if longest else 0
        raise row_too_long_error(
            path, f"row {first + longest:,}", repr(data[start : start + 40]), max_row_bytes
        )


def row_too_long_error(path: Path, row: str, beginning: str, max_row_bytes: int) -> DataError:
    """The error of a row beyond `max_row_bytes`."""
    return DataError(
        "corpus.row_too_long",
        f"a row is longer than {max_row_bytes:,} bytes",
        where=f"{path}, {row}",
        saw=beginning and f"{beginning}...",
        fix="check that it is a list of names in this format. If a quote is left open: quoting = false. "
        "Or raise the source's max_row_bytes.",
    )
