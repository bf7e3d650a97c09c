"""Checkpoints that another machine can go on from: written here, and copied to the bucket now and then."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts import atomic_io, formats, npz
from artifacts.bucket.objects import Objects
from artifacts.checkpoint import Checkpoint

COPY_SECONDS = 30.0  # between two copies to the bucket


class BucketCheckpoint(Checkpoint):
    """The checkpoint of one training.

    path, quarantine:  as of the base class, in the mirror.
    name:              of the object.
    """

    def __init__(self, path: Path, quarantine: Path, objects: Objects, name: str) -> None:
        super().__init__(path, quarantine)
        self._objects, self._name = objects, name
        self._copied = path.with_name(f"{path.name}.version")  # of the object that this machine wrote or read
        self._copying: threading.Thread | None = None
        self._next = time.monotonic() + COPY_SECONDS

    def exists(self) -> bool:
        """Whether there is one, here or in the bucket."""
        return super().exists() or self._objects.version(self._name) is not None

    def write(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Replace the checkpoint here, durably, and in the bucket if it is time and none is on its way."""
        super().write(arrays)
        if time.monotonic() >= self._next and not (self._copying and self._copying.is_alive()):
            self._next = time.monotonic() + COPY_SECONDS
            self._copying = threading.Thread(target=self._copy, name="checkpoint", daemon=True)
            self._copying.start()

    def flush(self) -> None:
        """Wait until the bucket has the checkpoint as it is here. Raises StoreError."""
        if self._copying:
            self._copying.join()
        if super().exists():
            self._copy()

    def read(self, check: npz.Check = npz.accept_any) -> formats.Arrays | None:
        """Its arrays: those of the bucket, unless this machine wrote those and went on."""
        version = str(self._objects.version(self._name) or "")
        if version and not (super().exists() and self._copied_version() == version):
            with atomic_io.io_errors(self.path, "read a checkpoint"):
                atomic_io.make_folder(self.path.parent)
                fresh = self.path.with_name(f".{self.path.name}.fetched")
                if self._objects.download(self._name, fresh):
                    fresh.replace(self.path)
                    self._note(version, self.path.stat().st_mtime_ns)
        return super().read(check)

    def quarantine(self) -> Path:
        """Set a damaged checkpoint aside, here; the one in the bucket is removed."""
        self._objects.remove([self._name])
        return super().quarantine()

    def discard(self) -> None:
        """Remove the checkpoint, here and in the bucket."""
        if self._copying:
            self._copying.join()
        self._objects.remove([self._name])
        super().discard()
        self._copied.unlink(missing_ok=True)

    def _copy(self) -> None:
        moment = self.path.stat().st_mtime_ns
        content = self.path.read_bytes()  # not the file itself: it may be replaced meanwhile
        self._objects.overwrite(self._name, content)
        self._note(str(self._objects.version(self._name) or ""), moment)

    def _note(self, version: str, moment: int) -> None:
        """Note which version the bucket has, with the time of the file that it is a copy of."""
        atomic_io.write_file(self._copied, version.encode())
        os.utime(self._copied, ns=(moment, moment))

    def _copied_version(self) -> str:
        try:
            return self._copied.read_text(encoding="utf-8")
        except OSError:
            return ""
