"""Garbage collection of a store: quarantine damaged artifacts, remove leftovers and old ones.

Nothing is touched while a run holds its key's lock, and nothing at all by a dry run.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal, NamedTuple

from artifacts import atomic_io
from artifacts.bucket.address import inside
from artifacts.dataset import Dataset
from artifacts.errors import StoreError
from artifacts.manifest import Manifest
from artifacts.registry import Reference
from artifacts.store import UNREADABLE, Store

Outcome = Literal["whole", "damaged", "removed", "in use", "failed", "kept"]

_DAY = 86_400.0
_MOST_FOREIGN = 100  # of which each is reported by itself


class MaintenanceAction(NamedTuple):
    """What was done to one entry of the store, or would be in a dry run.

    what:    the name, relative to the store.
    why:     the reason; empty for a whole artifact.
    bytes:   its size in the store.
    is_odd:  whether no run leaves such an entry (a link, a FIFO, a file that may not be read, a foreign
             object), or it could not be dealt with.
    """

    outcome: Outcome
    what: str
    why: str
    bytes: int
    is_odd: bool = False


class GarbageCollector:
    """Verifies a store and removes what it no longer needs.

    now:      seconds since the epoch; ages are counted from it.
    dry_run:  report what would be done and touch nothing.
    """

    def __init__(self, store: Store, now: float, dry_run: bool) -> None:
        self.store, self.now, self.dry_run = store, now, dry_run
        self.inventory = store.inventory()

    def verify(self, stages: Iterable[str]) -> Iterator[MaintenanceAction]:
        """Compare every artifact of these stages with its SHA-256; a damaged one goes into quarantine."""
        for stage in stages:
            for key in self.store.keys(stage):
                yield from self._verification(stage, key)

    def clear_scratch(self) -> Iterator[MaintenanceAction]:
        """Remove what crashed runs left of artifacts that they did not finish."""
        for left in self.inventory.leftovers(self.now):
            yield from self._removal(left.name, left.stage, left.key, left.why)

    def clear_checkpoints(self, days: float) -> Iterator[MaintenanceAction]:
        """Remove checkpoints that were not continued for so many days, or whose model exists."""
        for stage in self.inventory.names("checkpoints"):
            for file in self.inventory.names(f"checkpoints/{stage}"):
                name, key = f"checkpoints/{stage}/{file}", file.lstrip(".").partition(".")[0]
                if self.inventory.exists(f"{stage}/{key}"):
                    yield from self._removal(name, stage, key, "its model exists")
                elif age := self._age_beyond(self.inventory.modified(name), days):
                    yield from self._removal(name, stage, key, f"not continued for {age}")

    def clear_quarantine(self, days: float) -> Iterator[MaintenanceAction]:
        """Remove what was quarantined so many days ago, or earlier."""
        for entry in self.inventory.names("quarantine"):
            name = f"quarantine/{entry}"
            if age := self._age_beyond(self.inventory.modified(name), days):
                yield from self._deletion(name, f"quarantined {age} ago", self._remover(name))

    def remove(self, manifests: Iterable[Manifest]) -> Iterator[MaintenanceAction]:
        """Remove these artifacts, in this order."""
        for manifest in manifests:
            stage, key = manifest.recipe.stage, manifest.recipe.key
            reason = f"unreferenced, from {manifest.created_at}"
            yield from self._removal(f"{stage}/{key}", stage, key, reason)

    def clear_lists(self, folder: str, days: float, keep: str) -> Iterator[MaintenanceAction]:
        """Remove generated lists that nobody asked for during so many days.

        folder:  of the store, with a folder for each list.
        keep:    a link in it, to the one that stays; in a bucket that is the one that was asked for last.
        """
        names = self.inventory.names(folder)
        moments = {name: self.inventory.last_asked(f"{folder}/{name}") for name in names}
        asked = {name: moment for name, moment in moments.items() if moment is not None}
        latest = self.inventory.latest_list(folder, keep, asked)
        for name, moment in asked.items():
            age = self._age_beyond(moment, days)
            if age and name != latest:
                dataset = Dataset(inside(self.store.root, folder, name))
                with contextlib.nullcontext(True) if self.dry_run else dataset.try_claim() as is_held:
                    if is_held:
                        delete = self._remover(f"{folder}/{name}", Reference(folder, name, ""))
                        yield from self._deletion(f"{folder}/{name}", f"not asked for during {age}", delete)
                    else:
                        yield self._in_use(f"{folder}/{name}")

    def shrink(self, removable: Iterable[Manifest], most_bytes: float) -> Iterator[MaintenanceAction]:
        """Remove artifacts, those first that were not used for the longest time, until the store is so small.

        removable:  those that nothing kept was made from.
        """
        size = self.inventory.size()
        for manifest in sorted(removable, key=self._last_use):
            if size <= most_bytes:
                return
            for action in self.remove([manifest]):
                size -= action.bytes * (action.outcome == "removed")
                yield action
        if size > most_bytes:
            why = f"the store has {size / 1e6:,.1f} MB, and what is left of it is protected"
            yield MaintenanceAction("kept", ".", why, size)

    def report_foreign(self) -> Iterator[MaintenanceAction]:
        """Report what no run writes; it is never touched."""
        number = 0
        for number, name in enumerate(self.inventory.foreign(), 1):
            if number <= _MOST_FOREIGN:
                size = self.inventory.size(name)
                yield MaintenanceAction("kept", name, "no run writes an object of that name", size, True)
        if number > _MOST_FOREIGN:
            more = f"{number - _MOST_FOREIGN:,} more objects that no run writes"
            yield MaintenanceAction("kept", ".", more, 0, True)

    def clear_locks(self) -> None:
        """Remove locks that nothing is lost with, unless somebody holds them, and notes on what is gone."""
        if self.dry_run:
            return
        for stage, key, name in self.inventory.unneeded_locks(self.now):
            with self.store.try_lock(stage, key) as is_held:
                if is_held:  # who waits for it notices, and opens a new one
                    with atomic_io.io_errors(self.store.root / name, "clear the store"):
                        self.inventory.remove(name)
        self.inventory.clear_notes(self.now)

    def _last_use(self, manifest: Manifest) -> float:
        return self.inventory.last_use(manifest.recipe.stage, manifest.recipe.key)

    def _verification(self, stage: str, key: str) -> Iterator[MaintenanceAction]:
        name = f"{stage}/{key}"
        try:
            is_whole, fault = self.store.verify(stage, key)
        except StoreError as refusal:  # the others are verified all the same
            yield self._failure(name, refusal)
            return
        if is_whole:
            yield MaintenanceAction("whole", name, "", self.inventory.size(name))
        elif fault and self.dry_run:
            yield self._damage(name, fault, self.inventory.size(name))
        elif fault:
            with self.store.try_lock(stage, key) as is_held:
                if not is_held:  # a run is making it again at this moment
                    yield self._in_use(name)
                    return
                size = self.inventory.size(name)
                try:
                    _, fault = self.store.verify(stage, key)
                    if fault:
                        yield self._damage(name, self.store.quarantine(stage, key, fault), size)
                except StoreError as refusal:
                    yield self._failure(name, refusal)

    def _removal(self, name: str, stage: str, key: str, why: str) -> Iterator[MaintenanceAction]:
        delete = self._remover(name, Reference(stage, key, "") if name == f"{stage}/{key}" else None)
        if self.dry_run:
            yield from self._deletion(name, why, delete)
            return
        with self.store.try_lock(stage, key) as is_held:
            if is_held:
                yield from self._deletion(name, why, delete)
            else:
                yield self._in_use(name)

    def _remover(self, name: str, artifact: Reference | None = None) -> Callable[[], None]:
        """What removes an entry; an artifact, so that it is never seen half removed."""
        if artifact:
            return partial(self.store.remove, self.store.handle(artifact))
        return partial(self.inventory.remove, name)

    def _deletion(self, name: str, why: str, delete: Callable[[], None]) -> Iterator[MaintenanceAction]:
        """One action; none if somebody else removed it meanwhile."""
        if not self.inventory.exists(name):
            return
        action = MaintenanceAction(
            "removed", name, why, self.inventory.size(name), self.inventory.is_odd(name)
        )
        try:
            if not self.dry_run:
                with atomic_io.io_errors(self.store.root / name, "clear the store"):
                    delete()
        except StoreError as refusal:
            yield self._failure(name, refusal)
        else:
            yield action

    def _damage(self, name: str, fault: str, size: int) -> MaintenanceAction:
        return MaintenanceAction("damaged", name, fault, size, UNREADABLE in fault)

    def _failure(self, name: str, refusal: StoreError) -> MaintenanceAction:
        return MaintenanceAction("failed", name, refusal.what, 0, True)

    def _in_use(self, name: str) -> MaintenanceAction:
        return MaintenanceAction("in use", name, "a run holds its lock", self.inventory.size(name))

    def _age_beyond(self, moment: float | None, days: float) -> str:
        """The time since then in words if it is as long as this; else an empty text."""
        age = -1.0 if moment is None else (self.now - moment) / _DAY
        return f"{age:.0f} days" if age >= days else ""


def unreferenced_artifacts(
    store: Store, stages: Sequence[str], roots: Iterable[str], keep_last: int, before: datetime
) -> list[Manifest]:
    """The artifacts of these stages that nothing kept was made from, newest first.

    roots:      origins, `stage/key`, that are kept with their lineage.
    keep_last:  how many of the newest artifacts of each stage are kept, with their lineage.
    before:     newer artifacts are kept, with their lineage.
    """
    manifests = {manifest.origin: manifest for manifest in store.list()}
    young = [o for o in manifests if datetime.fromisoformat(manifests[o].created_at) >= before]
    needed = with_lineage(manifests, [*roots, *young, *latest(manifests, keep_last)])
    unneeded = (manifests[o] for o in _newest_first(manifests) if o not in needed)
    return [manifest for manifest in unneeded if manifest.recipe.stage in stages]


def latest(manifests: Mapping[str, Manifest], keep_last: int) -> set[str]:
    """The origins of the newest artifacts of every stage, so many of each."""
    by_stage: dict[str, list[str]] = {}
    for origin in _newest_first(manifests):
        by_stage.setdefault(manifests[origin].recipe.stage, []).append(origin)
    return {origin for origins in by_stage.values() for origin in origins[:keep_last]}


def _newest_first(manifests: Mapping[str, Manifest]) -> list[str]:
    return sorted(manifests, key=lambda origin: manifests[origin].created_at, reverse=True)


def with_lineage(manifests: Mapping[str, Manifest], origins: Iterable[str]) -> set[str]:
    """Those of these origins that are there, and all that they were made from.

    manifests:  of everything in the store, by origin.
    """
    needed: set[str] = set()
    pending = list(origins)
    while pending:
        origin = pending.pop()
        if origin in manifests and origin not in needed:
            needed.add(origin)
            pending += manifests[origin].origins.values()
    return needed
