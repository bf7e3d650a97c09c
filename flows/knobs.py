"""The knobs of a deployed run for which nobody gave any: those that the command would have."""

from flows.cli import said
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings


def of_run(config: RetrainConfig | None, settings: Settings | None) -> tuple[RetrainConfig, Settings]:
    """As `namewright run` in this folder: NAMEWRIGHT_… variables, then ./pipeline.toml, then the defaults.

    Raises ConfigError for what is wrong with them.
    """
    if config is None or settings is None:
        knobs = said("run")
        config, settings = config or knobs["config"], settings or knobs["settings"]
    return config, settings
