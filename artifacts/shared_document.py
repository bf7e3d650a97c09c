"""A small document that several processes change: none of their changes is lost."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

from artifacts import atomic_io
from artifacts.documents import read_file

OnWait: TypeAlias = Callable[[], None]
"""Called again and again while somebody else is at it; it may raise to give up."""


class SharedDocument:
    """A document in a file, of at most `documents.MOST_BYTES` bytes, or none yet.

    lock:   held during a change, by one process at a time; takes the function to call while it waits.
    where:  its place, for messages.
    """

    where: str

    def __init__(self, path: Path, lock: Callable[[OnWait], AbstractContextManager[None]]) -> None:
        self._path, self._lock = path, lock
        self.where = str(path)

    def read(self) -> bytes | None:
        """Its content. Raises StoreError if it cannot be read, ValueError if it is too large."""
        with atomic_io.io_errors(self._path, f"read {self._path.name}"):
            try:
                return read_file(self._path)
            except FileNotFoundError:
                return None

    def update(self, changed: Callable[[bytes | None], bytes], on_wait: OnWait) -> None:
        """Replace the content by what `changed` makes of it, durably, with no other change in between.

        changed:  may be called more than once, and may raise to change nothing.

        Raises as `read` does, StoreError if it cannot be written, and what `changed` and `on_wait` raise.
        """
        with self._lock(on_wait):
            content = changed(self.read())
            with atomic_io.io_errors(self._path, f"write {self._path.name}"):
                atomic_io.write_file(self._path, content)
