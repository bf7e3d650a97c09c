"""Checks of stored arrays, of a checkpoint or a model, before they are used."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from rnn_core.errors import DataError

HISTORY_PREFIX = "history."  # such arrays have one element per epoch
_MOST_EPOCHS = 1 << 20
_LONGEST = 400  # characters of a message's `saw`


class Layout(Protocol):
    """What is known of an array before it is in memory; an array is one, too."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""


Layouts = Mapping[str, Layout]


def check_arrays(expected: Layouts, arrays: Layouts) -> None:
    """Raises DataError unless both have the same names, types and shapes."""
    for name in sorted(set(expected) | set(arrays)):
        if name not in expected or name not in arrays:
            raise invalid_checkpoint(name, "unknown array" if name not in expected else "missing array")
        like, array = expected[name], arrays[name]
        if name.startswith(HISTORY_PREFIX):
            shapes_differ = array.ndim != 1 or array.shape[0] > _MOST_EPOCHS
        else:
            shapes_differ = array.shape != like.shape
        if array.dtype != like.dtype or shapes_differ:
            saw = f"{array.dtype} of shape {array.shape}, not {like.dtype} {like.shape}"
            raise invalid_checkpoint(name, saw)


def invalid_checkpoint(where: str, saw: str) -> DataError:
    """The error for arrays that are not a checkpoint of this training."""
    return DataError(
        "training.checkpoint",
        "the checkpoint does not match this configuration and these names",
        where=where,
        saw=saw[:_LONGEST],
        fix="train from the start.",
    )


def invalid_arrays(kind: str, remedy: str, what: str, where: str, saw: str) -> DataError:
    """The error for arrays that are not a valid `kind`; `remedy` is the fix besides restoring the file."""
    return DataError(
        "model.arrays",
        f"invalid {kind}: {what}",
        where=where[:_LONGEST],
        saw=saw[:_LONGEST],
        fix=f"{remedy}, or restore the file from its source.",
    )
