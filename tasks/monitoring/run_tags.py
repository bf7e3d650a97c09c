"""What a flow run adds to how Prefect shows it."""

from collections.abc import Iterable

import httpx
from prefect import get_client
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

TAG = "namewright"  # of every run of ours, whoever started it


def add_tags(tags: Iterable[str]) -> None:
    """Add tags to this flow run, besides those of its deployment or of whoever started it."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    run = context.flow_run
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, tags={*run.tags, *tags})
    except httpx.HTTPError as fault:
        get_run_logger().warning(f"the run has no tags: {fault}")
