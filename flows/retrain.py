"""The Prefect flow: from lists of names to new names."""

from prefect import flow

from flows.pipeline import pipeline
from tasks.config import RetrainConfig
from tasks.prefect_report import reporting
from tasks.settings import Settings
from tasks.stages import check_names


@flow(flow_run_name="retrain {config.label}")
def retrain(config: RetrainConfig = RetrainConfig(), settings: Settings = Settings()) -> None:
    """A stage whose inputs did not change is not run again."""
    check_names(settings.refresh)
    with reporting(settings, config.tags) as run:
        pipeline(config, run)


if __name__ == "__main__":
    retrain()
