"""Lists of names or words that a generated list excludes, as a user writes them: file,option=value."""

from dataclasses import fields
from typing import Final

from cyclopts import Token

from data.config import ReadingConfig
from tasks.config.sources import Source, parse_sources

WISH_LIST_OPTIONS: Final = ("--exclude", "--exclude-containing")


def wish_list(name: str, text: str) -> Source:
    """The source that an option names; a relative path is relative to the current folder.

    Raises ConfigError for an option that a source has not.
    """
    (source,) = parse_sources(
        None, [Token(keyword=f"--{name.replace('_', '-')}", value=f"{name}={text}", source="generate")]
    )
    return source


def identity(name: str, text: str) -> str:
    """How a list is read, for the key of what excludes it: `csv,column=2`; empty if there is none."""
    if not text:
        return ""
    reading = wish_list(name, text).reading
    options = [
        f",{option.name}={getattr(reading, option.name)}"
        for option in fields(ReadingConfig)
        if getattr(reading, option.name) != option.default
    ]
    return "".join((reading.format, *options))
