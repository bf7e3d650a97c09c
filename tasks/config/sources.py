"""Sources of names, as a user writes them: in pipeline.toml, or `name=path,option=value`."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cyclopts import App, Token
from cyclopts.argument import ArgumentCollection

import data
from artifacts.documents import parse_json
from artifacts.source_file import SourceFile
from data.config import FORMATS, TABLE_OPTIONS, CorpusConfig, FileFormat, ReadingConfig
from rnn_core.errors import ConfigError
from tasks.config import source_paths
from tasks.config.options import nearest
from tasks.config.source_objects import find_objects, is_address, source_address

_BUNDLED = "bundled:"
_SHOWN = 1000  # characters of a source in a message
_FORMATS = ("auto", *FORMATS)
_NEXT_OPTION = re.compile(r",([a-z_]+)=")
_EXAMPLES = {
    "name": '"towns"',
    "path": '"towns.txt"',
    "encoding": '"latin-1"',
    "column": '"town", or column = 2',
    "counts": '"births", or counts = 3',
    "limit": "3000",
    "delimiter": '";"',
    "decimal": '","',
    "thousands": '"."',
    "where": "'sex = \"F\"'",
    "case": '"title"',
    "label": '"gender", or label = 3',
}
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Source(ReadingConfig):
    """A list of names, in one file or several.

    Attributes:
        name: Name of the source; it stands beside every name that comes from it.
        path: A file, a folder with all its lists, or a pattern such as `lists/*.csv.gz`; here, or in a
            bucket: `s3://bucket/lists/*.csv.gz`, gs:// or az://. `bundled:argentine.txt` is a file that
            comes with Namewright.
        format: `text` with one name per line, `csv`, `tsv`, `json`, `jsonl`, `parquet` or `feather` (Arrow);
            `auto` goes by the files' names. Any of them may be compressed, as .gz, .zst or .bz2.
        label: Column whose values are lists of their own, and so styles: with `gender`, the source `people`
            is `people/F` and `people/M`. By name or by number from 1.
    """

    name: str
    path: str
    format: FileFormat | Literal["auto"] = "auto"
    label: str | int | None = None

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """Its files, in the order of reading; those of a bucket in the version that they have now.

        Raises DataError if there is none, StoreError for a bucket that cannot be listed.
        """
        if address := source_address(self.path):
            return find_objects(address, self.format != "auto")
        return tuple(SourceFile(path) for path in source_paths.find_files(self._place, self.format != "auto"))

    @property
    def reading(self) -> CorpusConfig:
        """How its files are read.

        Raises ConfigError for an option out of range, and as `files` does.
        """
        return self.reading_of(() if self.format != "auto" else self.files)

    def reading_of(self, files: Sequence[SourceFile]) -> CorpusConfig:
        """How these files of it are read. Raises ConfigError for an option out of range."""
        options = {option.name: getattr(self, option.name) for option in fields(ReadingConfig)}
        return CorpusConfig(self.name, self._format_of(files), self.format != "auto", **options)

    def _format_of(self, files: Sequence[SourceFile]) -> FileFormat:
        """As given; or else by the files' names, where a text with options of a table is a csv."""
        if self.format != "auto":
            return self.format
        by_name = source_paths.format_from_names(files)
        is_table = self.label is not None or any(
            getattr(self, option) != _DEFAULTS[option] for option in TABLE_OPTIONS
        )
        return "csv" if by_name == "text" and is_table else by_name

    @property
    def _place(self) -> Path:
        if self.path.startswith(_BUNDLED):
            return Path(data.__path__[0], "corpora", self.path.removeprefix(_BUNDLED))
        return Path(self.path)


_DEFAULTS = {option.name: option.default for option in fields(ReadingConfig)}

BUNDLED_SOURCES = (
    Source("argentine", "bundled:argentine.txt", limit=3000),
    Source("dinosaurs", "bundled:dinosaurs.txt"),
)


def parse_sources(_type: Any, tokens: Sequence[Token]) -> tuple[Source, ...]:
    """Parse sources: each token is `name=path,option=value,…`, or a table of pipeline.toml as JSON.

    A relative path is relative to the file that names it, or else to the current folder. Raises ConfigError.
    """
    return tuple(_resolved(_from_text(token), token) for token in tokens)


def lists_as_sources(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Turn the positional arguments of a command that takes lists into sources, for cyclopts.

    A list is named after its file: `lists/elves.txt.gz` is the source `elves`. `name=path` names it.
    """
    lists, sources = (arguments.get(name, None) for name in ("LISTS", "--source"))
    if lists is None or sources is None:
        return
    for token in lists.tokens:
        name, equals, _ = token.value.partition("=")
        if not (name and equals) or is_address(token.value) or _exists(token.value):
            table = {"name": _name_of(token.value), "path": token.value}
            token = token.evolve(value=json.dumps(table))
        sources.append(token.evolve(keyword="--source", index=0))
    lists.tokens.clear()


def _exists(path: str) -> bool:
    """Whether there is such a file. What the system has against its name, its reader says."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def _name_of(path: str) -> str:
    """The name of a file without its folder and suffixes."""
    file = Path(path.removeprefix(_BUNDLED)).name
    return file.lstrip(".").partition(".")[0] or file or path


def _from_text(token: Token) -> Source:
    is_json = token.value.startswith("{")
    table = _from_json(token) if is_json else _from_pairs(token)
    hints = get_type_hints(Source)
    if isinstance(table.get("where"), dict):
        table["where"] = " and ".join(f'"{column}" = "{value}"' for column, value in table["where"].items())
    for key in table:
        if key not in hints:
            near = nearest(key, hints)
            hint = f"did you mean {near!r}?" if near else f"the keys are {', '.join(hints)}"
            raise _wrong(token, f"unknown key {key!r} in a source", hint)
        if key != "format" and not _is(table[key], hints[key]):
            hint = f"for instance: {key} = {_example(key, hints[key])}"
            raise _wrong(token, f"a source's {key!r} is {_expected(hints[key])}", hint)
    for key in ("name", "path"):
        if not table.get(key):
            raise _wrong(token, f"a source has no {key!r}", f"for instance: {key} = {_EXAMPLES[key]}")
    if table.get("format", "auto") not in _FORMATS:
        raise _wrong(token, "unknown format of a source", f"the formats are {', '.join(_FORMATS)}")
    return Source(**table)


def _from_json(token: Token) -> dict[str, Any]:
    try:
        table: dict[str, Any] = parse_json(token.value)
    except ValueError as fault:
        raise _wrong(token, f"not valid JSON: {fault}", "write the source as name=path") from fault
    return table


def _from_pairs(token: Token) -> dict[str, Any]:
    """`name=path,option=value,…`: a comma begins an option only before a word and an equals sign."""
    name, equals, rest = token.value.partition("=")
    if is_address(token.value):
        return {"name": _name_of(token.value), "path": token.value}
    if not equals and (Path(name).suffix or (name and _exists(name))):
        return {"name": _name_of(name), "path": name}
    path, *options = _NEXT_OPTION.split(rest)
    if not (name and equals and path):
        raise _wrong(token, "a source is written name=path", "for instance: --source towns=towns.txt")
    if options and _exists(rest):  # a file whose name looks like options
        path, options = rest, []
    hints = get_type_hints(Source)
    pairs = dict(zip(options[::2], options[1::2], strict=True))
    return {"name": name, "path": path} | {key: _value(text, hints.get(key)) for key, text in pairs.items()}


def _value(text: str, kind: Any) -> Any:
    """An option's value: as JSON where the option may be one, or else the text without its quotes."""
    kinds = {kind, *get_args(kind)} - {str}
    if text[:1] in "\"'" and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1].replace("\\t", "\t")
    try:
        value = parse_json(text)
    except ValueError:
        return {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}.get(text, text)
    return value if type(value) in kinds or (float in kinds and isinstance(value, int)) else text


def _is(value: object, kind: Any) -> bool:
    """Like isinstance, but a bool is not a number, and an int may stand for a float."""
    if any(get_origin(part) is Literal for part in (kind, *get_args(kind))):
        return True  # the configuration checks the choice
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _example(key: str, kind: Any) -> str:
    return _EXAMPLES.get(key) or {bool: "false", float: "2.0"}.get(kind, "1000")


def _expected(kind: Any) -> str:
    accepted = [text for one, text in _KINDS.items() if one is kind or one in get_args(kind)]
    return " or ".join(accepted)


def _resolved(source: Source, token: Token) -> Source:
    if source.path.startswith(_BUNDLED) or source_address(source.path):
        return source
    if "\0" in source.path:
        raise _wrong(token, "the path has a NUL character", "remove it")
    named_in = Path(token.source) if Path(token.source).is_absolute() else Path("x")
    path = named_in.parent / os.path.expanduser(source.path)  # noqa: PTH111  # no such user: no error
    return replace(source, path=str(path.absolute()))


def _wrong(token: Token, what: str, fix: str) -> ConfigError:
    where = f"{token.keyword}" if token.source == "cli" else f"{token.keyword} from {token.source}"
    return ConfigError("config.source", what, where=where, saw=token.value[:_SHOWN], fix=fix)
