"""The Prefect flow: from lists of names to new names."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.pipeline import pipeline
from tasks.config.resolve import resolve_config
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.monitoring.events import emit_failure
from tasks.monitoring.report import run_with_report
from tasks.stages import check_names


def _run_name() -> str:
    config, _ = resolve_config(*(flow_run.parameters.get(name) for name in ("config", "settings")))
    return f"retrain {config.label}"


@flow(flow_run_name=_run_name, on_failure=[emit_failure], on_crashed=[emit_failure])
def retrain(config: RetrainConfig | None = None, settings: Settings | None = None) -> Any:
    """A stage whose inputs did not change is not run again.

    Without a configuration it makes what `namewright run` would make in this folder.
    """
    config, settings = resolve_config(config, settings)
    check_names(settings.refresh)
    return run_with_report(settings, config.tags, lambda run: pipeline(config, run))


if __name__ == "__main__":
    retrain()
