"""Blocks of bytes as blocks of whole rows, and a row as a reader hands it on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rnn_core.errors import DataError

Ends = npt.NDArray[np.int64]

# Reasons of rows that hold nothing which could be lost.
BLANK_LINE, BLANK_NAME = BLANK = "blank line", "blank name"

_LF, _CR = b"\n"[0], b"\r"[0]


class Rows(NamedTuple):
    """N rows that stand one after another in a file.

    values:   (N,) strings as they stand there, null where there is none.
    reasons:  (N,) why a row cannot be taken, null where it can; None if all can.
    counts:   (N,) float64, positive where the row can be taken; None if there are none.
    blank:    why a name of white space alone is not taken; None if it is.
    raw:      the bytes of the rows that a mask chooses: asked for only where some are rejected.
    """

    values: pa.StringArray
    reasons: pa.StringArray | None
    counts: pa.DoubleArray | None
    blank: str | None
    raw: Callable[[pa.BooleanArray], pa.BinaryArray]


def whole_rows(
    blocks: Iterator[bytes], ends_of: Callable[[bytes], Ends], max_row_bytes: int, path: Path, first: int = 1
) -> Iterator[tuple[bytes, Ends]]:
    """The same bytes, cut where rows end, with one past the last byte of each row, ascending.

    ends_of:        the ends that are certain, whatever follows.
    max_row_bytes:  of a row with the end of its line. No more than that, and a block, is ever held.

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
    r"""After every \n, \r\n and \r; the last byte may be half of a \r\n, and is then none."""
    characters = np.frombuffer(data, np.uint8)
    is_end = characters == _LF
    if b"\r" in data:
        is_return = characters == _CR
        is_return[:-1] &= characters[1:] != _LF
        is_return[-1] = False
        is_end |= is_return
    return np.flatnonzero(is_end) + 1


def as_lines(data: bytes, ends: Ends) -> pa.StringArray:
    """(N,) the rows with the ends of their lines, without a copy, and unchecked."""
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
    return DataError(
        "corpus.row_too_long",
        f"a row is longer than {max_row_bytes:,} bytes",
        where=f"{path}, {row}",
        saw=beginning and f"{beginning}...",
        fix="check that it is a list of names, in this format and without a quote left open; "
        "or raise the source's max_row_bytes.",
    )
