"""NAMEWRIGHT_… environment variables: one for every option of every command."""

import os
from collections.abc import Callable
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.argument import ArgumentCollection

from artifacts.bucket.address import CACHE_VARIABLE
from rnn_core.errors import ConfigError
from tasks.config.options import nearest
from tasks.config.store_id import VARIABLE as STORE_ID

PREFIX = "NAMEWRIGHT_"

# Options that a command declares by itself; all others are fields of a configuration.
_OF_COMMANDS = (
    *("config", "engine", "dry-run", "no-dry-run", "file", "port", "key", "stage", "limit", "temperatures"),
    *("empty-temperatures", "empty-style", "candidate", "challenger", "other", "foreground", "no-foreground"),
    *("site", "take-over", "no-take-over"),
)
_RENAMED = {"THREADS": "WORKERS"}


def variable(option: str) -> str:
    """The environment variable that sets an option: NAMEWRIGHT_TRAINING_SEED for --training.seed."""
    return PREFIX + option.lstrip("-").upper().replace(".", "_").replace("-", "_")


def variables(arguments: ArgumentCollection) -> set[str]:
    """The environment variables that set the options of one command."""
    return {variable(name) for argument in arguments for name in argument.names if name.startswith("--")}


def known_variables() -> set[str]:
    """The environment variables of all commands."""
    from tasks.config.generate import GenerateConfig
    from tasks.config.maintenance import MaintenanceConfig
    from tasks.config.retrain import RetrainConfig
    from tasks.config.settings import ListSettings, Settings

    known = {variable(option) for option in _OF_COMMANDS}
    for config in (RetrainConfig, Settings, GenerateConfig, ListSettings, MaintenanceConfig):
        app = App()
        app.default(_command_with(config))
        known |= variables(app.assemble_argument_collection())
    return known | {CACHE_VARIABLE}


def refuse_unknown_variables(arguments: ArgumentCollection) -> None:
    """Raise ConfigError for a variable that no command knows, or one that is empty.

    A misspelled variable would change nothing, silently. One of another command may well be set.
    """
    known = variables(arguments)
    for name, value in os.environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            known |= known_variables() | {STORE_ID}
        if name not in known:
            word = name.upper().removeprefix(PREFIX)
            meant = _RENAMED.get(word) or nearest(word, {other.removeprefix(PREFIX) for other in known})
            fix = f"did you mean {PREFIX}{meant}?" if meant else "unset it."
            raise ConfigError("config.variable", f"unknown environment variable {name}", fix=fix)
        if not value:
            raise ConfigError("config.variable", f"{name} is empty", fix="give it a value, or unset it.")


def _command_with(config: type) -> Callable[..., None]:
    def command(*, config: object = config()) -> None:
        """Take every field of the configuration as an option."""

    command.__annotations__["config"] = Annotated[config, Parameter(name="*")]
    return command
