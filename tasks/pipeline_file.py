"""What pipeline.toml and NAMEWRIGHT_… variables say of the knobs, and what of it is refused."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.argument import ArgumentCollection
from cyclopts.config import Dict

from rnn_core.errors import ConfigError
from rnn_core.ranges import out_of_range

DEFAULT = Path("pipeline.toml")
PREFIX = "NAMEWRIGHT_"
_COMMANDS = {"run", "generate", "models", "maintain", "init", "deploy", "serve", "server"}


def from_file(called: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """For cyclopts: what neither the command line nor the environment says, the pipeline file does."""
    named = arguments.get("--config", None)
    if named is None:  # a command that reads none
        return
    _refuse_unknown_variables(arguments)
    file = Path(named.tokens[0].value) if named.tokens else DEFAULT
    if named.tokens or file.exists():
        Dict(_tables(file), source=str(file.absolute()), use_commands_as_keys=False)(
            called, commands, arguments
        )
    _refuse_fractions(arguments)


def _tables(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as refusal:
        fault, fix = refusal.strerror, "write one: namewright init"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        fault, fix = str(wrong), "mend that line; namewright init writes a file to compare with."
    else:
        for name in _COMMANDS & set(tables):  # cyclopts would take it for the section of a command
            raise ConfigError("config.option", f'Unknown option: "[{name}]" from {file}.', fix="take it out.")
        return tables
    raise ConfigError("config.file", f"the pipeline file cannot be read: {fault}", where=str(file), fix=fix)


def _refuse_fractions(arguments: ArgumentCollection) -> None:
    """cyclopts rounds 1.5 to a whole number, without a word."""
    for argument in arguments:
        for token in argument.tokens if argument.hint in (int, int | None) else ():
            if "." in token.value:
                raise out_of_range(token.keyword or argument.name, "a whole number", token.value)


def _refuse_unknown_variables(arguments: ArgumentCollection) -> None:
    """A misspelt variable would change nothing, without a word."""
    known = [_variable(name) for argument in arguments for name in argument.names if "*" not in name]
    for name, value in os.environ.items():
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            raise ConfigError("config.variable", f"{name} sets no knob", fix=f"did you mean {nearest}?")
        if name.startswith(PREFIX) and not value:
            raise ConfigError("config.variable", f"{name} is empty", fix="give it a value, or unset it.")


def _variable(option: str) -> str:
    return PREFIX + option.lstrip("-").upper().replace(".", "_").replace("-", "_")
