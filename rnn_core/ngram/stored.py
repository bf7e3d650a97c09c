"""An n-gram model as arrays of a file, and the checks of them before they are used."""

from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_core.ngram.levels import CLASS_COUNTS, CLASSES, DISCOUNT_RANGE, Counted, Discounts, Indices
from rnn_core.state_dict import Layout, Layouts, invalid_arrays

_invalid = partial(invalid_arrays, "n-gram model", "fit it again")

PREFIX = "ngrams."  # of the names of the arrays
_SIZE, _DISCOUNTS = "ngrams.vocabulary_size", "ngrams.discounts"
_DISCOUNT = "ngrams.discount"  # one for all, as files had it before there were three for each level


def arrays(vocabulary_size: int, discounts: Discounts, counted: Counted) -> dict[str, npt.NDArray[Any]]:
    """Copies by name: vocabulary size, discounts, codes and counts of every level, as `ngrams.2.codes`."""
    result: dict[str, npt.NDArray[Any]] = {
        _SIZE: np.array(vocabulary_size, np.int64),
        _DISCOUNTS: discounts.copy(),
    }
    for length, (codes, counts) in enumerate(counted, start=1):
        result[_name(length, "codes")] = codes.copy()
        result[_name(length, "counts")] = counts.copy()
    return result


def contents(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[int, Discounts, Counted]:
    """What `arrays` was given, of a file of this version or an earlier one.

    Raises DataError as `KneserNey.from_arrays` does.
    """
    levels = check_layout(arrays)
    size = arrays[_SIZE].item()
    if not 2 <= size <= 1 << 31:
        raise _invalid(f"it must lie from 2 to {1 << 31}", _SIZE, f"{size}")
    counted: Counted = []
    for length in range(1, levels + 1):
        codes, counts = (arrays[_name(length, part)].copy() for part in ("codes", "counts"))
        contexts = len(counted[-1][0]) if counted else 1
        _check_level(length, codes, counts, contexts, size)
        counted.append((codes, counts))
    return size, _discounts(arrays, levels), counted


def check_layout(arrays: Layouts, vocabulary_size: int = 0) -> int:
    """The number of levels of an n-gram model in arrays of these types and shapes.

    vocabulary_size:  if it is known from elsewhere, else 0.

    Raises DataError as `KneserNey.from_arrays` does, but for their values, which are not looked at.
    """
    levels = (len(arrays) - 2) // 2
    names = [[_name(length, part) for part in ("codes", "counts")] for length in range(1, levels + 1)]
    discounts = _DISCOUNT if _DISCOUNT in arrays else _DISCOUNTS
    if set(arrays) != {_SIZE, discounts, *chain(*names)} or not levels:
        raise _invalid("missing or unknown arrays", "", f"names {', '.join(sorted(arrays))}")
    shapes = {_SIZE: (np.int64, ()), _DISCOUNT: (np.float64, ()), _DISCOUNTS: (np.float64, (levels, CLASSES))}
    for name in (_SIZE, discounts):
        dtype, shape = shapes[name]
        if arrays[name].dtype != dtype or arrays[name].shape != shape:
            raise _invalid(f"it must be {np.dtype(dtype)} of shape {shape}", name, _layout(arrays[name]))
    size = most = vocabulary_size
    for codes, counts in names:
        for name in (codes, counts):
            if arrays[name].dtype != np.int64 or arrays[name].ndim != 1:
                raise _invalid("it must be a vector of int64", name, _layout(arrays[name]))
        count = arrays[codes].shape[0]
        if arrays[counts].shape != (count,) or not count:
            saw = f"{count} n-grams, {arrays[counts].shape[0]} counts"
            raise _invalid("every n-gram must have one count", codes, saw)
        size = size or count  # the first level has every character
        if most and count > most:
            raise _invalid(f"there are at most {most} such n-grams", codes, f"{count}")
        most = count * size
    return levels


def _layout(array: Layout) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _name(length: int, part: str) -> str:
    return f"ngrams.{length}.{part}"


def _discounts(arrays: Mapping[str, npt.NDArray[Any]], levels: int) -> Discounts:
    """(K, CLASSES) of each level."""
    name = _DISCOUNT if _DISCOUNT in arrays else _DISCOUNTS
    # A single discount is not above 1, so that it leaves something of every count.
    lowest, highest = (
        bound * (np.ones(CLASSES) if name == _DISCOUNT else CLASS_COUNTS) for bound in DISCOUNT_RANGE
    )
    discounts = np.broadcast_to(arrays[name], (levels, CLASSES)).copy()
    if not ((discounts >= lowest) & (discounts <= highest)).all():
        raise _invalid(f"discounts must lie from {lowest} to {highest}", name, f"{discounts.ravel()[:9]}")
    return discounts


def _check_level(length: int, codes: Indices, counts: Indices, contexts: int, size: int) -> None:
    where = _name(length, "codes")
    if length == 1 and len(codes) != size:
        raise _invalid("the first level must have every character", where, f"{len(codes)} of {size}")
    if not (codes[0] >= 0 and codes[-1] < contexts * size and (np.diff(codes) > 0).all()):
        raise _invalid(
            f"codes must ascend from 0 to below {contexts * size}", where, f"{codes[:3]} to {codes[-1]}"
        )
    if counts.min() < (0 if length == 1 else 1) or counts.max() > 1 << 53:
        raise _invalid(
            "a count is out of range", _name(length, "counts"), f"{counts.min()} to {counts.max()}"
        )
