"""The Prefect flow: from a trained model to a list of names."""

from typing import Annotated, Any

from prefect import flow

from flows.generation import generation
from tasks.config.form import Form
from tasks.config.generate import GenerateConfig
from tasks.config.settings import ListSettings
from tasks.config.store_id import check_store
from tasks.monitoring.events import emit_failure
from tasks.monitoring.generated_list import generate_list


@flow(flow_run_name="generate {config.sampling.count}", on_failure=[emit_failure], on_crashed=[emit_failure])
def generate(
    config: Annotated[GenerateConfig, Form(GenerateConfig)] = GenerateConfig(),
    settings: ListSettings | None = None,
) -> Any:
    """Generate a list of names; shards that exist are not made again.

    Without settings it uses the store and the cores of the machine that runs it.
    """
    if settings is None:
        check_store(ListSettings().store)
    return generate_list(config, settings or ListSettings(), generation)


if __name__ == "__main__":
    generate()
