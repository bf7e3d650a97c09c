"""Maintenance of a store as Prefect shows it: a state that sums it up, a table, an event."""

from collections.abc import Iterable
from pathlib import Path

from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from artifacts.gc import MaintenanceAction
from tasks.config.maintenance import MaintenanceConfig
from tasks.config.site import site_name
from tasks.monitoring import events
from tasks.process import signals
from tasks.report.text import escape_invisible
from tasks.views import maintenance

_TABLE = "maintenance"
_MAX_ROWS = 200  # of the table; the log has them all
_MAX_LENGTH = 300  # characters of a cell


def run_maintenance(config: MaintenanceConfig, store: Path, dry_run: bool) -> State[None]:
    """Maintain a store inside a flow. What was done is shown, also if `maintenance_actions` raises."""
    actions: list[MaintenanceAction] = []
    with signals.graceful_shutdown():  # Prefect has put a handler of its own in the place of ours
        try:
            actions.extend(maintenance.maintenance_actions(config, store, dry_run))
        finally:
            summary = maintenance.summary(actions, dry_run)
            logger = get_run_logger()
            for line in maintenance.action_lines(actions):
                logger.info(line)
            logger.info(f"{store}: {summary}")
            create_table_artifact(_rows(actions), key=_TABLE, description=f"{store}: {summary}")
    if not dry_run:
        payload = {"store": str(store.resolve()), "summary": summary, "acts": _rows(actions)}
        events.emit(events.STORE_MAINTAINED, f"{site_name()}.store", str(store), payload)
    return Completed(message=summary)


def _rows(actions: Iterable[MaintenanceAction]) -> list[dict[str, object]]:
    changes = [action for action in actions if action.outcome != "whole"]
    rows: list[dict[str, object]] = [
        {
            "outcome": action.outcome,
            "what": escape_invisible(action.what, _MAX_LENGTH),
            "why": escape_invisible(action.why, _MAX_LENGTH),
            "bytes": action.bytes,
        }
        for action in changes[:_MAX_ROWS]
    ]
    if len(changes) > _MAX_ROWS:
        more = f"{len(changes) - _MAX_ROWS:,} more, in the log"
        rows.append({"outcome": "…", "what": more, "why": "", "bytes": 0})
    return rows
