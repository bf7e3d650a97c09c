"""What arrays have to be that were kept: a checkpoint's before a training goes on from them, a model's."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from rnn_core.errors import DataError

Arrays = Mapping[str, npt.NDArray[Any]]

HISTORY_PREFIX = "history."  # arrays named so have as many elements as there were epochs


def check_arrays(expected: Arrays, found: Arrays) -> None:
    """Raises DataError unless both have the same names, types and shapes."""
    for name in sorted(set(expected) | set(found)):
        if name not in expected or name not in found:
            raise invalid_checkpoint(name, "an unknown array" if name not in expected else "no such array")
        wanted, array = expected[name], found[name]
        shapes_differ = array.ndim != 1 if name.startswith(HISTORY_PREFIX) else array.shape != wanted.shape
        if array.dtype != wanted.dtype or shapes_differ:
            saw = f"{array.dtype} of shape {array.shape}, not {wanted.dtype} {wanted.shape}"
            raise invalid_checkpoint(name, saw)


def invalid_checkpoint(where: str, saw: str) -> DataError:
    return DataError(
        "training.checkpoint",
        "this is no checkpoint of this configuration and these names",
        where=where,
        saw=saw,
        fix="train from the start.",
    )


def invalid_arrays(kind: str, remedy: str, what: str, where: str, saw: str) -> DataError:
    """kind: what the arrays were to be. remedy: what to do about it, besides restoring the file."""
    return DataError(
        "model.arrays",
        f"these arrays are no {kind}: {what}",
        where=where,
        saw=saw,
        fix=f"{remedy}, or restore the file from where it was written.",
    )
