"""Which files a path means: one, those of a folder, or those that match a pattern."""

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
    ".parquet": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}
_WILDCARDS = "*?["


def resolved(path: Path, is_told: bool) -> list[Path]:
    """The file, or several, sorted by their paths.

    is_told:  whether it is said what format the files of a folder are; else their names have to tell.

    A file that is not there is returned too, for its reader to say so. Raises DataError for a folder or a
    pattern without a file, and for a folder that cannot be listed; ConfigError for what is no pattern.
    """
    try:
        if path.is_dir():
            files = [each for each in _listed(path) if is_told or _suffix(each) in _FORMATS]
            return files or _none(path, f"a folder without a list: {', '.join(_FORMATS)}, compressed or not")
        if path.exists() or not _has_wildcard(str(path)):
            return [path]
        return _matching(path) or _none(path, "a pattern that no file matches")
    except OSError as refusal:
        raise unreadable_error(Path(refusal.filename or path), refusal) from refusal


def format_of(files: Sequence[SourceFile]) -> FileFormat:
    """What their names say; text, if nothing. Raises ConfigError if that is not one for all."""
    formats = {_FORMATS.get(_suffix(file.path), "text"): file.path for file in files}
    if len(formats) > 1:
        raise ConfigError(
            "config.source",
            "the files of one source are in several formats",
            saw=", ".join(f"{path.name} is {format}" for format, path in sorted(formats.items())),
            fix="make it several sources, with a pattern each; or say what they all are: format.",
        )
    (format,) = formats
    return format


def _listed(folder: Path) -> list[Path]:
    """Its files, but for those that begin as hidden ones or as notes of whoever wrote the folder do."""
    return sorted(each for each in folder.iterdir() if each.name[0] not in "._" and not each.is_dir())


def _matching(pattern: Path) -> list[Path]:
    for part in pattern.parts:
        if "**" in part and part != "**":
            raise ConfigError(
                "config.source",
                "a path is no pattern: ** stands for folders, alone between two /",
                saw=str(pattern),
                fix="for instance: lists/**/*.csv",
            )
    found = set(_below(Path(pattern.anchor), pattern.relative_to(pattern.anchor).parts))
    return sorted(each for each in found if not each.is_dir())


def _below(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    """What matches the parts of a pattern, from this folder on.

    Not Path.glob: it passes over a folder that may not be read, and goes into hidden ones. Nor glob.glob: it
    goes down every link to a folder, also one that goes up again. Raises OSError for such a folder.
    """
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _below(folder, rest)
        for each in _shown(folder):
            if each.is_dir() and not each.is_symlink():
                yield from _below(each, parts)
    elif _has_wildcard(part):
        for each in _shown(folder):
            if fnmatchcase(each.name, part) and (each.is_dir() or not rest):
                yield from _below(each, rest)
    elif (folder / part).is_dir() if rest else (folder / part).exists():
        yield from _below(folder / part, rest)


def _shown(folder: Path) -> Iterator[Path]:
    """What is in it and not hidden."""
    return (each for each in folder.iterdir() if not each.name.startswith("."))


def _has_wildcard(part: str) -> bool:
    return any(wildcard in part for wildcard in _WILDCARDS)


def _suffix(path: Path) -> str:
    last = path.suffix.lower()
    return Path(path.stem).suffix.lower() if last in COMPRESSED_SUFFIXES else last


def _none(path: Path, what: str) -> list[Path]:
    raise DataError("corpus.no_file", what, where=str(path), fix="check the path of this source.")
