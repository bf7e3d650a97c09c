"""A flow of two stages for a worker: between them it waits for a file. Its lease is renewed every second.

Prefect renews every 225 s, and has no setting for that.
"""

import time
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.concurrency import _leases
from small_stages import Greeting, greeting

from tasks.config.settings import Settings
from tasks.core.stage import StageRunner
from tasks.monitoring.report import run_with_report

_leases._RENEWAL_FRACTION = 1 / 300


@flow(name="held")
def held(store: Path, until: Path) -> Any:
    """until: the file."""

    def compose(run: StageRunner) -> None:
        run(greeting, Greeting())
        while not until.exists():
            time.sleep(0.1)
        run(greeting, Greeting("Bo"))

    return run_with_report(Settings(store), (), compose)
