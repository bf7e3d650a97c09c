"""The configuration of a run without options: variables, then pipeline.toml, then defaults."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, CycloptsError, Parameter
from cyclopts.config import Env

from tasks.config import pipeline_file
from tasks.config.form import Form
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import lists_as_sources
from tasks.config.suggestions import option_error
from tasks.config.variables import PREFIX

Options = Mapping[str, Any]  # by name; those of a section are a mapping as well

_Config = TypeVar("_Config", RetrainConfig, Settings)

FLAT = Parameter(name="*")  # the fields of the configuration are the options
SOURCES = (
    lists_as_sources,
    Env(PREFIX, command=False),
    pipeline_file.from_file,
)  # what fills in options that were not given


def resolve_config(
    config: RetrainConfig | Options | None, settings: Settings | Options | None
) -> tuple[RetrainConfig, Settings]:
    """Fill in what is not set as `namewright run` would in this folder.

    config, settings:  a whole one; or only the options that are set, as JSON has them, which overlay those of
                       the folder.

    Raises ConfigError for an invalid variable or pipeline file, or for an option out of its range.
    """
    if isinstance(config, RetrainConfig) and isinstance(settings, Settings):
        return config, settings
    default_config, default_settings = parse_defaults()
    return (
        config if isinstance(config, RetrainConfig) else overlay(default_config, config or {}),
        settings if isinstance(settings, Settings) else overlay(default_settings, settings or {}),
    )


def overlay(config: _Config, options: Options) -> _Config:
    """The configuration with these options in the place of its own; a list replaces the whole list."""
    if not options:
        return config
    from pydantic import TypeAdapter  # which Prefect has imported: only its runs have options of this kind

    merged: _Config = TypeAdapter(type(config)).validate_python(_merge(asdict(config), options))
    return merged


def _merge(values: Options, options: Options) -> dict[str, Any]:
    return {
        **values,
        **{
            name: _merge(values[name], value)
            if isinstance(value, Mapping) and isinstance(values.get(name), Mapping)
            else value
            for name, value in options.items()
        },
    }


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


# A flow's configuration, with the form that Prefect shows for it; None is that of the folder.
ConfigOrSite = Annotated[RetrainConfig | None, Form(RetrainConfig)]


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
