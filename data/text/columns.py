"""Arrow columns of strings: some of their values exchanged, and patterns that find characters in them."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def replace_where(
    column: pa.ChunkedArray, where: npt.NDArray[np.bool_], by: pa.ChunkedArray
) -> pa.ChunkedArray:
    """The column, with those of `by`, one after another, in the places that are marked.

    where:  (N,) as many are True as there are values in `by`.
    """
    if not len(by):
        return column
    rows = np.arange(len(column))
    rows[where] = len(column) + np.arange(len(by))
    return pa.chunked_array([*column.chunks, *by.chunks]).take(pa.array(rows))


def characters_class(code_points: Iterable[int]) -> str:
    """What stands within the brackets of a character class of RE2."""
    return "".join(rf"\x{{{code_point:X}}}" for code_point in code_points)
