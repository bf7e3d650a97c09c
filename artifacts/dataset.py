"""A generated list as a data set: a folder with a file per shard, which other programs open as one table.

<folder>/part-00000.parquet …       the shards, each complete from the moment it is seen
<folder>/_SUCCESS                   written last: the list is complete
<folder>/__namewright__/request.json   written first: the list that the folder is for
<folder>/__namewright__/manifest.json  of the whole list
<folder>/__namewright__/shards/        a manifest for every shard, its commit point
<folder>/__namewright__/…              a store of intermediate artifacts, removed when the list is complete

Readers of such folders skip files that begin with an underscore.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from artifacts import atomic_io, locks, manifest
from artifacts.documents import as_type, parse_json, read_file
from artifacts.errors import StoreError
from artifacts.keys import Recipe, canonical_json
from artifacts.manifest import FileRecord, Manifest
from artifacts.store import Artifact, Store, examine_folder

SUCCESS = "_SUCCESS"
_INTERNAL = "__namewright__"
_MANIFEST = f"{_INTERNAL}/{manifest.FILE_NAME}"
_KEPT = (manifest.FILE_NAME, "request.json", "shards", "quarantine", "lock")
_PART = re.compile(r"part-\d{5,}\.\w+")


def part_file(number: int, suffix: str) -> str:
    """The file name of a shard."""
    return f"part-{number:05}.{suffix}"


class Shards(Store):
    """The store of a data set's shards, whose files are side by side in its folder.

    root:  the dataset's `__namewright__`.
    """

    def folder(self, stage: str, key: str) -> Path:  # noqa: ARG002  # one for all
        """The data set's folder, for every shard."""
        return self.root.parent

    def examine(self, stage: str, key: str) -> tuple[Artifact | None, str]:
        """The verified shard, or what is wrong with it; neither if it was not committed."""
        folder, file = self.root.parent, _shard_manifest(key)
        with atomic_io.io_errors(folder / file, "read a shard"):
            # A file without a manifest was not committed and will be replaced.
            return examine_folder(folder, stage, key, file) if os.path.lexists(folder / file) else (None, "")

    def _publish(self, scratch: Path, written: Manifest) -> Artifact:
        folder, file = self.root.parent, _shard_manifest(written.recipe.key)
        (folder / file).unlink(missing_ok=True)
        for name in written.files:
            atomic_io.publish(scratch / name, folder / name)
        atomic_io.publish(scratch / manifest.FILE_NAME, folder / file)
        scratch.rmdir()
        return Artifact(written.recipe.stage, written.recipe.key, written.digest, folder, file)

    def _quarantine(self, stage: str, key: str, fault: str) -> Path:
        """Move a damaged shard; where its manifest is unreadable, that alone."""
        folder, file = self.root.parent, Path(_shard_manifest(key))
        aside = atomic_io.make_unique_folder(self.root / "quarantine", f"{stage}-{key}-")
        with contextlib.suppress(ValueError, OSError):
            for name in Manifest.read(folder / file).files:
                if _PART.fullmatch(name):  # nothing else in that folder is a shard's
                    with contextlib.suppress(FileNotFoundError):
                        (folder / name).rename(aside / name)
        (folder / file).rename(aside / file.name)
        (aside / "reason.txt").write_text(fault + "\n", encoding="utf-8")
        return aside


class Dataset:
    """A generated list in its folder, complete or in progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / _INTERNAL

    def find(self, request: Recipe) -> Artifact | None:
        """The list, if it is complete and every file matches its SHA-256."""
        with atomic_io.io_errors(self.folder, "read the list"):
            if not (self.folder / SUCCESS).exists():
                return None
            return examine_folder(self.folder, request.stage, request.key, _MANIFEST)[0]

    @contextlib.contextmanager
    def claim(self, request: Recipe, overwrite: bool, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the folder's lock, for this list alone, and continue from the shards that exist.

        overwrite:  another generated list in the folder is removed first.
        on_wait:    called again and again while another run holds the lock; it may raise to give up.

        Raises StoreError if the folder holds another list, or files of another origin.
        """
        with atomic_io.io_errors(self.folder, "write the list"):
            self._check_no_foreign_files()
            atomic_io.make_folder(self.work)
            self.lock_file.touch()
        with locks.exclusive_lock(self.lock_file, on_wait):
            with atomic_io.io_errors(self.folder, "write the list"):
                self._check_no_foreign_files()  # again: another run may have written another list meanwhile
                if self._request() != request:
                    self._check_not_another_list(request, overwrite)
                    self._clear()
                    atomic_io.write_file(self.work / "request.json", canonical_json(asdict(request)))
            yield

    def try_claim(self) -> AbstractContextManager[bool]:
        """Hold the folder's lock if nobody else does; gives whether it is held."""
        return locks.try_lock(self.lock_file)

    @property
    def lock_file(self) -> Path:
        """Its lock, which has the time when the list was last asked for."""
        return self.work / "lock"

    def finish(
        self,
        request: Recipe,
        shards: Sequence[Artifact],
        *,
        metadata: Mapping[str, Any],
        origins: Mapping[str, str],
        seconds: float,
        run: Mapping[str, str],
    ) -> Artifact:
        """Mark the list as complete and remove the intermediate artifacts; for the lock's holder."""
        files: dict[str, FileRecord] = {}
        for shard in shards:
            files.update(shard.manifest().files)
        written = Manifest.now(
            request, origins=origins, files=files, metadata=metadata, seconds=seconds, run=run
        )
        with atomic_io.io_errors(self.folder, "finish the list"):
            atomic_io.write_file(self.folder / _MANIFEST, written.to_json())
            atomic_io.write_file(self.folder / SUCCESS, b"")
        self.remove_leftovers()
        return Artifact(request.stage, request.key, written.digest, self.folder, _MANIFEST)

    def mark_incomplete(self) -> None:
        """Mark the list as incomplete, before any of it is made again; for the lock's holder."""
        with atomic_io.io_errors(self.folder, "write the list"):
            (self.folder / SUCCESS).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove the intermediate artifacts of a complete list; for the lock's holder."""
        with atomic_io.io_errors(self.folder, "finish the list"):
            self._remove(path for path in self.work.iterdir() if path.name not in _KEPT)

    def _request(self) -> Recipe | None:
        try:
            recipe: Recipe = as_type(Recipe, parse_json(read_file(self.work / "request.json")))
        except (FileNotFoundError, ValueError):
            return None
        return recipe

    def _check_no_foreign_files(self) -> None:
        """Raise StoreError if readers of the folder would take a file for a part of the list that is none."""
        if not self.folder.exists():
            return
        present = {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}
        known = {_INTERNAL, SUCCESS, *self._parts(present)} if self.work.is_dir() else set()
        if foreign := sorted(present - known):
            raise StoreError(
                "list.foreign",
                "the output folder holds files of another origin",
                where=str(self.folder),
                saw=", ".join(foreign[:3]),
                fix="choose an empty or a new folder, or move that away; nothing was touched.",
            )

    def _parts(self, present: Iterable[str]) -> list[str]:
        """Those of these files that are shards: of a complete list, those in its manifest."""
        parts = [name for name in present if _PART.fullmatch(name)]
        if not (self.folder / SUCCESS).exists():
            return parts
        try:
            known = Manifest.read(self.folder / _MANIFEST).files
        except (OSError, ValueError):  # it will be made again
            return parts
        return [name for name in parts if name in known]

    def _check_not_another_list(self, request: Recipe, overwrite: bool) -> None:
        present = self._request()
        if overwrite or (present is None and not self._is_begun()):
            return
        raise StoreError(
            "list.another",
            "the output folder holds another list",
            where=str(self.folder),
            saw=request.difference(present) if present else f"{_INTERNAL}/request.json does not say which",
            fix="choose another folder, or overwrite that list.",
        )

    def _is_begun(self) -> bool:
        """Whether anything of a list exists; a killed run leaves nothing before its request."""
        return any(path.exists() for path in (self.folder / SUCCESS, self.work / "shards"))

    def _clear(self) -> None:
        """Remove a list: `_SUCCESS` first, so that it never looks complete, and the request last."""
        (self.folder / SUCCESS).unlink(missing_ok=True)
        self._remove(path for path in self.folder.iterdir() if _PART.fullmatch(path.name))
        self._remove(path for path in self.work.iterdir() if path.name not in ("lock", "request.json"))
        (self.work / "request.json").unlink(missing_ok=True)

    def _remove(self, paths: Iterator[Path]) -> None:
        for path in sorted(paths):
            atomic_io.remove(path)


def manifests(folder: Path) -> Iterator[Manifest]:
    """The manifest of every complete list below a folder; broken ones are skipped."""
    with atomic_io.io_errors(folder, "look for lists"):
        for path in sorted(folder.glob(f"*/{_MANIFEST}")):
            if path.parent.is_symlink():  # `latest`, which is one of the others
                continue
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
                yield Manifest.read(path)


def _shard_manifest(key: str) -> str:
    return f"{_INTERNAL}/shards/{key}.json"
