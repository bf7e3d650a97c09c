"""The files of a path: one file, those of a folder, or those that match a pattern."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from artifacts.source_file import SourceFile
from data.config import FileFormat
from data.reading.content import COMPRESSED_SUFFIXES, unreadable_error
from rnn_core.errors import ConfigError, DataError

_FORMATS: dict[str, FileFormat] = {
    ".txt": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}
_WILDCARDS = "*?["


def find_files(path: Path, format_known: bool) -> list[Path]:
    """The files of a path, sorted.

    format_known:  whether the format of a folder's files is set; otherwise their names tell.

    A file that is not there is returned too, for its reader to say so. Raises DataError for a folder or a
    pattern without a file, and for a folder that cannot be listed; ConfigError for an invalid pattern.
    """
    try:
        if path.is_dir():
            files = [file for file in _listed(path) if format_known or is_list(file.name)]
            return files or _none(path, f"the folder has no list: {', '.join(_FORMATS)}, compressed or not")
        if path.exists() or not has_wildcard(str(path)):
            return [path]
        return _matching(path) or _none(path, "no file matches the pattern")
    except OSError as refusal:
        raise unreadable_error(Path(refusal.filename or path), refusal) from refusal


def format_from_names(files: Sequence[SourceFile]) -> FileFormat:
    """The format by the files' names; text by default. Raises ConfigError if they differ."""
    formats = {_FORMATS.get(_suffix(file.path), "text"): file.path for file in files}
    if len(formats) > 1:
        raise ConfigError(
            "config.source",
            "the files of one source have several formats",
            saw=", ".join(f"{path.name} is {format}" for format, path in sorted(formats.items())),
            fix="make several sources, with a pattern each; or set their format.",
        )
    (format,) = formats
    return format


def _listed(folder: Path) -> list[Path]:
    """The files of a folder, without hidden ones and those that begin with an underscore."""
    return sorted(path for path in folder.iterdir() if path.name[0] not in "._" and not path.is_dir())


def is_list(name: str) -> bool:
    """Whether a file of this name in a folder is a list."""
    return _suffix(Path(name)) in _FORMATS


def has_wildcard(part: str) -> bool:
    """Whether it is a pattern, or a part of one."""
    return any(wildcard in part for wildcard in _WILDCARDS)


def check_pattern(parts: Sequence[str], pattern: str) -> None:
    """Raise ConfigError for a pattern with ** within a part."""
    for part in parts:
        if "**" in part and part != "**":
            raise ConfigError(
                "config.source",
                "invalid pattern: ** stands for folders, alone between two /",
                saw=pattern,
                fix="for instance: lists/**/*.csv",
            )


def _matching(pattern: Path) -> list[Path]:
    check_pattern(pattern.parts, str(pattern))
    paths = set(_below(Path(pattern.anchor), pattern.relative_to(pattern.anchor).parts))
    return sorted(path for path in paths if not path.is_dir())


def _below(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    """The paths below this folder that match the parts of a pattern.

    Not Path.glob: it passes over a folder that may not be read, and goes into hidden ones. Nor glob.glob: it
    goes down every link to a folder, also one that goes up again. Raises OSError for such a folder.
    """
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _below(folder, rest)
        for path in _shown(folder):
            if path.is_dir() and not path.is_symlink():
                yield from _below(path, parts)
    elif has_wildcard(part):
        for path in _shown(folder):
            if fnmatchcase(path.name, part) and (path.is_dir() or not rest):
                yield from _below(path, rest)
    elif (folder / part).is_dir() if rest else (folder / part).exists():
        yield from _below(folder / part, rest)


def _shown(folder: Path) -> Iterator[Path]:
    """The entries of a folder that are not hidden."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _suffix(path: Path) -> str:
    last = path.suffix.lower()
    return Path(path.stem).suffix.lower() if last in COMPRESSED_SUFFIXES else last


def _none(path: Path, what: str) -> list[Path]:
    raise DataError("corpus.no_file", what, where=str(path), fix="check the path of this source.")
