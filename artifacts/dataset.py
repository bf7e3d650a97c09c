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

from artifacts import atomic_io, manifest
from artifacts.bucket.address import mirrored_address
from artifacts.documents import as_type, parse_json
from artifacts.errors import StoreError
from artifacts.inventory import INTERNAL, LEASE, LOCK
from artifacts.keys import Recipe, canonical_json
from artifacts.list_files import ListFiles
from artifacts.manifest import FileRecord, Manifest
from artifacts.store import Artifact, Store, examine_folder

SUCCESS = "_SUCCESS"
_MANIFEST = f"{INTERNAL}/{manifest.FILE_NAME}"
_REQUEST = f"{INTERNAL}/request.json"
_KEPT = (manifest.FILE_NAME, "request.json", "shards", "quarantine", "lock", "lease.json")
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

    def _publish_folder(self, scratch: Path, written: Manifest) -> Artifact:
        folder, file = self.root.parent, _shard_manifest(written.recipe.key)
        (folder / file).unlink(missing_ok=True)
        for name in written.files:
            atomic_io.publish(scratch / name, folder / name)
        atomic_io.publish(scratch / manifest.FILE_NAME, folder / file)
        scratch.rmdir()
        return Artifact(written.recipe.stage, written.recipe.key, written.digest, folder, file)

    def _quarantine(self, stage: str, key: str, fault: str) -> str:
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
        return str(aside)


def open_files(folder: Path) -> ListFiles:
    """The files of the list in a folder, or in the bucket that it mirrors."""
    if mirrored_address(folder) is None:
        return ListFiles(folder)
    from artifacts.bucket.list_files import BucketFiles  # what knows of buckets is loaded for one alone

    return BucketFiles(folder)


def open_shards(root: Path) -> Store:
    """The store of a data set's shards, in a folder or in the bucket that it mirrors."""
    if mirrored_address(root) is None:
        return Shards(root)
    from artifacts.bucket.list_files import BucketShards  # what knows of buckets is loaded for one alone

    return BucketShards(root)


class Dataset:
    """A generated list in its folder, complete or in progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = open_files(folder)
        self.work = self._files.work

    @property
    def where(self) -> str:
        """The list's place, for people."""
        return self._files.where

    @property
    def is_complete(self) -> bool:
        """Whether it says so; `find` looks at its files."""
        return self._files.exists(SUCCESS)

    def find(self, request: Recipe) -> Artifact | None:
        """The list, if it is complete and every file is what its manifest says."""
        return self._files.examine(request.stage, request.key, _MANIFEST) if self.is_complete else None

    @contextlib.contextmanager
    def claim(self, request: Recipe, overwrite: bool, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the list, for this request alone, and continue from the shards that exist.

        overwrite:  another generated list in the folder is removed first.
        on_wait:    called again and again while another run holds it; it may raise to give up.

        Raises StoreError if the folder holds another list, or files of another origin.
        """
        self._check_no_foreign_files()
        with self._files.hold(on_wait):
            self._check_no_foreign_files()  # again: another run may have written another list meanwhile
            if self._request() != request:
                self._check_not_another_list(request, overwrite)
                self._clear()
                self._files.write(_REQUEST, canonical_json(asdict(request)))
            yield

    def try_claim(self) -> AbstractContextManager[bool]:
        """Hold the list if nobody else does; gives whether it is held."""
        return self._files.try_hold()

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
        """Mark the list as complete and remove the intermediate artifacts; for who holds it."""
        files: dict[str, FileRecord] = {}
        for shard in shards:
            files.update(shard.manifest().files)
        written = Manifest.now(
            request, origins=origins, files=files, metadata=metadata, seconds=seconds, run=run
        )
        self._files.write(_MANIFEST, written.to_json())
        self._files.write(SUCCESS, b"")
        self.remove_leftovers()
        return self._files.handle(
            Artifact(request.stage, request.key, written.digest, self.folder, _MANIFEST)
        )

    def point_to(self, link: str) -> None:
        """Make a link beside a list in a folder point to it; a bucket has no links."""
        if mirrored_address(self.folder) is None:
            with atomic_io.io_errors(self.folder, "point to the latest list"):
                atomic_io.replace_link(self.folder.with_name(link), self.folder.name)

    def mark_incomplete(self) -> None:
        """Mark the list as incomplete, before any of it is made again; for who holds it."""
        self._files.remove(SUCCESS)

    def remove_leftovers(self) -> None:
        """Remove the intermediate artifacts of a complete list; for who holds it."""
        for name in self._files.names(INTERNAL):
            if name not in _KEPT:
                self._files.remove(f"{INTERNAL}/{name}")

    def _request(self) -> Recipe | None:
        try:
            content = self._files.read(_REQUEST)
            recipe: Recipe = as_type(Recipe, parse_json(content or b""))
        except ValueError:
            return None
        return recipe

    def _check_no_foreign_files(self) -> None:
        """Raise StoreError if readers of the folder would take a file for a part of the list that is none."""
        present = {name for name in self._files.names() if not name.startswith(".")}
        known = {INTERNAL, SUCCESS, *self._parts(present)} if INTERNAL in present else set()
        if foreign := sorted(present - known):
            raise StoreError(
                "list.foreign",
                "the output folder holds files of another origin",
                where=self.where,
                saw=", ".join(foreign[:3]),
                fix="choose an empty or a new folder, or move that away; nothing was touched.",
            )

    def _parts(self, present: Iterable[str]) -> list[str]:
        """Those of these files that are shards: of a complete list, those in its manifest."""
        parts = [name for name in present if _PART.fullmatch(name)]
        if SUCCESS not in present:
            return parts
        try:
            known = Manifest.from_json(self._files.read(_MANIFEST) or b"").files
        except ValueError:  # it will be made again
            return parts
        return [name for name in parts if name in known]

    def _check_not_another_list(self, request: Recipe, overwrite: bool) -> None:
        present = self._request()
        if overwrite or (present is None and not self._is_begun()):
            return
        raise StoreError(
            "list.another",
            "the output folder holds another list",
            where=self.where,
            saw=request.difference(present) if present else f"{_REQUEST} does not say which",
            fix="choose another folder, or overwrite that list.",
        )

    def _is_begun(self) -> bool:
        """Whether anything of a list exists; a killed run leaves nothing before its request."""
        return self.is_complete or self._files.exists(f"{INTERNAL}/shards")

    def _clear(self) -> None:
        """Remove a list: `_SUCCESS` first, so that it never looks complete, and the request last."""
        self._files.remove(SUCCESS)
        for name in self._files.names():
            if _PART.fullmatch(name):
                self._files.remove(name)
        for name in self._files.names(INTERNAL):
            if f"{INTERNAL}/{name}" not in (LOCK, LEASE, _REQUEST):
                self._files.remove(f"{INTERNAL}/{name}")
        self._files.remove(_REQUEST)


def manifests(folder: Path) -> Iterator[Manifest]:
    """The manifest of every complete list below a folder, or a prefix; broken ones are skipped."""
    if mirrored_address(folder) is not None:
        from artifacts.bucket.list_files import list_manifests

        yield from list_manifests(folder, _MANIFEST)
        return
    with atomic_io.io_errors(folder, "look for lists"):
        for path in sorted(folder.glob(f"*/{_MANIFEST}")):
            if path.parent.is_symlink():  # `latest`, which is one of the others
                continue
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
                yield Manifest.read(path)


def _shard_manifest(key: str) -> str:
    return f"{INTERNAL}/shards/{key}.json"
