"""Checks of stored arrays, of a checkpoint or a model, before they are used."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from rnn_core.errors import DataError

Arrays = Mapping[str, npt.NDArray[Any]]

HISTORY_PREFIX = "history."  # such arrays have one element per epoch


def check_arrays(expected: Arrays, arrays: Arrays) -> None:
    """Raises DataError unless both have the same names, types and shapes."""
    for name in sorted(set(expected) | set(arrays)):
        if name not in expected or name not in arrays:
            raise invalid_checkpoint(name, "unknown array" if name not in expected else "missing array")
        like, array = expected[name], arrays[name]
        shapes_differ = array.ndim != 1 if name.startswith(HISTORY_PREFIX) else array.shape != like.shape
        if array.dtype != like.dtype or shapes_differ:
            saw = f"{array.dtype} of shape {array.shape}, not {like.dtype} {like.shape}"
            raise invalid_checkpoint(name, saw)


def invalid_checkpoint(where: str, saw: str) -> DataError:
    """The error for arrays that are not a checkpoint of this training."""
    return DataError(
        "training.checkpoint",
        "the checkpoint does not match this configuration and these names",
        where=where,
        saw=saw,
        fix="train from the start.",
    )


def invalid_arrays(kind: str, remedy: str, what: str, where: str, saw: str) -> DataError:
    """The error for arrays that are not a valid `kind`; `remedy` is the fix besides restoring the file."""
    return DataError(
        "model.arrays",
        f"invalid {kind}: {what}",
        where=where,
        saw=saw,
        fix=f"{remedy}, or restore the file from its source.",
    )
