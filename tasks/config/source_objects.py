"""The objects of an address: one, those of a folder, or those that match a pattern."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from artifacts.bucket.address import SCHEMES, bucket_address
from rnn_core.errors import ConfigError, DataError
from tasks.config.source_paths import check_pattern, has_wildcard, is_list

if TYPE_CHECKING:  # what knows of buckets is loaded for one alone
    from artifacts.bucket.objects import ObjectInfo, Objects
    from artifacts.bucket.source_object import SourceObject

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
_LONGEST = 1024  # bytes of an object's name
_MOST = 10_000  # objects of a source
_SOME_SUFFIXES = (".txt", ".csv.gz", ".parquet")
_WEB = ("http", "https", "ftp", "ftps")


class SourceAddress(NamedTuple):
    """Where the objects of a source are. bucket: its address; name: of an object, a folder, or a pattern."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.name}".rstrip("/")


def is_address(path: str) -> bool:
    """Whether this is the address of something elsewhere, and no path."""
    return bool(_ADDRESS.fullmatch(path))


def source_address(path: str) -> SourceAddress | None:
    """The address of objects in a bucket; None for a path.

    Raises ConfigError for an address of another kind, of which no more than the kind is shown: it may hold a
    password, or a signature.
    """
    match = _ADDRESS.fullmatch(path)
    if not match:
        return None
    scheme = match["scheme"].lower()
    bucket, _, name = match["rest"].partition("/")
    if scheme not in SCHEMES:
        why = ": what is there may be another list at any moment, unnoticed" if scheme in _WEB else ""
        known = ", ".join(f"{scheme}://bucket/lists/*.csv" for scheme in SCHEMES)
        raise ConfigError(
            "config.source",
            f"no list is read from an address of the kind {scheme}://{why}",
            saw=f"{scheme}://…",
            fix=f"fetch the list, and name the file; or put it into a bucket: {known}.",
        )
    parts = name.rstrip("/").split("/")
    is_plain = not {"", ".", ".."} & set(parts) or parts == [""]
    if not is_plain or "\0" in name or len(name.encode(errors="replace")) > _LONGEST:
        raise ConfigError(
            "config.source",
            "the address of a list is a bucket, and the name of an object, a folder, or a pattern",
            saw=path[:80],
            fix=f"write {scheme}://bucket/lists/*.csv, for instance: no part that is empty, . or .., and at "
            f"most {_LONGEST:,} bytes.",
        )
    return SourceAddress(str(bucket_address(f"{scheme}://{bucket}")), name.rstrip("/"))


def find_objects(address: SourceAddress, format_known: bool) -> "tuple[SourceObject, ...]":
    """The objects there, in the version that they have now, sorted as files are.

    format_known:  whether the format of a folder's objects is set; otherwise their names tell.

    Raises DataError if there is none, ConfigError for an invalid pattern, StoreError if the bucket does not
    answer or refuses.
    """
    from artifacts.bucket.objects import Objects
    from artifacts.bucket.source_object import source_object

    objects = Objects(address.bucket)
    if not has_wildcard(address.name):
        found = _named(objects, address.name, format_known)
        what = f"there is no such object, and no list below it: {', '.join(_SOME_SUFFIXES)} or the like"
    else:
        parts = address.name.split("/")
        check_pattern(parts, str(address))
        found = list(_Folders(objects).below("", parts))
        found = found or [info for info in [objects.info(address.name)] if info]  # called like a pattern
        what = "no object matches the pattern"
    if not found:
        fix = "check the address of this source, and that the credentials may list the bucket."
        raise DataError("corpus.no_file", what, where=str(address), fix=fix)
    if len(found) > _MOST:
        raise DataError(
            "corpus.no_file",
            f"a source has at most {_MOST:,} objects",
            where=str(address),
            saw=f"{len(found):,}",
            fix="name fewer by a narrower pattern.",
        )
    return tuple(source_object(address.bucket, info) for info in sorted(found, key=_as_path))


def _as_path(info: "ObjectInfo") -> list[str]:
    return info.name.split("/")


def _named(objects: "Objects", name: str, format_known: bool) -> "list[ObjectInfo]":
    """The object of this name, or else those in the folder, as of a folder of files."""
    if name and (info := objects.info(name)):
        return [info]
    return [
        info
        for info in objects.children(name)[1]
        if _last(info.name)[0] not in "._" and (format_known or is_list(_last(info.name)))
    ]


class _Folders:
    """The folders of a bucket, each listed once."""

    def __init__(self, objects: "Objects") -> None:
        self._objects = objects
        self._children = cache(objects.children)

    def below(self, folder: str, parts: Sequence[str]) -> "Iterator[ObjectInfo]":
        """The objects below this folder that match the parts of a pattern, as files would."""
        part, rest = parts[0], parts[1:]
        if part == "**":
            if rest:
                yield from self.below(folder, rest)
                for child in self._folders(folder, "*"):
                    yield from self.below(child, parts)
        elif has_wildcard(part):
            if rest:
                for child in self._folders(folder, part):
                    yield from self.below(child, rest)
            else:
                objects = self._children(folder)[1]
                yield from (info for info in objects if _matches(_last(info.name), part))
        elif rest:
            yield from self.below(f"{folder}/{part}".lstrip("/"), rest)
        elif info := self._objects.info(f"{folder}/{part}"):
            yield info

    def _folders(self, folder: str, pattern: str) -> Iterator[str]:
        return (child for child in self._children(folder)[0] if _matches(_last(child), pattern))


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and not name.startswith(".")


def _last(name: str) -> str:
    return name.rpartition("/")[2]
