"""The Prefect flow: from a trained model to a list of names."""

from typing import Any

from prefect import flow

from flows.generation import generation
from tasks.config.generate import GenerateConfig
from tasks.config.settings import ListSettings
from tasks.monitoring.events import tell_failure
from tasks.monitoring.generated_list import listed


@flow(flow_run_name="generate {config.sampling.count}", on_failure=[tell_failure], on_crashed=[tell_failure])
def generate(config: GenerateConfig = GenerateConfig(), settings: ListSettings | None = None) -> Any:
    """Shards that are there already are not made again.

    Without settings it has the store, and the cores, of the machine that runs it.
    """
    return listed(config, settings or ListSettings(), generation)


if __name__ == "__main__":
    generate()
