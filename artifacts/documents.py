"""Documents that may come from elsewhere: only regular files, up to a size, and JSON of declared types.

What reads one within these bounds cannot hang, fill the memory, or fail later for a value of another type.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from io import FileIO
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from rnn_core.validators import Rule

MOST_BYTES = 8 << 20  # of a document: the manifest of 40,000 files
MOST_DEPTH = 32
_MOST_DIGITS = 20  # of a whole number: 64 bits
_TOO_LARGE = 10**_MOST_DIGITS
_TOO_DEEP = f"is nested more than {MOST_DEPTH} deep"
_TOO_MANY_DIGITS = f"has a whole number of more than {_MOST_DIGITS} digits"
_MOST_VALUES = 1 << 22  # side by side
_MOST_TOML = 1 << 20  # bytes
_KEY = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![\w.-]){_KEY}(?:[ \t]*\.[ \t]*{_KEY}){{{MOST_DEPTH}}}")
_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,255}")

# What a text of a document may be, for the annotations of its fields.
PLAIN_NAME = Rule(
    "a plain name",
    lambda value: isinstance(value, str) and value not in (".", "..") and bool(_PLAIN_NAME.fullmatch(value)),
)
HEX_DIGEST = Rule(
    "64 hexadecimal digits",
    lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)),
)
MOMENT = Rule("a time with its zone, ISO 8601", lambda value: isinstance(value, str) and _is_moment(value))


@contextlib.contextmanager
def open_file(path: Path, follow_links: bool = False) -> Iterator[FileIO]:
    """A regular file, open for reading.

    follow_links:  whether the last part of the path may be a symbolic link.

    Raises OSError for anything else, at once: a FIFO would block for ever.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= 0 if follow_links else getattr(os, "O_NOFOLLOW", 0)
    try:  # to look at an artifact is not to use it: see `Artifact.mark_used`
        descriptor = os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # that is for the owner of a file alone
        descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield file


def read_file(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file. Raises OSError as `open_file` does, ValueError beyond so many bytes."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise ValueError(f"is larger than {most:,} bytes")
        content = bytearray()
        while len(content) <= most and (block := file.read(most + 1 - len(content))):
            content += block
    if len(content) > most:  # it has grown meanwhile
        raise ValueError(f"is larger than {most:,} bytes")
    return bytes(content)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes. Raises OSError as `open_file` does."""
    with open_file(path, follow_links=True) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON document.

    Raises ValueError for anything else, NaN included, and beyond the limits of size, depth and digits.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES:,} bytes")
    try:
        value = json.loads(content, parse_int=_whole_number, parse_float=_number, parse_constant=_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    check_bounds(value)
    return value


def parse_toml(content: bytes) -> dict[str, Any]:
    """The tables of a TOML document, with or without a byte order mark.

    Raises ValueError for anything else, and beyond the limits of size, depth and digits.
    """
    import tomllib  # only who reads a configuration needs it

    if len(content) > _MOST_TOML:
        raise ValueError(f"is larger than {_MOST_TOML:,} bytes")
    text = content.decode("utf-8-sig")  # editors of Windows write a mark
    if _LONG_KEY.search(text):  # the time that tomllib takes is the square of its parts
        raise ValueError(_TOO_DEEP)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python's own limit
        raise ValueError(_TOO_MANY_DIGITS) from None
    check_bounds(tables)
    return tables


def check_bounds(value: Any) -> None:
    """Raise ValueError for lists and objects nested too deeply, and for numbers of too many digits."""
    level = [value]
    for _ in range(MOST_DEPTH):
        if any(isinstance(part, int) and abs(part) >= _TOO_LARGE for part in level):
            raise ValueError(_TOO_MANY_DIGITS)
        children = (
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        )
        level = list(islice(children, _MOST_VALUES + 1))
        if len(level) > _MOST_VALUES:  # of YAML's aliases, which stand for others again and again
            raise ValueError(f"has more than {_MOST_VALUES:,} values")
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def as_type(kind: Any, value: Any, name: str = "") -> Any:
    """A JSON value as what is declared: a dataclass, a mapping, a tuple of any length, or a plain value.

    kind:  with the rules of `rnn_core.validators` in its annotations, which the value has to keep.
    name:  of the value, for messages.

    Raises ValueError for another type, for a field that is missing or unknown, and for a broken rule.
    """
    if kind is Any:
        return value
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        for rule in arguments[1:]:
            if not rule.accepts(value):
                raise _wrong(name, rule.words, value)
        return as_type(arguments[0], value, name)
    if origin in (Union, UnionType):  # of a type and None
        (other,) = (part for part in arguments if part is not NoneType)
        return None if value is None else as_type(other, value, name)
    if is_dataclass(kind):
        return _as_dataclass(kind, value, name)
    if origin is Mapping:
        pairs = _of_type(dict, value, name).items()
        return {
            as_type(arguments[0], key, name): as_type(arguments[1], part, f"{name}.{key}")
            for key, part in pairs
        }
    if origin is tuple:
        return tuple(as_type(arguments[0], part, name) for part in _of_type(list, value, name))
    return _of_type(kind, value, name)


def _as_dataclass(kind: Any, value: Any, name: str) -> Any:
    declared, required = _declaration(kind)
    document = _of_type(dict, value, name)
    if differing := sorted({*document} - {*declared} | {*required} - {*document}):
        raise ValueError(
            f"{name or kind.__name__} has missing or unknown fields: {', '.join(differing)[:80]!r}"
        )
    return kind(
        **{
            field: as_type(declared[field], part, f"{name}.{field}".lstrip("."))
            for field, part in document.items()
        }
    )


@lru_cache
def _declaration(kind: Any) -> tuple[dict[str, Any], Sequence[str]]:
    """The types of a dataclass's fields, and the names of those without a default."""
    required = [
        field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING
    ]
    return get_type_hints(kind, include_extras=True), required


def _of_type(kind: type, value: Any, name: str) -> Any:
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise _wrong(name, f"of type {kind.__name__}", value)


def _wrong(name: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"{name or 'it'} must be {expected}, not {repr(value)[:40]}")


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(_TOO_MANY_DIGITS)
    return int(digits)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"has a number that is not finite: {text[:20]}")
    return number


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
