"""Putting a store in order as Prefect shows it: a state that says what was done, a table, an event."""

from collections.abc import Iterable
from pathlib import Path

from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from artifacts.gc import MaintenanceAction
from tasks.config.maintenance import MaintenanceConfig
from tasks.monitoring import events
from tasks.process import signals
from tasks.report.markup import visible
from tasks.views import maintenance

_TABLE = "maintenance"
_ROWS = 200  # of the table; the log has them all
_LONGEST = 300  # characters of a cell


def run_maintenance(config: MaintenanceConfig, store: Path, dry_run: bool) -> State[None]:
    """Inside a flow. Raises what `maintenance.maintained` raises, with what was done until then shown."""
    acts: list[MaintenanceAction] = []
    with signals.graceful_shutdown():  # Prefect has put a handler of its own in the place of ours
        try:
            acts.extend(maintenance.maintained(config, store, dry_run))
        finally:
            summary = maintenance.summary(acts, dry_run)
            logger = get_run_logger()
            maintenance.told(acts, logger.info)
            logger.info(f"{store}: {summary}")
            create_table_artifact(_rows(acts), key=_TABLE, description=f"{store}: {summary}")
    if not dry_run:
        payload = {"store": str(store.resolve()), "summary": summary, "acts": _rows(acts)}
        events.emit(events.STORE_MAINTAINED, "namewright.store", str(store), payload)
    return Completed(message=summary)


def _rows(acts: Iterable[MaintenanceAction]) -> list[dict[str, object]]:
    told = [act for act in acts if act.outcome != "whole"]
    rows: list[dict[str, object]] = [
        {
            "outcome": act.outcome,
            "what": visible(act.what, _LONGEST),
            "why": visible(act.why, _LONGEST),
            "bytes": act.bytes,
        }
        for act in told[:_ROWS]
    ]
    if len(told) > _ROWS:
        rows.append(
            {"outcome": "…", "what": f"{len(told) - _ROWS:,} more, in the log", "why": "", "bytes": 0}
        )
    return rows
