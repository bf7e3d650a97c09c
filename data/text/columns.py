"""Helpers for Arrow columns of strings: cut them, replace some values, and match characters by patterns."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_BATCH_BYTES: Final = 32 << 20
_Columns = TypeVar("_Columns", pa.Table, pa.ChunkedArray)


def batches(columns: _Columns, most_rows: int) -> Iterator[tuple[int, _Columns]]:
    """Consecutive rows, each batch with the number of its first, to be handled one after another.

    Each has at most so many rows, and fewer if they are long; there is at least one batch.
    """
    begin = 0
    while begin < len(columns) or begin == 0:
        rows = most_rows
        while rows > 1 and columns.slice(begin, rows).nbytes > _BATCH_BYTES:
            rows //= 2
        yield begin, columns.slice(begin, rows)
        begin += rows


def replace_where(
    column: pa.ChunkedArray, where: npt.NDArray[np.bool_], by: pa.ChunkedArray
) -> pa.ChunkedArray:
    """The column with the values of `by`, in their order, in the marked rows.

    where:  (N,) with as many True as `by` has values.
    """
    if not len(by):
        return column
    rows = np.arange(len(column))
    rows[where] = len(column) + np.arange(len(by))
    return pa.chunked_array([*column.chunks, *by.chunks]).take(pa.array(rows))


def characters_class(code_points: Iterable[int]) -> str:
    """The content of a character class of RE2, for use within brackets."""
    return "".join(rf"\x{{{code_point:X}}}" for code_point in code_points)
