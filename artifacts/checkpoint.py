"""Training checkpoints: one file per training, replaced atomically, removed once the model is committed."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts import atomic_io, formats, npz

_KEY = "key"  # shows that a file was renamed


class Checkpoint:
    """The checkpoint of one training.

    quarantine:  the folder where a damaged one goes.
    """

    def __init__(self, path: Path, quarantine: Path) -> None:
        self.path, self._quarantine = path, quarantine

    def exists(self) -> bool:
        """Whether there is one, damaged or not."""
        return os.path.lexists(self.path)

    def write(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Replace the checkpoint, durably."""
        with atomic_io.io_errors(self.path, "write a checkpoint"):
            atomic_io.write_file(self.path, formats.arrays_as_bytes({**arrays, _KEY: self._key}))

    def flush(self) -> None:
        """Wait until every machine that may go on from the checkpoint can read it. Raises StoreError."""

    def read(self, check: npz.Check = npz.accept_any) -> formats.Arrays | None:
        """Its arrays; None without a checkpoint.

        check:  as of `npz.read`.

        Raises DataError if it is damaged, or of another training.
        """
        if not self.exists():
            return None
        arrays = formats.read_arrays(
            self.path, lambda headers: check({name: headers[name] for name in headers if name != _KEY})
        )
        key = arrays.pop(_KEY, None)
        if key is None or not np.array_equal(key, self._key):
            raise formats.read_error(self.path, "the checkpoint of this training", "it holds another key")
        return arrays

    @property
    def _key(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.path.stem.encode(), np.uint8)

    def quarantine(self) -> Path:
        """Set a damaged checkpoint aside; the training then starts over and ends with the same bytes."""
        with atomic_io.io_errors(self.path, "set a damaged checkpoint aside"):
            aside = atomic_io.make_unique_folder(self._quarantine, f"checkpoint-{self.path.parent.name}-")
            return self.path.rename(aside / self.path.name)

    def discard(self) -> None:
        """Remove the checkpoint, and what a killed writer left of one."""
        for file in (self.path, *self.path.parent.glob(f".{self.path.name}.*")):
            atomic_io.remove(file)
