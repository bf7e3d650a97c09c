"""Reading npz files that may come from elsewhere: nothing is allocated because a file claims it.

First the directory of the zip is read, then the npy header of every member. Only if their names, types and
shapes are those that the caller expects, the arrays are read. Members are stored, as
`formats.arrays_as_bytes` writes them: a deflated one may unpack to a thousand times its size.
"""

import contextlib
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.errors import NamewrightError

_MOST_AT_ONCE = 1 << 18  # bytes of one read, as the zip's directory is: that of some 3,000 members
_SUFFIX = ".npy"
_MOST_DIMENSIONS = 32


class ArrayHeader(NamedTuple):
    """What a file says of an array before its content."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)


Check = Callable[[Mapping[str, ArrayHeader]], object]


def accept_any(_headers: Mapping[str, ArrayHeader]) -> None:
    """The check that expects nothing: memory is then bounded by the size of the file."""


def read(file: IO[bytes], check: Check = accept_any) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an npz, by name.

    check:  raises for names, types and shapes that are not expected, before there is memory for the arrays.

    Raises ValueError unless every member is an array of numbers, stored, that passes its CRC; and what
    `check` raises.
    """
    with _zip_errors(), zipfile.ZipFile(_BoundedReads(file)) as archive:
        members = _members(archive, file.seek(0, os.SEEK_END))
        check({name: _header(archive, member) for name, member in members.items()})
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as content:
                arrays[name] = np.lib.format.read_array(content, allow_pickle=False)
    return arrays


def check_headers(file: IO[bytes], check: Check) -> None:
    """Raise as `read` does, but for the CRCs, and without reading the arrays."""
    with _zip_errors(), zipfile.ZipFile(_BoundedReads(file)) as archive:
        members = _members(archive, file.seek(0, os.SEEK_END))
        check({name: _header(archive, member) for name, member in members.items()})


class _BoundedReads:
    """A file that gives no more at once than a zip of arrays needs, so that its directory is bounded."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > _MOST_AT_ONCE:
            raise ValueError(f"the directory of the zip is larger than {_MOST_AT_ONCE:,} bytes")
        return self._file.read(_MOST_AT_ONCE if size < 0 else size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _members(archive: zipfile.ZipFile, file_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """The members by the names of their arrays; together they are no larger than the file."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(_SUFFIX)
        if name == member.filename:
            raise ValueError(f"its member {name[:80]!r} is not an array")
        if name in members:
            raise ValueError(f"it has the array {name[:80]!r} twice")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise ValueError(f"its array {name[:80]!r} is compressed; arrays are stored")
        members[name] = member
    if sum(member.file_size for member in members.values()) > file_bytes:
        raise ValueError("its members overlap, or are larger than the file")
    return members


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> ArrayHeader:
    with archive.open(member) as content:
        version = np.lib.format.read_magic(content)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(content)
        else:  # raises for anything but 2.0
            shape, _, dtype = np.lib.format.read_array_header_2_0(content)
        content_bytes = member.file_size - content.seek(0, os.SEEK_CUR)
    is_shape = len(shape) <= _MOST_DIMENSIONS and min(shape, default=0) >= 0
    if dtype.kind not in "biuf" or not is_shape or math.prod(shape) * dtype.itemsize != content_bytes:
        raise ValueError(f"its member {member.filename[:80]!r} is not an array of numbers, or not all of it")
    return ArrayHeader(dtype, shape)


@contextlib.contextmanager
def _zip_errors() -> Iterator[None]:
    """Turn what a damaged zip makes zipfile and NumPy raise, a dozen kinds, into a ValueError."""
    try:
        yield
    except (NamewrightError, ValueError):
        raise
    except Exception as refusal:
        raise ValueError(str(refusal)[:200] or type(refusal).__name__) from refusal
