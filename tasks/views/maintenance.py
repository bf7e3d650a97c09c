"""What `maintain` does with a store, and how it is reported."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from artifacts.errors import StoreError
from artifacts.gc import GarbageCollector, MaintenanceAction, unreferenced_artifacts
from artifacts.manifest import Manifest
from artifacts.open_store import open_store
from artifacts.store import Store
from tasks import stages
from tasks.config.maintenance import MaintenanceConfig
from tasks.config.settings import shown_store
from tasks.generate.dataset import LATEST, LIST
from tasks.process import signals
from tasks.views.references import roots

_SHOWN = 20  # entries in an error
_STAGES = tuple(stage.name for stage in stages.ALL)


def maintenance_actions(config: MaintenanceConfig, root: Path, dry_run: bool) -> Iterator[MaintenanceAction]:
    """Put a store in order, one action at a time.

    Raises StoreError, also at the end for entries that no run leaves; and Interrupted between two actions.
    """
    odd: list[MaintenanceAction] = []
    store = open_store(root)
    now = time.time() if dry_run else store.inventory().now()  # the bucket's clock is read by writing to it
    for action in _actions(config, GarbageCollector(store, now, dry_run)):
        yield action
        odd += [action] * action.is_odd
        signals.raise_if_requested("maintain", "run it again: it goes on with what is left.")
    if odd:
        raise StoreError(
            "store.entries",
            f"{len(odd):,} of the store's entries are nothing that a run leaves, or could not be dealt with",
            where=shown_store(root),
            saw="\n".join(
                [*(f"{action.what}: {action.why}" for action in odd[:_SHOWN]), *["…"][: len(odd) > _SHOWN]]
            ),
            fix="look who else writes to this folder. All other entries are in order.",
        )


def summary(actions: Sequence[MaintenanceAction], dry_run: bool) -> str:
    """One line on all that was done, or would be."""
    counts = Counter(action.outcome for action in actions)
    freed = sum(action.bytes for action in actions if action.outcome == "removed") / 1e6
    damaged, removed = (
        ("found damaged", "would be removed") if dry_run else ("set aside as damaged", "removed")
    )
    parts = [
        f"{counts['whole']:,} artifacts whole",
        f"{counts['damaged']:,} {damaged}",
        f"{counts['removed']:,} {removed} ({freed:,.1f} MB)",
    ]
    parts += [f"{counts[kind]:,} {kind}" for kind in ("in use", "failed") if counts[kind]]
    return ", ".join(parts)


def action_lines(actions: Iterable[MaintenanceAction]) -> Iterator[str]:
    """A line for every artifact but those that are whole."""
    for action in actions:
        if action.outcome != "whole":
            yield f"{action.outcome:<8} {action.what}  {action.why}"


def _actions(config: MaintenanceConfig, collector: GarbageCollector) -> Iterator[MaintenanceAction]:
    if config.verify:
        yield from collector.verify(_STAGES)
    yield from collector.clear_scratch()
    if config.checkpoint_days is not None:
        yield from collector.clear_checkpoints(config.checkpoint_days)
    if config.quarantine_days is not None:
        yield from collector.clear_quarantine(config.quarantine_days)
    if config.list_days is not None:  # before the artifacts that they keep
        yield from collector.clear_lists(LIST, config.list_days, LATEST)
    if config.artifact_days is not None:
        before = datetime.fromtimestamp(collector.now, UTC) - timedelta(days=config.artifact_days)
        yield from collector.remove(_unreferenced(config, collector.store, before))
    if config.max_bytes is not None:
        never = datetime.now(UTC) + timedelta(days=1)  # however young
        yield from collector.shrink(_unreferenced(config, collector.store, never), config.max_bytes)
    yield from collector.report_foreign()
    collector.clear_locks()


def _unreferenced(config: MaintenanceConfig, store: Store, before: datetime) -> list[Manifest]:
    # With a damaged registry, what it pointed at is unknown: that is raised, and nothing is removed.
    kept = [root.origin for root in roots(store, config.keep_last)]
    return unreferenced_artifacts(store, _STAGES, kept, config.keep_last, before)
