"""Maintenance of a store as Prefect shows it: a state that sums it up, a table, an event."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from artifacts.gc import MaintenanceAction
from tasks.config.maintenance import MaintenanceConfig
from tasks.config.settings import shown_store
from tasks.config.site import site_name
from tasks.monitoring import dead_runs, events
from tasks.monitoring.dead_runs import Cleared
from tasks.monitoring.deployed_work import deployed_work
from tasks.process import signals
from tasks.report.text import escape_invisible
from tasks.views import maintenance

_TABLE = "maintenance"
_MAX_ROWS = 200  # of the table; the log has them all
_MAX_LENGTH = 300  # characters of a cell


@deployed_work
def run_maintenance(config: MaintenanceConfig, store: Path, dry_run: bool) -> State[None]:
    """Maintain a store, and its server's runs, inside a flow.

    What was done is shown, also if `maintenance_actions` raises.
    """
    cleared = dead_runs.clear_dead_runs(dry_run)
    actions: list[MaintenanceAction] = []
    with signals.graceful_shutdown():  # Prefect has put a handler of its own in the place of ours
        try:
            actions.extend(maintenance.maintenance_actions(config, store, dry_run))
        finally:
            summary = maintenance.summary(actions, dry_run)
            logger = get_run_logger()
            for line in maintenance.action_lines(actions):
                logger.info(line)
            logger.info(f"{shown_store(store)}: {summary}")
            rows = [*({**action._asdict(), "bytes": 0} for action in cleared), *_rows(actions)]
            create_table_artifact(rows, key=_TABLE, description=f"{shown_store(store)}: {summary}")
    if not dry_run:
        payload = {"store": shown_store(store.resolve()), "summary": summary, "acts": _rows(actions)}
        events.emit(events.STORE_MAINTAINED, f"{site_name()}.store", shown_store(store), payload)
    return Completed(message="; ".join(filter(None, [summary, _summary(cleared, dry_run)])))


def _summary(cleared: Iterable[Cleared], dry_run: bool) -> str:
    counts = Counter(action.outcome for action in cleared)
    are = "would be" if dry_run else "were"
    parts = {
        f"dead runs {are} marked as crashed": counts["crashed"],
        f"unheld slots {are} freed": counts["freed"],
    }
    return ", ".join(f"{count:,} {text}" for text, count in parts.items() if count)


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
