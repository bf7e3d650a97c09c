"""A store in a folder or in a bucket, for tests of what both promise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from artifacts.bucket.address import mirror
from artifacts.open_store import open_store

Change = Callable[[bytes], bytes]


class Place(NamedTuple):
    """A store, and how to change a file behind its back."""

    root: Path
    address: str

    @property
    def store(self) -> Any:
        return open_store(self.root)

    def tamper(self, name: str, change: Change) -> None:
        """Change a file of the store, by its path; in a bucket also what this machine has copied."""
        if self.address:
            objects = self.store.objects
            (full,) = (each.name for each in objects.listing("") if _plain(each.name) == name)
            objects.overwrite(full, change(objects.read(full, 1 << 30).body))
        else:
            (self.root / name).write_bytes(change((self.root / name).read_bytes()))

    def another_machine(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The store as another machine opens it, which has nothing of it."""
        monkeypatch.setenv("NAMEWRIGHT_CACHE", str(folder))
        return open_store(mirror(self.address) if self.address else self.root)


def _plain(name: str) -> str:
    """The path of an object without the attempt."""
    parts = name.split("/")
    return "/".join([*parts[:2], *parts[-1:]]) if len(parts) == 4 else name
