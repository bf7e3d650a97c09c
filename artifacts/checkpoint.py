"""A training under way, on disk: one file, replaced atomically, gone once the model is committed."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts import durable, formats


class Checkpoint:
    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        with durable.reported(self.path, "write a checkpoint"):
            durable.write_file(self.path, formats.arrays_as_bytes(arrays))

    def read(self) -> formats.Arrays | None:
        """None if there is none. Raises DataError if it is damaged."""
        return formats.read_arrays(self.path) if self.path.exists() else None

    def quarantine(self) -> Path:
        """Set a damaged one aside: the training starts anew and ends with the same bytes."""
        aside = self.path.parent.parent.parent / "quarantine" / f"checkpoint-{self.path.name}-{os.getpid()}"
        with durable.reported(self.path, "set a damaged checkpoint aside"):
            aside.parent.mkdir(parents=True, exist_ok=True)
            return self.path.replace(aside)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
