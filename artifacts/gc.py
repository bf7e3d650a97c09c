"""Garbage collection of a store: quarantine damaged artifacts, remove leftovers and old ones.

Nothing is touched while a run holds its key's lock, and nothing at all by a dry run.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from artifacts import atomic_io
from artifacts.dataset import Dataset
from artifacts.errors import StoreError
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import FILE_NAME, Manifest
from artifacts.store import UNREADABLE, Artifact, Store

Outcome = Literal["whole", "damaged", "removed", "in use", "failed", "kept"]

_NAMED_AFTER_A_KEY = re.compile(rf"\.?(?P<stage>\w+)-(?P<key>[0-9a-f]{{{KEY_LENGTH}}})(?:-.*)?")
_DAY = 86_400.0


class MaintenanceAction(NamedTuple):
    """What was done to one path of the store, or would be in a dry run.

    what:    the path, relative to the store.
    why:     the reason; empty for a whole artifact.
    bytes:   its size on disk.
    is_odd:  whether no run leaves such an entry (a link, a FIFO, a file that may not be read), or it could
             not be dealt with.
    """

    outcome: Outcome
    what: str
    why: str
    bytes: int
    is_odd: bool = False


@dataclass(frozen=True, slots=True)
class GarbageCollector:
    """Verifies a store and removes what it no longer needs.

    now:      seconds since the epoch; ages are counted from it.
    dry_run:  report what would be done and touch nothing.
    """

    store: Store
    now: float
    dry_run: bool

    def verify(self, stages: Iterable[str]) -> Iterator[MaintenanceAction]:
        """Compare every artifact of these stages with its SHA-256; a damaged one goes into quarantine."""
        for stage in stages:
            for key in self.store.keys(stage):
                yield from self._verification(stage, key)

    def clear_scratch(self) -> Iterator[MaintenanceAction]:
        """Remove what crashed runs left in scratch."""
        for path in self._entries("scratch"):
            if match := _NAMED_AFTER_A_KEY.fullmatch(path.name):
                yield from self._removal(path, match["stage"], match["key"], "left by a crashed run")

    def clear_checkpoints(self, days: float) -> Iterator[MaintenanceAction]:
        """Remove checkpoints that were not continued for so many days, or whose model exists."""
        for folder in self._entries("checkpoints"):
            for path in self._entries(f"checkpoints/{folder.name}"):
                stage, key = folder.name, path.name.lstrip(".").partition(".")[0]
                if self.store.folder(stage, key).exists():
                    yield from self._removal(path, stage, key, "its model exists")
                elif age := self._age_beyond(path, days):
                    yield from self._removal(path, stage, key, f"not continued for {age}")

    def clear_quarantine(self, days: float) -> Iterator[MaintenanceAction]:
        """Remove what was quarantined so many days ago, or earlier."""
        for path in self._entries("quarantine"):
            if age := self._age_beyond(path, days):
                yield from self._deletion(path, f"quarantined {age} ago", partial(atomic_io.remove, path))

    def remove(self, manifests: Iterable[Manifest]) -> Iterator[MaintenanceAction]:
        """Remove these artifacts, in this order."""
        for manifest in manifests:
            stage, key = manifest.recipe.stage, manifest.recipe.key
            reason = f"unreferenced, from {manifest.created_at}"
            yield from self._removal(self.store.folder(stage, key), stage, key, reason)

    def clear_lists(self, folder: str, days: float, keep: str) -> Iterator[MaintenanceAction]:
        """Remove generated lists that nobody asked for during so many days.

        folder:  of the store, with a folder for each list.
        keep:    a link in it, to the one that stays.
        """
        kept = (self.store.root / folder / keep).resolve()
        for path in self._entries(folder):
            dataset = Dataset(path)
            if path.is_symlink() or path.resolve() == kept or not dataset.work.is_dir():
                continue
            if age := self._age_beyond(dataset.lock_file, days):
                remove = partial(self.store.remove, Artifact(folder, path.name, "", path))
                with contextlib.nullcontext(True) if self.dry_run else dataset.try_claim() as is_held:
                    if is_held:
                        yield from self._deletion(path, f"not asked for during {age}", remove)
                    else:
                        yield self._in_use(path)

    def shrink(self, removable: Iterable[Manifest], most_bytes: float) -> Iterator[MaintenanceAction]:
        """Remove artifacts, those first that were not used for the longest time, until the store is so small.

        removable:  those that nothing kept was made from.
        """
        size = _size(self.store.root)
        for manifest in sorted(removable, key=self._last_use):
            if size <= most_bytes:
                return
            for action in self.remove([manifest]):
                size -= action.bytes * (action.outcome == "removed")
                yield action
        if size > most_bytes:
            why = f"the store has {size / 1e6:,.1f} MB, and what is left of it is protected"
            yield MaintenanceAction("kept", ".", why, size)

    def clear_locks(self) -> None:
        """Remove the empty lock files of artifacts that are not there, unless somebody holds them."""
        for path in self._entries("locks"):
            match = _NAMED_AFTER_A_KEY.fullmatch(path.stem)
            if (
                match
                and not self.dry_run
                and not os.path.lexists(self.store.folder(match["stage"], match["key"]))
            ):
                with self.store.try_lock(match["stage"], match["key"]) as is_held:
                    if is_held:  # who waits for it notices, and opens a new one
                        with atomic_io.io_errors(path, "clear the store"):
                            path.unlink(missing_ok=True)

    def _last_use(self, manifest: Manifest) -> float:
        path = self.store.folder(manifest.recipe.stage, manifest.recipe.key) / FILE_NAME
        try:
            status = path.lstat()
        except OSError:  # removed meanwhile
            return 0.0
        return max(status.st_atime, status.st_mtime)

    def _verification(self, stage: str, key: str) -> Iterator[MaintenanceAction]:
        folder = self.store.folder(stage, key)
        try:
            artifact, fault = self.store.examine(stage, key)
        except StoreError as refusal:  # the others are verified all the same
            yield self._failure(folder, refusal)
            return
        if artifact:
            yield MaintenanceAction("whole", self._relative(folder), "", _size(folder))
        elif fault and self.dry_run:
            yield self._damage(folder, fault, _size(folder))
        elif fault:
            with self.store.try_lock(stage, key) as is_held:
                if not is_held:  # a run is making it again at this moment
                    yield self._in_use(folder)
                    return
                size, faults = _size(folder), list[str]()
                try:
                    self.store.find(stage, key, faults.append)
                except StoreError as refusal:
                    yield self._failure(folder, refusal)
                for fault in faults:
                    yield self._damage(folder, fault, size)

    def _removal(self, path: Path, stage: str, key: str, why: str) -> Iterator[MaintenanceAction]:
        artifact = Artifact(stage, key, "", path) if path == self.store.folder(stage, key) else None

        def delete() -> None:
            if artifact:
                self.store.remove(artifact)
            else:
                atomic_io.remove(path)

        if self.dry_run:
            yield from self._deletion(path, why, delete)
            return
        with self.store.try_lock(stage, key) as is_held:
            if is_held:
                yield from self._deletion(path, why, delete)
            else:
                yield self._in_use(path)

    def _deletion(self, path: Path, why: str, delete: Callable[[], None]) -> Iterator[MaintenanceAction]:
        """One action; none if somebody else removed it meanwhile."""
        if not os.path.lexists(path):
            return
        is_odd = path.is_symlink() or (path.parent == self.store.root / "scratch" and not path.is_dir())
        action = MaintenanceAction("removed", self._relative(path), why, _size(path), is_odd)
        try:
            if not self.dry_run:
                with atomic_io.io_errors(path, "clear the store"):
                    delete()
        except StoreError as refusal:
            yield self._failure(path, refusal)
        else:
            yield action

    def _damage(self, folder: Path, fault: str, size: int) -> MaintenanceAction:
        return MaintenanceAction("damaged", self._relative(folder), fault, size, UNREADABLE in fault)

    def _failure(self, path: Path, refusal: StoreError) -> MaintenanceAction:
        return MaintenanceAction("failed", self._relative(path), refusal.what, 0, True)

    def _in_use(self, path: Path) -> MaintenanceAction:
        return MaintenanceAction("in use", self._relative(path), "a run holds its lock", _size(path))

    def _entries(self, folder: str) -> list[Path]:
        return [self.store.root / folder / name for name in self.store.entries(folder)]

    def _age_beyond(self, path: Path, days: float) -> str:
        """Its age in words if it is as old as this; else an empty text."""
        try:
            age = (self.now - path.lstat().st_mtime) / _DAY
        except FileNotFoundError:  # removed meanwhile
            return ""
        return f"{age:.0f} days" if age >= days else ""

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self.store.root))


def unreferenced_artifacts(
    store: Store, stages: Sequence[str], roots: Iterable[str], keep_last: int, before: datetime
) -> list[Manifest]:
    """The artifacts of these stages that nothing kept was made from, newest first.

    roots:      origins, `stage/key`, that are kept with their lineage.
    keep_last:  how many of the newest artifacts of each stage are kept, with their lineage.
    before:     newer artifacts are kept, with their lineage.
    """
    manifests = {f"{manifest.recipe.stage}/{manifest.recipe.key}": manifest for manifest in store.list()}
    newest_first = sorted(manifests, key=lambda origin: manifests[origin].created_at, reverse=True)
    kept = [o for o in newest_first if datetime.fromisoformat(manifests[o].created_at) >= before]
    for stage in stages:
        kept += [o for o in newest_first if manifests[o].recipe.stage == stage][:keep_last]
    needed = _with_lineage(manifests, [*roots, *kept])
    return [manifests[o] for o in newest_first if o not in needed and manifests[o].recipe.stage in stages]


def _with_lineage(manifests: Mapping[str, Manifest], origins: Iterable[str]) -> set[str]:
    needed: set[str] = set()
    pending = list(origins)
    while pending:
        origin = pending.pop()
        if origin in manifests and origin not in needed:
            needed.add(origin)
            pending += manifests[origin].origins.values()
    return needed


def _size(path: Path) -> int:
    """Bytes on disk; 0 for what was removed meanwhile. Links are not followed."""
    folders = (
        os.walk(path) if path.is_dir() and not path.is_symlink() else [(str(path.parent), [], [path.name])]
    )
    return sum(_file_size(Path(folder, name)) for folder, _, files in folders for name in files)


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
