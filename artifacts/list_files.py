"""The files of a generated list, by their names relative to its folder: in a folder, or in a bucket."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from artifacts import atomic_io, locks
from artifacts.documents import read_file
from artifacts.inventory import INTERNAL, LOCK
from artifacts.store import Artifact, examine_folder


class ListFiles:
    """The files of a list in a folder. Every method raises StoreError if they cannot be reached.

    where:  the list, for people.
    work:   root of the store of its intermediate artifacts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.work, self.where = folder, folder / INTERNAL, str(folder)

    def names(self, folder: str = "") -> Sequence[str]:
        """The names in a folder of the list, sorted; none if there is no such folder."""
        with self._errors("read"):
            try:
                return sorted(path.name for path in (self._folder / folder).iterdir())
            except FileNotFoundError:
                return []

    def exists(self, name: str) -> bool:
        """Whether there is such a file, or such a folder with anything in it."""
        with self._errors("read"):
            return (self._folder / name).exists()

    def read(self, name: str) -> bytes | None:
        """A small file; None if there is none. Raises ValueError for a large one."""
        with self._errors("read"):
            try:
                return read_file(self._folder / name)
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a small file, durably."""
        with self._errors("write"):
            atomic_io.write_file(self._folder / name, content)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all in it, if it is there."""
        with self._errors("write"):
            atomic_io.remove(self._folder / name)

    @contextlib.contextmanager
    def hold(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the list: nobody else writes to it. on_wait: called while somebody else does; it may raise."""
        with self._errors("write"):
            atomic_io.make_folder(self.work)
            (self._folder / LOCK).touch()
        with locks.exclusive_lock(self._folder / LOCK, on_wait):
            yield

    def try_hold(self) -> AbstractContextManager[bool]:
        """Hold the list unless somebody else does; gives whether it is held."""
        return locks.try_lock(self._folder / LOCK)

    def examine(self, stage: str, key: str, manifest_file: str) -> Artifact | None:
        """The whole list, if it is what its manifest says."""
        with self._errors("read"):
            return examine_folder(self._folder, stage, key, manifest_file)[0]

    def handle(self, artifact: Artifact) -> Artifact:
        """The artifact of the whole list, whose files are read where the list is."""
        return artifact

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return atomic_io.io_errors(self._folder, f"{doing} the list")
