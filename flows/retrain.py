"""The Prefect flow: from lists of names to new names."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.pipeline import pipeline
from tasks.config.resolve import ConfigOrSite
from tasks.config.settings import Settings
from tasks.core.stage import StageRunner
from tasks.monitoring.events import emit_failure
from tasks.monitoring.report import run_with_report
from tasks.monitoring.run_parameters import check_deployed_store, resolve_parameters, show_parameters
from tasks.monitoring.run_tags import TAG
from tasks.monitoring.watch import remember_sources
from tasks.stages import check_names


def _run_name() -> str:
    config, _ = resolve_parameters(*(flow_run.parameters.get(name) for name in ("config", "settings")))
    return f"retrain {config.label}"


@flow(flow_run_name=_run_name, on_failure=[emit_failure], on_crashed=[emit_failure])
def retrain(config: ConfigOrSite = None, settings: Settings | None = None) -> Any:
    """A stage whose inputs did not change is not run again.

    Without a configuration it makes what `namewright run` would make in this folder.
    """
    config, settings = resolve_parameters(config, settings)
    check_deployed_store(settings)
    show_parameters(config, settings)
    check_names(settings.refresh)

    def compose(run: StageRunner) -> None:
        remember_sources(config, settings.store)
        pipeline(config, run)

    return run_with_report(settings, (TAG, "retrain", *config.tags), compose)


if __name__ == "__main__":
    retrain()
