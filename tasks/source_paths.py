"""Which files a path means: one, those of a folder, or those that match a pattern."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from artifacts.source_file import SourceFile
from data.reading.content import COMPRESSED_SUFFIXES, unreadable
from rnn_core.errors import ConfigError, DataError

Format = Literal["text", "csv", "tsv", "parquet", "feather"]
_FORMATS: dict[str, Format] = {
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
    pattern without a file, ConfigError for what is no pattern.
    """
    if path.is_dir():
        files = [each for each in _listed(path) if is_told or _suffix(each) in _FORMATS]
        return files or _none(path, f"a folder without a list: {', '.join(_FORMATS)}, compressed or not")
    if path.exists() or not any(wildcard in str(path) for wildcard in _WILDCARDS):
        return [path]
    return _matching(path) or _none(path, "a pattern that no file matches")


def format_of(files: Sequence[SourceFile]) -> Format:
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
    try:
        return sorted(each for each in folder.iterdir() if each.name[0] not in "._" and not each.is_dir())
    except OSError as refusal:
        raise unreadable(folder, refusal) from refusal


def _matching(pattern: Path) -> list[Path]:
    """Not glob.glob: it goes down every link to a folder, also one that goes up again."""
    try:
        found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
        return sorted(each for each in found if not each.name.startswith(".") and not each.is_dir())
    except ValueError as fault:
        raise ConfigError(
            "config.source",
            f"a path is no pattern: {fault}",
            saw=str(pattern),
            fix="for instance: lists/*.csv",
        ) from fault


def _suffix(path: Path) -> str:
    last = path.suffix.lower()
    return Path(path.stem).suffix.lower() if last in COMPRESSED_SUFFIXES else last


def _none(path: Path, what: str) -> list[Path]:
    raise DataError("corpus.no_file", what, where=str(path), fix="check the path of this source.")
