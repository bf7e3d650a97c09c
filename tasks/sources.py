"""Where names come from, as a person writes it: in pipeline.toml, or `name=path` on the command line."""

import difflib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from cyclopts import Token

import data
from artifacts.source_file import SourceFile
from data.config import CorpusConfig
from rnn_core.errors import ConfigError

_BUNDLED = "bundled:"


@dataclass(frozen=True, slots=True)
class Source:
    """A list of names.

    name:   stands beside every name that comes from it.
    path:   of a text file with one name a line; `bundled:argentine.txt` is one that comes with Namewright.
    limit:  how many lines are read from the top of the file; all, if it is left out.
    """

    name: str
    path: str
    limit: int | None = None

    @property
    def file(self) -> SourceFile:
        if self.path.startswith(_BUNDLED):
            return SourceFile(Path(data.__path__[0], "corpora", self.path.removeprefix(_BUNDLED)))
        return SourceFile(Path(self.path))

    @property
    def reading(self) -> CorpusConfig:
        return CorpusConfig(self.name, self.limit)


BUNDLED_SOURCES = (
    Source("argentine", "bundled:argentine.txt", limit=3000),
    Source("dinosaurs", "bundled:dinosaurs.txt"),
)


def as_sources(_type: Any, tokens: Sequence[Token]) -> tuple[Source, ...]:
    """Each token is `name=path`, or a table of pipeline.toml as JSON. Raises ConfigError.

    A relative path is relative to the file that names it, or else to the current folder.
    """
    return tuple(_resolved(_from_text(token), token) for token in tokens)


def _from_text(token: Token) -> Source:
    if not token.value.startswith("{"):
        name, equals, path = token.value.partition("=")
        if not (name and equals and path):
            raise _wrong(token, "a source is written name=path", "for instance: --source towns=towns.txt")
        return Source(name, path)
    try:
        table = json.loads(token.value)
    except ValueError as fault:
        raise _wrong(token, f"a source as JSON cannot be read: {fault}", "or write it name=path") from fault
    knobs = get_type_hints(Source)
    for key in table:
        if key not in knobs:
            nearest = difflib.get_close_matches(key, knobs, n=1, cutoff=0.0)[0]
            raise _wrong(token, f"unknown key {key!r} in a source", f"did you mean {nearest!r}?")
    for key, kind in knobs.items():
        if not isinstance(table.get(key), kind) or isinstance(table.get(key), bool):
            expected = "a whole number" if key == "limit" else "a text"
            raise _wrong(token, f"a source's {key!r} is {expected}", 'for instance: name = "towns"')
    return Source(**table)


def _resolved(source: Source, token: Token) -> Source:
    if source.path.startswith(_BUNDLED):
        return source
    if "\0" in source.path:
        raise _wrong(token, "a path holds a NUL", "take it out")
    named_in = Path(token.source) if Path(token.source).is_absolute() else Path("x")
    path = named_in.parent / os.path.expanduser(source.path)  # noqa: PTH111  # no such user: no error
    return Source(source.name, str(path.absolute()), source.limit)


def _wrong(token: Token, what: str, fix: str) -> ConfigError:
    return ConfigError(
        "config.source", what, where=f"{token.keyword} from {token.source}", saw=token.value, fix=fix
    )
