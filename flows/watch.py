"""The Prefect flow that notices when a list of names changed."""

from typing import Any

from prefect import flow

from tasks.config.resolve import ConfigOrSite
from tasks.config.settings import Settings
from tasks.monitoring.events import emit_failure
from tasks.monitoring.run_parameters import check_deployed_store, resolve_parameters
from tasks.monitoring.watch import watch_sources


@flow(flow_run_name="watch the lists", on_failure=[emit_failure], on_crashed=[emit_failure])
def watch(config: ConfigOrSite = None, settings: Settings | None = None) -> Any:
    """Send an event if a list changed, by default of those that `namewright run` reads in this folder."""
    config, settings = resolve_parameters(config, settings)
    check_deployed_store(settings)
    return watch_sources(config, settings.store)


if __name__ == "__main__":
    watch()
