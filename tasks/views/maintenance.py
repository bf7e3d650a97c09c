"""What `maintain` does with a store, and how it tells it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from artifacts.dataset import manifests
from artifacts.gc import GarbageCollector, MaintenanceAction, unreferenced_artifacts
from artifacts.store import Store
from tasks import stages
from tasks.config.maintenance import MaintenanceConfig
from tasks.generate.dataset import LIST
from tasks.process import signals

_STAGES = tuple(stage.name for stage in stages.ALL)


def maintained(config: MaintenanceConfig, root: Path, dry_run: bool) -> Iterator[MaintenanceAction]:
    """Put a store in order, act by act. Raises StoreError, and Interrupted between two acts."""
    for act in _acts(config, GarbageCollector(Store(root), time.time(), dry_run)):
        yield act
        signals.raise_if_requested("maintain", "run it again: it goes on with what is left.")


def _acts(config: MaintenanceConfig, upkeep: GarbageCollector) -> Iterator[MaintenanceAction]:
    if config.verify:
        yield from upkeep.verify(_STAGES)
    yield from upkeep.clear_scratch()
    if config.checkpoint_days is not None:
        yield from upkeep.clear_checkpoints(config.checkpoint_days)
    if config.quarantine_days is not None:
        yield from upkeep.clear_quarantine(config.quarantine_days)
    if config.artifact_days is not None:
        before = datetime.now(UTC) - timedelta(days=config.artifact_days)
        roots = list(_referred_to(upkeep.store, config.keep_last))
        yield from upkeep.remove(
            unreferenced_artifacts(upkeep.store, _STAGES, roots, config.keep_last, before)
        )


def _referred_to(store: Store, keep_last: int) -> Iterator[str]:
    """Origins of what the generated lists and the registry point at; a rollback goes that far back.

    Raises DataError if the registry is damaged: what it pointed at is then not known, and nothing is removed.
    """
    for made in manifests(store.root / LIST):
        yield from made.origins.values()
    for registry in store.registries():
        standing = registry.current()
        for entry in [*registry.history()[-keep_last:], *([standing] if standing else [])]:
            yield from (entry.artifact.origin, entry.why)
            if entry.against:
                yield entry.against.origin


def summary(acts: Sequence[MaintenanceAction], dry_run: bool) -> str:
    """One line."""
    counts = Counter(act.outcome for act in acts)
    freed = sum(act.bytes for act in acts if act.outcome == "removed") / 1e6
    damaged, removed = (
        ("found damaged", "would be removed") if dry_run else ("set aside as damaged", "removed")
    )
    said = f"{counts['whole']:,} artifacts whole, {counts['damaged']:,} {damaged}"
    said += f", {counts['removed']:,} {removed} ({freed:,.1f} MB)"
    return said + (f", {counts['in use']:,} in use" if counts["in use"] else "")


def told(acts: Sequence[MaintenanceAction], say: Callable[[str], None]) -> None:
    """A line for everything but what is whole."""
    for act in acts:
        if act.outcome != "whole":
            say(f"{act.outcome:<8} {act.what}  {act.why}")
