"""The files of a generated list, by their names relative to its folder: in a folder, or in a bucket."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from artifacts import atomic_io, locks
from artifacts.documents import read_file
from artifacts.inventory import INTERNAL, LOCK
from artifacts.store import Artifact, examine_folder


class ListFiles(ABC):
    """What a generated list consists of. Every method raises StoreError if the files cannot be reached.

    where:  the list, for people.
    work:   root of the store of its intermediate artifacts.
    """

    where: str
    work: Path

    @abstractmethod
    def names(self, folder: str = "") -> Sequence[str]:
        """The names in a folder of the list, sorted; none if there is no such folder."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is such a file, or such a folder with anything in it."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """A small file; None if there is none. Raises ValueError for a large one."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Create or replace a small file, durably."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it, if it is there."""

    @abstractmethod
    def hold(self, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the list: nobody else writes to it. on_wait: called while somebody else does; it may raise."""

    @abstractmethod
    def try_hold(self) -> AbstractContextManager[bool]:
        """Hold the list unless somebody else does; gives whether it is held."""

    @abstractmethod
    def examine(self, stage: str, key: str, manifest_file: str) -> Artifact | None:
        """The whole list, if it is what its manifest says."""

    def handle(self, artifact: Artifact) -> Artifact:
        """The artifact of the whole list, whose files are read where the list is."""
        return artifact


class FolderFiles(ListFiles):
    """The files of a list in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work, self.where = folder, folder / INTERNAL, str(folder)

    def names(self, folder: str = "") -> Sequence[str]:
        """The names in a folder of the list."""
        with self._errors("read"):
            try:
                return sorted(path.name for path in (self.folder / folder).iterdir())
            except FileNotFoundError:
                return []

    def exists(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        with self._errors("read"):
            return (self.folder / name).exists()

    def read(self, name: str) -> bytes | None:
        """A small file; None if there is none."""
        with self._errors("read"):
            try:
                return read_file(self.folder / name)
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a small file, durably."""
        with self._errors("write"):
            atomic_io.write_file(self.folder / name, content)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it."""
        with self._errors("write"):
            atomic_io.remove(self.folder / name)

    @contextlib.contextmanager
    def hold(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the list."""
        with self._errors("write"):
            atomic_io.make_folder(self.work)
            (self.folder / LOCK).touch()
        with locks.exclusive_lock(self.folder / LOCK, on_wait):
            yield

    def try_hold(self) -> AbstractContextManager[bool]:
        """Hold the list unless another process does."""
        return locks.try_lock(self.folder / LOCK)

    def examine(self, stage: str, key: str, manifest_file: str) -> Artifact | None:
        """The whole list, if every file matches its SHA-256."""
        with self._errors("read"):
            return examine_folder(self.folder, stage, key, manifest_file)[0]

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return atomic_io.io_errors(self.folder, f"{doing} the list")
