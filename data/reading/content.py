"""The bytes of an input file: decompressed, bounded, and verified against its digest."""

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa

from rnn_core.errors import DataError

BLOCK_BYTES = 1 << 20
# How a compressed file begins. The bytes decide, since a file's name is no part of a key; but a file with the
# suffix of a compression has to be compressed, or a truncated one could pass for a short list.
_COMPRESSIONS = {
    ".gz": ("gzip", re.compile(rb"\x1f\x8b\x08")),
    ".zst": ("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),
    ".bz2": ("bz2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")),
}
# Other files that are not read: how they begin, what they are, what to do.
_UNSUPPORTED = {
    b"PK\x03\x04": ("a zip archive or an Excel file", "unpack it, or save the sheet as CSV."),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", "save the sheet as CSV."),
    b"\xfd7zXZ\x00": ("compressed by xz", "unpack it, or compress it by gzip, Zstandard or bzip2."),
}
_LONGEST_MAGIC = 10
COMPRESSED_SUFFIXES = tuple(_COMPRESSIONS)


class ListFile(Protocol):
    """A file and the SHA-256 of its bytes when the run began."""

    @property
    def origin(self) -> str:
        """Where it is, for people."""

    @property
    def digest(self) -> str:
        """The SHA-256 that its bytes must have."""

    def local(self) -> Path:
        """Where its bytes can be read."""


class Content:
    """An open file, read once, from its beginning.

    unpacked:   bytes given out so far, including those of the files before it.
    max_bytes:  the most that is given out.
    """

    def __init__(self, path: Path, file: BinaryIO, max_bytes: int, unpacked: int) -> None:
        self.path, self.unpacked = path, unpacked
        self._hashed = _HashingFile(file)
        self._max_bytes = max_bytes
        with _read_errors(path):
            self._beginning = self._hashed.peek(_LONGEST_MAGIC)

    @property
    def compression(self) -> str | None:
        """The codec of a compressed file, else None.

        Raises DataError for a file with the suffix of a compression that is not compressed, and for kinds of
        files that are not read.
        """
        for beginning, (kind, fix) in _UNSUPPORTED.items():
            if self._beginning.startswith(beginning):
                raise _damaged_error(self.path, f"it is {kind}", fix)
        for suffix, (codec, magic) in _COMPRESSIONS.items():
            if magic.match(self._beginning):
                return codec
            if self.path.suffix.lower() == suffix:
                raise _damaged_error(self.path, f"it is named {suffix} and does not begin like one")
        return None

    def blocks(self) -> Iterator[bytes]:
        """The content, decompressed, in blocks of equal size but for the last.

        Raises DataError for a compressed file that is damaged or truncated, and beyond `max_bytes`.
        """
        with self._stream() as stream:
            while block := self._block(stream):
                self.unpacked += len(block)
                if self.unpacked > self._max_bytes:
                    raise too_large_error(self.path, self._max_bytes)
                yield block

    def digest(self) -> str:
        """The SHA-256 of the whole file, including what was read already."""
        with _read_errors(self.path):
            return self._hashed.digest_to_the_end()

    def _stream(self) -> pa.NativeFile:
        # Read by this thread alone: Arrow threads that hold a Python file can abort the process at its end.
        raw = pa.PythonFile(self._hashed, mode="r")
        return pa.CompressedInputStream(raw, self.compression) if self.compression else raw

    def _block(self, stream: pa.NativeFile) -> bytes:
        """A whole block, however much the stream gives at once: block ends must not depend on that."""
        parts: list[bytes] = []
        missing = BLOCK_BYTES
        try:
            while missing and (part := stream.read(missing)):
                parts.append(part)
                missing -= len(part)
        except OSError as fault:
            if fault.errno:
                raise unreadable_error(self.path, fault) from fault
            if "too much memory" in str(fault):  # of zstd, for a window beyond 128 MiB
                raise _format_error(
                    self.path,
                    "it was compressed with a long window: zstd --long",
                    str(fault),
                    "compress it again without --long, or unpack it: zstd -d --long=31.",
                ) from fault
            raise _damaged_error(self.path, str(fault)) from fault  # Arrow's own, which have no number
        return parts[0] if len(parts) == 1 else b"".join(parts)


@contextlib.contextmanager
def open_content(file: ListFile, max_bytes: int, unpacked: int) -> Iterator[Content]:
    """Open a file and give its content.

    unpacked, max_bytes:  as of `Content`.

    Raises DataError if it cannot be opened; and at the end if its bytes are not those of `file.digest`, also
    in place of another error that they caused.
    """
    path = file.local()
    with _read_errors(path):
        # Never blocks: a FIFO that took its place reads as empty, which has another digest.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as raw, errors_at_origin(file, path):
        content = Content(path, raw, max_bytes, unpacked)
        try:
            yield content
        except DataError as fault:
            _check_unchanged(content, file, fault)
            raise
        _check_unchanged(content, file)


@contextlib.contextmanager
def errors_at_origin(file: ListFile, path: Path) -> Iterator[None]:
    """Let an error name the file as people know it, and not the copy at `path` that is read."""
    try:
        yield
    except DataError as fault:
        fault.where = fault.where.replace(str(path), file.origin)
        raise


class _HashingFile(io.RawIOBase):
    """A file that hashes what is read from it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._sha256 = hashlib.sha256()
        self._peeked = b""

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        self._peeked = self.read(size)
        return self._peeked

    def read(self, size: int = -1) -> bytes:
        if self._peeked:
            peeked, self._peeked = self._peeked[:size], self._peeked[size:]
            return peeked
        block = self._file.read(size)
        self._sha256.update(block)
        return block

    def digest_to_the_end(self) -> str:
        while self.read(1 << 20):
            pass
        return self._sha256.hexdigest()


def _check_unchanged(content: Content, file: ListFile, fault: DataError | None = None) -> None:
    if content.digest() != file.digest:
        raise DataError(
            "corpus.changed",
            "the file changed while it was read",
            where=file.origin,
            fix="run again when nobody writes to it.",
        ) from fault


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refusal:
        raise unreadable_error(path, refusal) from refusal


def unreadable_error(path: Path, refusal: OSError) -> DataError:
    """The error of an input file that the system does not let us read."""
    return DataError(
        "corpus.unreadable",
        f"the corpus could not be read: {refusal.strerror or refusal}",
        where=str(path),
        fix="check the path, and that you may read what is there.",
    )


def _damaged_error(path: Path, saw: str, fix: str = "fetch it again, or call it what it is.") -> DataError:
    return DataError(
        "corpus.damaged",
        "the file is truncated, damaged, or not what it is called",
        where=str(path),
        saw=saw,
        fix=fix,
    )


def _format_error(path: Path, what: str, saw: str, fix: str) -> DataError:
    return DataError("corpus.format", f"the file is not read: {what}", where=str(path), saw=saw, fix=fix)


def too_large_error(path: Path, max_bytes: int) -> DataError:
    """The error of a source beyond `max_bytes`."""
    return DataError(
        "corpus.too_large",
        f"the source holds more than {max_bytes:,} bytes",
        where=str(path),
        fix="raise its max_bytes if there is memory for it, or read a part: limit.",
    )
