"""The bytes of a file that somebody else owns: decompressed, bounded, and known to be those of its digest."""

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
# How a file of each kind begins. The bytes decide, since a file's name is no part of a key; but one that is
# called after a compression has to be compressed, or a truncated one could pass for a short list.
_COMPRESSIONS = {
    ".gz": ("gzip", re.compile(rb"\x1f\x8b\x08")),
    ".zst": ("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),
    ".bz2": ("bz2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")),
}
# Files that are no text, in a form that is not read here: how they begin, what they are, what to do.
_FOREIGN = {
    b"PK\x03\x04": ("a zip archive or an Excel file", "unpack it, or save the sheet as CSV."),
    b"\xd0\xcf\x11\xe0": ("an old Excel file", "save the sheet as CSV."),
    b"\xfd7zXZ\x00": ("compressed by xz", "unpack it, or compress it by gzip, Zstandard or bzip2."),
}
_LONGEST_MAGIC = 10
COMPRESSED_SUFFIXES = tuple(_COMPRESSIONS)


class ListFile(Protocol):
    """digest: sha256 of the file's bytes, as they were when it was decided what to make of them."""

    @property
    def path(self) -> Path: ...
    @property
    def digest(self) -> str: ...


class Content:
    """An open file, read from its beginning, once.

    unpacked:   bytes that were given out so far, those of the files before it among them.
    max_bytes:  that are given out at most.
    """

    def __init__(self, path: Path, file: BinaryIO, max_bytes: int, unpacked: int) -> None:
        self.path, self.unpacked = path, unpacked
        self._hashed = _Hashed(file)
        self._max_bytes = max_bytes
        with _reading(path):
            self._beginning = self._hashed.peek(_LONGEST_MAGIC)

    @property
    def compression(self) -> str | None:
        """Raises DataError for a file that is called after a compression and does not begin with it, and for
        one that begins as no list does.
        """
        for beginning, (kind, fix) in _FOREIGN.items():
            if self._beginning.startswith(beginning):
                raise _damaged(self.path, f"it is {kind}", fix)
        for suffix, (codec, magic) in _COMPRESSIONS.items():
            if magic.match(self._beginning):
                return codec
            if self.path.suffix.lower() == suffix:
                raise _damaged(self.path, f"it is called {suffix} and does not begin like one")
        return None

    def blocks(self) -> Iterator[bytes]:
        """All of it, decompressed, in blocks of one size but for the last.

        Raises DataError for a compressed file that is damaged or truncated, and beyond `max_bytes`.
        """
        with self._stream() as stream:
            while block := self._block(stream):
                self.unpacked += len(block)
                if self.unpacked > self._max_bytes:
                    raise too_large_error(self.path, self._max_bytes)
                yield block

    def digest(self) -> str:
        """sha256 of the whole file, as far as it was read just as it was read then."""
        with _reading(self.path):
            return self._hashed.digest_to_the_end()

    def _stream(self) -> pa.NativeFile:
        # Read by this thread alone: one of Arrow's that held a Python file would abort the process's end.
        raw = pa.PythonFile(self._hashed, mode="r")
        return pa.CompressedInputStream(raw, self.compression) if self.compression else raw

    def _block(self, stream: pa.NativeFile) -> bytes:
        """A whole block whatever the stream likes to give at once: where blocks end decides about bytes."""
        parts: list[bytes] = []
        missing = BLOCK_BYTES
        try:
            while missing and (part := stream.read(missing)):
                parts.append(part)
                missing -= len(part)
        except OSError as fault:
            if fault.errno:
                raise unreadable_error(self.path, fault) from fault
            raise _damaged(self.path, str(fault)) from fault  # Arrow's own, which have no number
        return parts[0] if len(parts) == 1 else b"".join(parts)


@contextlib.contextmanager
def open_content(file: ListFile, max_bytes: int, unpacked: int) -> Iterator[Content]:
    """The content of a file, for who reads it within.

    unpacked, max_bytes:  as of `Content`.

    Raises DataError if it cannot be opened; and at the end if its bytes are not those of `file.digest`,
    also in place of what was wrong with them.
    """
    with _reading(file.path):
        # Never blocks: should there be a FIFO by now, it reads as empty, which is another digest.
        descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as raw:
        content = Content(file.path, raw, max_bytes, unpacked)
        try:
            yield content
        except DataError as fault:
            _check_unchanged(content, file, fault)
            raise
        _check_unchanged(content, file)


class _Hashed(io.RawIOBase):
    """A file that hashes what is read of it."""

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
            where=str(file.path),
            fix="run again when nobody writes to it.",
        ) from fault


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refusal:
        raise unreadable_error(path, refusal) from refusal


def unreadable_error(path: Path, refusal: OSError) -> DataError:
    return DataError(
        "corpus.unreadable",
        f"the corpus could not be read: {refusal.strerror or refusal}",
        where=str(path),
        fix="check the path, and that you may read what is there.",
    )


def _damaged(path: Path, saw: str, fix: str = "fetch it again, or call it what it is.") -> DataError:
    return DataError(
        "corpus.damaged",
        "the file is truncated, damaged, or not what it is called",
        where=str(path),
        saw=saw,
        fix=fix,
    )


def too_large_error(path: Path, max_bytes: int) -> DataError:
    return DataError(
        "corpus.too_large",
        f"the source holds more than {max_bytes:,} bytes",
        where=str(path),
        fix="raise its max_bytes if there is memory for it, or read a part: limit.",
    )
