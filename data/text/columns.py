"""Helpers for Arrow columns of strings: replace some values, and match characters by patterns."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa


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
