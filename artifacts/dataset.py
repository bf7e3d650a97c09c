"""A list of names in files, one per shard, in a folder that others open as a whole.

<folder>/part-00000.parquet …       the shards, each complete from the moment it is seen
<folder>/_SUCCESS                   last of all: the list is whole
<folder>/__namewright__/request.json   first of all: which list the folder is for
<folder>/__namewright__/manifest.json  of the whole list
<folder>/__namewright__/shards/        a manifest for every shard, its commit point
<folder>/__namewright__/…              a store of what leads to the shards, gone when the list is whole

Readers take a folder for a table of all its files, but for those that begin with an underscore.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from artifacts import atomic_io, locks, manifest
from artifacts.errors import StoreError
from artifacts.keys import Recipe, canonical_json
from artifacts.manifest import FileRecord, Manifest
from artifacts.store import Artifact, Store, examine_folder, make_unique_folder

SUCCESS = "_SUCCESS"
_OURS = "__namewright__"
_MANIFEST = f"{_OURS}/{manifest.FILE_NAME}"
_KEPT = (manifest.FILE_NAME, "request.json", "shards", "quarantine", "lock")
_PART = re.compile(r"part-\d{5,}\.\w+")


def part_file(number: int, suffix: str) -> str:
    return f"part-{number:05}.{suffix}"


class Shards(Store):
    """A store whose artifacts' files lie side by side in the dataset's folder.

    root:  the dataset's `__namewright__`.
    """

    def folder(self, stage: str, key: str) -> Path:  # noqa: ARG002  # one for all
        return self.root.parent

    def examine(self, stage: str, key: str) -> tuple[Artifact | None, str]:
        folder, file = self.root.parent, _shard_manifest(key)
        with atomic_io.io_errors(folder / file, "read a shard"):
            # A part without a manifest was not committed: it will be replaced.
            return examine_folder(folder, stage, key, file) if os.path.lexists(folder / file) else (None, "")

    def _publish(self, scratch: Path, made: Manifest) -> Artifact:
        folder, file = self.root.parent, _shard_manifest(made.recipe.key)
        (folder / file).unlink(missing_ok=True)
        for name in made.files:
            atomic_io.publish(scratch / name, folder / name)
        atomic_io.publish(scratch / manifest.FILE_NAME, folder / file)
        scratch.rmdir()
        return Artifact(made.recipe.stage, made.recipe.key, made.digest, folder, file)

    def _quarantine(self, stage: str, key: str, fault: str) -> Path:
        """The manifest alone where it does not say which file is its own; that one will be replaced."""
        folder, file = self.root.parent, Path(_shard_manifest(key))
        aside = make_unique_folder(self.root / "quarantine", f"{stage}-{key}-")
        with contextlib.suppress(ValueError):
            for name in Manifest.from_json((folder / file).read_bytes()).files:
                with contextlib.suppress(FileNotFoundError):
                    (folder / name).rename(aside / name)
        (folder / file).rename(aside / file.name)
        (aside / "reason.txt").write_text(fault + "\n", encoding="utf-8")
        return aside


class Dataset:
    """A generated list in its folder, whole or on the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / _OURS

    def find(self, request: Recipe) -> Artifact | None:
        """The list, if it is whole and every file matches its sha256."""
        with atomic_io.io_errors(self.folder, "read the list"):
            if not (self.folder / SUCCESS).exists():
                return None
            return examine_folder(self.folder, request.stage, request.key, _MANIFEST)[0]

    @contextlib.contextmanager
    def claim(self, request: Recipe, overwrite: bool, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the folder, for this list alone. Shards that are there already are gone on from.

        overwrite:  a list of ours that is another one is removed first.
        on_wait:    called again and again while another run holds it; it may raise to give up.

        Raises StoreError if the folder holds another list, or what is no list of ours.
        """
        with atomic_io.io_errors(self.folder, "write the list"):
            self._check_nothing_foreign()
            atomic_io.make_folder(self.work)
            (self.work / "lock").touch()
        with locks.exclusive_lock(self.work / "lock", on_wait):
            with atomic_io.io_errors(self.folder, "write the list"):
                self._check_nothing_foreign()  # again: whoever held it may have made another list meanwhile
                if self._request() != request:
                    self._check_not_another(request, overwrite)
                    self._clear()
                    atomic_io.write_file(self.work / "request.json", canonical_json(asdict(request)))
            yield

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
        """Say that the list is whole, for who holds it; what led to the shards is removed."""
        files: dict[str, FileRecord] = {}
        for shard in shards:
            files.update(shard.manifest().files)
        made = Manifest.now(
            request, origins=origins, files=files, metadata=metadata, seconds=seconds, run=run
        )
        with atomic_io.io_errors(self.folder, "finish the list"):
            atomic_io.write_file(self.folder / _MANIFEST, made.to_json())
            atomic_io.write_file(self.folder / SUCCESS, b"")
        self.remove_leftovers()
        return Artifact(request.stage, request.key, made.digest, self.folder, _MANIFEST)

    def mark_incomplete(self) -> None:
        """Say that the list is not whole, for who holds it, before anything of it is made again."""
        with atomic_io.io_errors(self.folder, "write the list"):
            (self.folder / SUCCESS).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what led to the list, for who holds it, if that is whole."""
        with atomic_io.io_errors(self.folder, "finish the list"):
            self._remove(each for each in self.work.iterdir() if each.name not in _KEPT)

    def _request(self) -> Recipe | None:
        try:
            return Recipe(**json.loads((self.work / "request.json").read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _check_nothing_foreign(self) -> None:
        """What readers of the folder would take for a part of the list is to be one."""
        if not self.folder.exists():
            return
        there = {each.name for each in self.folder.iterdir() if not each.name.startswith(".")}
        ours = {_OURS, SUCCESS, *self._parts(there)} if self.work.is_dir() else set()
        if foreign := sorted(there - ours):
            raise StoreError(
                "list.foreign",
                "the output folder holds what is no list of ours",
                where=str(self.folder),
                saw=", ".join(foreign[:3]),
                fix="name an empty or a new folder with --output, or move that away; nothing was touched.",
            )

    def _parts(self, there: Iterable[str]) -> list[str]:
        """Of these files, those of the list: if it is whole, its manifest tells which."""
        parts = [name for name in there if _PART.fullmatch(name)]
        if not (self.folder / SUCCESS).exists():
            return parts
        try:
            known = Manifest.from_json((self.folder / _MANIFEST).read_bytes()).files
        except (FileNotFoundError, ValueError):  # it will be made again
            return parts
        return [name for name in parts if name in known]

    def _check_not_another(self, request: Recipe, overwrite: bool) -> None:
        there = self._request()
        if overwrite or (there is None and not self._is_begun()):
            return
        raise StoreError(
            "list.another",
            "the output folder holds another list",
            where=str(self.folder),
            saw=request.difference(there) if there else f"{_OURS}/request.json does not say which",
            fix="name another folder with --output, or replace that list: --overwrite.",
        )

    def _is_begun(self) -> bool:
        """Without a request, too: a kill leaves nothing of a list before that is there."""
        return any(path.exists() for path in (self.folder / SUCCESS, self.work / "shards"))

    def _clear(self) -> None:
        """`_SUCCESS` first: what is half removed never looks whole. The request last: nor like no list."""
        (self.folder / SUCCESS).unlink(missing_ok=True)
        self._remove(each for each in self.folder.iterdir() if _PART.fullmatch(each.name))
        self._remove(each for each in self.work.iterdir() if each.name not in ("lock", "request.json"))
        (self.work / "request.json").unlink(missing_ok=True)

    def _remove(self, paths: Iterator[Path]) -> None:
        for path in sorted(paths):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def manifests(folder: Path) -> Iterator[Manifest]:
    """Of every whole list below a folder; a broken one is passed over."""
    with atomic_io.io_errors(folder, "look for lists"):
        for path in sorted(folder.glob(f"*/{_MANIFEST}")):
            with contextlib.suppress(ValueError):
                yield Manifest.from_json(path.read_bytes())


def _shard_manifest(key: str) -> str:
    return f"{_OURS}/shards/{key}.json"
