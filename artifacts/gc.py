"""Keeping a store in order: what is damaged is set aside, what a dead run left and nobody needs is removed.

Nothing is touched whose key somebody holds, and of a dry run nothing at all.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from artifacts import atomic_io
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import Manifest
from artifacts.store import Artifact, Store

Outcome = Literal["whole", "damaged", "removed", "in use"]

_OF_A_KEY = re.compile(rf"\.?(?P<stage>\w+)-(?P<key>[0-9a-f]{{{KEY_LENGTH}}})(?:-.*)?")
_DAY = 86_400.0


class MaintenanceAction(NamedTuple):
    """What was found, and done about it, or would be.

    what:   a path below the store.
    why:    empty for what is whole.
    bytes:  that it takes on the disk.
    """

    outcome: Outcome
    what: str
    why: str
    bytes: int


@dataclass(frozen=True, slots=True)
class GarbageCollector:
    """A store that is put in order.

    now:      seconds since the epoch, which ages are counted from.
    dry_run:  say what would be done; touch nothing.
    """

    store: Store
    now: float
    dry_run: bool

    def verify(self, stages: Iterable[str]) -> Iterator[MaintenanceAction]:
        """Every artifact of these stages against its sha256; a damaged one goes into quarantine."""
        for stage in stages:
            for key in self.store.keys(stage):
                yield from self._verified(stage, key)

    def clear_scratch(self) -> Iterator[MaintenanceAction]:
        """What makers left that have died."""
        for path in self._entries("scratch/*"):
            if of_a_key := _OF_A_KEY.fullmatch(path.name):
                yield self._removed(path, of_a_key["stage"], of_a_key["key"], "left by a run that died")

    def clear_checkpoints(self, days: float) -> Iterator[MaintenanceAction]:
        """Those of trainings that nobody went on with for so long, or whose model is there."""
        for path in self._entries("checkpoints/*/*"):
            stage, key = path.parent.name, path.name.lstrip(".").partition(".")[0]
            if self.store.folder(stage, key).exists():
                yield self._removed(path, stage, key, "its model is there")
            elif old := self._older_than(path, days):
                yield self._removed(path, stage, key, f"a training that nobody went on with: {old}")

    def clear_quarantine(self, days: float) -> Iterator[MaintenanceAction]:
        for path in self._entries("quarantine/*"):
            if old := self._older_than(path, days):
                yield self._gone(path, f"set aside {old} ago")

    def remove(self, superseded: Iterable[Manifest]) -> Iterator[MaintenanceAction]:
        """These artifacts, those last that others were made from."""
        for made in superseded:
            folder = self.store.folder(made.recipe.stage, made.recipe.key)
            yield self._removed(
                folder,
                made.recipe.stage,
                made.recipe.key,
                f"nothing kept refers to it: {made.created_at}",
            )

    def _verified(self, stage: str, key: str) -> Iterator[MaintenanceAction]:
        found, fault = self.store.examine(stage, key)
        folder = self.store.folder(stage, key)
        if found:
            yield MaintenanceAction("whole", self._below(folder), "", _size(folder))
        elif fault and self.dry_run:
            yield MaintenanceAction("damaged", self._below(folder), fault, _size(folder))
        elif fault:
            with self.store.try_lock(stage, key) as is_held:
                if not is_held:  # somebody is making it again at this moment
                    yield self._in_use(folder)
                    return
                size, faults = _size(folder), list[str]()
                self.store.find(stage, key, faults.append)
                for told in faults:
                    yield MaintenanceAction("damaged", self._below(folder), told, size)

    def _removed(self, path: Path, stage: str, key: str, why: str) -> MaintenanceAction:
        if self.dry_run:
            return MaintenanceAction("removed", self._below(path), why, _size(path))
        with self.store.try_lock(stage, key) as is_held:
            if not is_held:
                return self._in_use(path)
            if path != self.store.folder(stage, key):
                return self._gone(path, why)
            act = MaintenanceAction("removed", self._below(path), why, _size(path))
            self.store.remove(Artifact(stage, key, "", path))
            return act

    def _gone(self, path: Path, why: str) -> MaintenanceAction:
        act = MaintenanceAction("removed", self._below(path), why, _size(path))
        if not self.dry_run:
            with atomic_io.io_errors(path, "clear the store"):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        return act

    def _in_use(self, path: Path) -> MaintenanceAction:
        return MaintenanceAction(
            "in use", self._below(path), "a run holds its lock; it is left alone", _size(path)
        )

    def _entries(self, pattern: str) -> list[Path]:
        with atomic_io.io_errors(self.store.root, "list the store"):
            return sorted(self.store.root.glob(pattern))

    def _older_than(self, path: Path, days: float) -> str:
        """Its age, if it is older; else nothing."""
        try:
            age = (self.now - path.stat().st_mtime) / _DAY
        except FileNotFoundError:  # gone at this moment
            return ""
        return f"{age:.0f} days" if age >= days else ""

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self.store.root))


def unreferenced_artifacts(
    store: Store, stages: Sequence[str], roots: Iterable[str], keep_last: int, before: datetime
) -> list[Manifest]:
    """The artifacts of these stages that nobody needs, those first that were made from others.

    roots:      origins, `stage/key`, that are kept with all that they were made from.
    keep_last:  of each stage so many are kept that were made last, with all that they were made from.
    before:     what was made at this time or later is kept, with all that it was made from.
    """
    made = {f"{one.recipe.stage}/{one.recipe.key}": one for one in store.list()}
    by_age = sorted(made, key=lambda origin: made[origin].created_at, reverse=True)
    kept = [origin for origin in by_age if datetime.fromisoformat(made[origin].created_at) >= before]
    for stage in stages:
        kept += [origin for origin in by_age if made[origin].recipe.stage == stage][:keep_last]
    needed = _with_lineage(made, [*roots, *kept])
    return [made[one] for one in by_age if one not in needed and made[one].recipe.stage in stages]


def _with_lineage(made: Mapping[str, Manifest], origins: Iterable[str]) -> set[str]:
    needed: set[str] = set()
    wanted = list(origins)
    while wanted:
        origin = wanted.pop()
        if origin in made and origin not in needed:
            needed.add(origin)
            wanted += made[origin].origins.values()
    return needed


def _size(path: Path) -> int:
    """0 for what is gone at this moment."""
    paths = path.rglob("*") if path.is_dir() else [path]
    return sum(each.stat().st_size for each in paths if each.is_file())
