"""What pipeline.toml and NAMEWRIGHT_… variables say of the knobs, and what of it is refused."""

import os
import tomllib
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.argument import ArgumentCollection
from cyclopts.config import Dict

from rnn_core.errors import ConfigError
from rnn_core.validators import out_of_range
from tasks.config.options import nearest

DEFAULT = Path("pipeline.toml")
PREFIX = "NAMEWRIGHT_"
_COMMANDS = {"run", "generate", "data", "models", "maintain", "init", "deploy", "serve", "server"}
_OF_A_RUN = {"engine", "dry_run"}  # how it goes about it; commands that have no such knob pass over them


def from_file(app: App, called: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """For cyclopts: what neither the command line nor the environment says, the pipeline file does.

    app:  of all commands, of which one is called.
    """
    _refuse_unknown_variables(app, arguments)
    named = arguments.get("--config", None)
    if named is not None:  # else it is a command that reads none
        file = Path(named.tokens[0].value) if named.tokens else DEFAULT
        if named.tokens or file.exists():
            Dict(_tables(file, commands), source=str(file.absolute()), use_commands_as_keys=False)(
                called, commands, arguments
            )
    _refuse_fractions(arguments)


def _tables(file: Path, commands: tuple[str, ...]) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as refusal:
        fault, fix = refusal.strerror, "write one: namewright init"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        fault, fix = str(wrong), "mend that line; namewright init writes a file to compare with."
    else:
        for name in _COMMANDS & set(tables):  # cyclopts would take it for the section of a command
            raise ConfigError("config.option", f'Unknown option: "[{name}]" from {file}.', fix="take it out.")
        return tables if "run" in commands else {k: v for k, v in tables.items() if k not in _OF_A_RUN}
    raise ConfigError("config.file", f"the pipeline file cannot be read: {fault}", where=str(file), fix=fix)


def _refuse_fractions(arguments: ArgumentCollection) -> None:
    """cyclopts rounds 1.5 to a whole number, without a word."""
    for argument in arguments:
        for token in argument.tokens if argument.hint in (int, int | None) else ():
            if "." in token.value:
                raise out_of_range(token.keyword or argument.name, "a whole number", token.value)


def _refuse_unknown_variables(app: App, arguments: ArgumentCollection) -> None:
    """A misspelt variable would change nothing, without a word; one of another command may well be set."""
    known = _variables(arguments)
    for name, value in os.environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            known |= _variables_of_all(app)
        if name not in known:
            meant = nearest(name.upper(), known)
            raise ConfigError("config.variable", f"{name} sets no knob", fix=f"did you mean {meant}?")
        if not value:
            raise ConfigError("config.variable", f"{name} is empty", fix="give it a value, or unset it.")


def _variables_of_all(app: App) -> set[str]:
    commands = [app[name] for name in app if not name.startswith("-")]
    return {
        variable
        for command in commands
        for variable in (
            _variables(command.assemble_argument_collection())
            if command.default_command
            else _variables_of_all(command)
        )
    }


def _variables(arguments: ArgumentCollection) -> set[str]:
    return {_variable(name) for argument in arguments for name in argument.names if "*" not in name}


def _variable(option: str) -> str:
    return PREFIX + option.lstrip("-").upper().replace(".", "_").replace("-", "_")
