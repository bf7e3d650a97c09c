"""Options from pipeline.toml, and what of it is refused."""

from pathlib import Path
from typing import Any

from cyclopts import App
from cyclopts.argument import ArgumentCollection
from cyclopts.config import Dict

from artifacts.documents import MOST_BYTES, open_file, parse_toml
from rnn_core.errors import ConfigError
from rnn_core.validators import out_of_range
from tasks.config.variables import refuse_unknown_variables
from tasks.config.wish_lists import WISH_LIST_OPTIONS

DEFAULT = Path("pipeline.toml")
_OF_A_RUN = {"engine", "dry_run"}  # ignored by commands that have no such option


def from_file(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fill in, for cyclopts, what neither the command line nor the environment sets."""
    refuse_unknown_variables(arguments)
    _refuse_empty_paths(arguments)
    named = arguments.get("--config", None)
    if named is not None:  # else the command reads none
        file = Path(named.tokens[0].value) if named.tokens else DEFAULT
        if named.tokens or file.exists():
            tables = Dict(_tables(file, commands), source=str(file.absolute()))
            tables(app, (), arguments)  # no table is of a command, whatever commands are called
    _refuse_fractions(arguments)


def _tables(file: Path, commands: tuple[str, ...]) -> dict[str, Any]:
    try:
        with open_file(file, follow_links=True) as stream:
            tables = parse_toml(stream.read(MOST_BYTES))
    except OSError as refusal:
        fault, fix = refusal.strerror, "write one with `namewright init`."
    except ValueError as wrong:
        fault, fix = str(wrong), "fix that line; `namewright init` writes a file to compare with."
    else:
        if isinstance(tables.get("source"), dict):
            raise ConfigError(
                "config.file",
                "[source] is in single brackets",
                where=str(file),
                fix="write [[source]]: there may be several.",
            )
        return tables if "run" in commands else {k: v for k, v in tables.items() if k not in _OF_A_RUN}
    raise ConfigError("config.file", f"not a valid pipeline file: {fault}", where=str(file), fix=fix)


def _refuse_fractions(arguments: ArgumentCollection) -> None:
    """Raise ConfigError for 1.5 where a whole number is expected: cyclopts would round it silently."""
    for argument in arguments:
        for token in argument.tokens if argument.hint in (int, int | None) else ():
            if "." in token.value:
                raise out_of_range(token.keyword or argument.name, "a whole number", token.value)


def _refuse_empty_paths(arguments: ArgumentCollection) -> None:
    """Raise ConfigError for an empty path, which would be the current folder, and for an option instead.

    An empty path of a list to exclude would exclude nothing.
    """
    for argument in arguments:
        is_path = argument.hint in (Path, Path | None) or argument.name in WISH_LIST_OPTIONS
        for token in argument.tokens if is_path else ():
            if not token.value or (token.value.startswith("-") and token.value != "-"):
                raise out_of_range(token.keyword or argument.name, "a path", token.value)
