"""What a store consists of, by names relative to it: sizes, ages, last use. For whoever puts it in order."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from artifacts import atomic_io
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import FILE_NAME

NAMED_AFTER_A_KEY = re.compile(rf"\.?(?P<stage>\w+)-(?P<key>[0-9a-f]{{{KEY_LENGTH}}})(?:-.*)?")

INTERNAL = "__namewright__"  # of a list, the folder of what is ours; readers skip names with an underscore
LOCK = f"{INTERNAL}/lock"
LEASE = f"{INTERNAL}/lease.json"  # the lock of a list in a bucket


class Leftover(NamedTuple):
    """What a run of this key left that did not end as it should."""

    name: str
    stage: str
    key: str
    why: str


class Inventory:
    """What a store in a folder consists of. Every method raises StoreError if the store cannot be reached."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def now(self) -> float:
        """Seconds since the epoch, by the clock that gives what is in the store its times."""
        return time.time()

    def names(self, folder: str) -> Sequence[str]:
        """The names in a folder, sorted; none if there is no such folder."""
        with atomic_io.io_errors(self._root / folder, "list the store"):
            try:
                return sorted(path.name for path in (self._root / folder).iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def exists(self, name: str) -> bool:
        """Whether there is anything of this name at this moment."""
        return os.path.lexists(self._root / name)

    def size(self, name: str = "") -> int:
        """The bytes of all of this name, or of the whole store; 0 for what was removed meanwhile.

        Links are not followed.
        """
        path = self._root / name
        is_folder = path.is_dir() and not path.is_symlink()
        folders = os.walk(path) if is_folder else [(str(path.parent), [], [path.name])]
        return sum(_file_size(Path(folder, file)) for folder, _, files in folders for file in files)

    def modified(self, name: str) -> float | None:
        """When it was written, in seconds since the epoch; None if it was removed meanwhile."""
        try:
            return (self._root / name).lstat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None

    def last_use(self, stage: str, key: str) -> float:
        """When a run last used an artifact, or made it; 0 if it was removed meanwhile.

        As `Artifact.mark_used` has noted it.
        """
        try:
            status = (self._root / stage / key / FILE_NAME).lstat()
        except OSError:
            return 0.0
        return max(status.st_atime, status.st_mtime)

    def last_asked(self, name: str) -> float | None:
        """When somebody last asked for the list in this folder; None if it is no list, or a link to one."""
        return None if (self._root / name).is_symlink() else self.modified(f"{name}/{LOCK}")

    def is_odd(self, name: str) -> bool:
        """Whether no run leaves an entry of this kind here: a link, or a file where runs make folders."""
        path = self._root / name
        return path.is_symlink() or (path.parent == self._root / "scratch" and not path.is_dir())

    def remove(self, name: str) -> None:
        """Remove whatever has this name, of a folder all that is in it."""
        atomic_io.remove(self._root / name)

    def leftovers(self, now: float) -> Iterator[Leftover]:  # noqa: ARG002  # whose key is free is dead
        """What dead runs left of artifacts that they did not finish: all that is in scratch."""
        for name in self.names("scratch"):
            if match := NAMED_AFTER_A_KEY.fullmatch(name):
                yield Leftover(f"scratch/{name}", match["stage"], match["key"], "left by a crashed run")

    def foreign(self) -> Iterator[str]:
        """The names of what no run writes; none here: odd entries are found where they are in the way."""
        yield from ()

    def latest_list(self, folder: str, link: str, asked: Mapping[str, float]) -> str:  # noqa: ARG002
        """The name of the latest list in a folder.

        link:   in the folder, to that list; a bucket knows no links.
        asked:  when each was last asked for.
        """
        return (self._root / folder / link).resolve().name

    def unneeded_locks(self, now: float) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
        """The stage, the key and the name of every lock that nothing is lost with, unless it is held."""
        for name in self.names("locks"):
            match = NAMED_AFTER_A_KEY.fullmatch(Path(name).stem)
            if match and not self.exists(f"{match['stage']}/{match['key']}"):
                yield match["stage"], match["key"], f"locks/{name}"

    def clear_notes(self, now: float) -> None:
        """Remove small notes on what is no longer there; a folder has none."""


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
