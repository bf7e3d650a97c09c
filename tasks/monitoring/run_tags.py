"""What a flow run adds to how Prefect shows it."""

from collections.abc import Iterable
from typing import Any

import httpx
from prefect import get_client
from prefect.client.schemas import FlowRun
from prefect.logging import get_run_logger

from tasks.engines.lease import current_run

TAG = "namewright"  # of every run of ours, whoever started it


def add_tags(tags: Iterable[str]) -> None:
    """Add tags to this flow run, besides those of its deployment or of whoever started it."""
    if run := current_run():
        update_run(run, "the run has no tags", tags={*run.tags, *tags})


def update_run(run: FlowRun, without: str, **fields: Any) -> None:
    """Change what the server has of a run; where it fails, the log says what that means."""
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, **fields)
    except httpx.HTTPError as fault:
        get_run_logger().warning(f"{without}: {fault}")
