"""A training under way, on disk: one file, replaced atomically, gone once the model is committed."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts import atomic_io, formats

_KEY = "key"  # a file under another name than its own is told by it


class Checkpoint:
    """quarantine: the folder where a damaged one goes."""

    def __init__(self, path: Path, quarantine: Path) -> None:
        self.path, self._quarantine = path, quarantine

    def write(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        with atomic_io.io_errors(self.path, "write a checkpoint"):
            atomic_io.write_file(self.path, formats.arrays_as_bytes({**arrays, _KEY: self._key}))

    def read(self) -> formats.Arrays | None:
        """None if there is none. Raises DataError if it is damaged, or that of another training."""
        if not self.path.exists():
            return None
        arrays = formats.read_arrays(self.path)
        found = arrays.pop(_KEY, None)
        if found is None or not np.array_equal(found, self._key):
            raise formats.read_error(self.path, "the checkpoint of this training", "another key in it")
        return arrays

    @property
    def _key(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.path.stem.encode(), np.uint8)

    def quarantine(self) -> Path:
        """Set a damaged one aside: the training starts anew and ends with the same bytes."""
        with atomic_io.io_errors(self.path, "set a damaged checkpoint aside"):
            self._quarantine.mkdir(parents=True, exist_ok=True)
            aside = tempfile.mkdtemp(prefix=f"checkpoint-{self.path.parent.name}-", dir=self._quarantine)
            return self.path.rename(Path(aside, self.path.name))

    def discard(self) -> None:
        """Also what a writer left that was killed."""
        for file in (self.path, *self.path.parent.glob(f".{self.path.name}.*")):
            file.unlink(missing_ok=True)
