"""The configuration of a run without options: variables, then pipeline.toml, then defaults."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Env

from tasks.config import pipeline_file
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import lists_as_sources
from tasks.config.suggestions import option_error
from tasks.config.variables import PREFIX

FLAT = Parameter(name="*")  # the fields of the configuration are the options
SOURCES = (
    lists_as_sources,
    Env(PREFIX, command=False),
    pipeline_file.from_file,
)  # what fills in options that were not given


def resolve_config(config: RetrainConfig | None, settings: Settings | None) -> tuple[RetrainConfig, Settings]:
    """Fill in what is None as `namewright run` would in this folder.

    Raises ConfigError for an invalid variable or pipeline file.
    """
    if config is not None and settings is not None:
        return config, settings
    default_config, default_settings = parse_defaults()
    return config or default_config, settings or default_settings


def parse_defaults() -> tuple[RetrainConfig, Settings]:
    """The configuration of `namewright run` in this folder without options.

    Raises ConfigError for an invalid variable or pipeline file.
    """
    try:
        command, bound, _ = _app().parse_args([], exit_on_error=False, print_error=False)
    except CycloptsError as refusal:
        raise option_error(refusal) from refusal
    config, settings = command(**bound.arguments)
    return config, settings


def _app() -> App:
    app = App(config=SOURCES)

    @app.default
    def run(
        *,
        file: Annotated[Path | None, Parameter(name="--config")] = None,  # noqa: ARG001  # read before all else
        config: Annotated[RetrainConfig, FLAT] = RetrainConfig(),
        settings: Annotated[Settings, FLAT] = Settings(),
    ) -> tuple[RetrainConfig, Settings]:
        return config, settings

    return app
