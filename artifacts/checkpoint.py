"""A training under way, on disk: one file, replaced atomically, gone once the model is committed."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts import durable, formats


class Checkpoint:
    """quarantine: the folder where a damaged one goes."""

    def __init__(self, path: Path, quarantine: Path) -> None:
        self.path, self._quarantine = path, quarantine

    def write(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        with durable.reported(self.path, "write a checkpoint"):
            durable.write_file(self.path, formats.arrays_as_bytes(arrays))

    def read(self) -> formats.Arrays | None:
        """None if there is none. Raises DataError if it is damaged."""
        return formats.read_arrays(self.path) if self.path.exists() else None

    def quarantine(self) -> Path:
        """Set a damaged one aside: the training starts anew and ends with the same bytes."""
        with durable.reported(self.path, "set a damaged checkpoint aside"):
            self._quarantine.mkdir(parents=True, exist_ok=True)
            aside = tempfile.mkdtemp(prefix=f"checkpoint-{self.path.parent.name}-", dir=self._quarantine)
            return self.path.rename(Path(aside, self.path.name))

    def discard(self) -> None:
        """Also what a writer left that was killed."""
        for file in (self.path, *self.path.parent.glob(f".{self.path.name}.*")):
            file.unlink(missing_ok=True)
