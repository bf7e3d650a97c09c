"""Bytes in any encoding as UTF-8, strictly: a byte that has no meaning is an error and never a guess."""

import codecs
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.reading.rows import Ends, as_lines
from rnn_core.errors import DataError

_UTF8_MARK = codecs.BOM_UTF8
# UTF-32 first: its mark begins with that of UTF-16. None of them can begin a text in UTF-8.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SAMPLE_BYTES = 1 << 15  # that the guess is made of
_SHOWN_BYTES = 80


def as_utf8(blocks: Iterator[bytes], encoding: str, path: Path) -> Iterator[bytes]:
    """The same text in UTF-8, without a byte order mark. One in UTF-8 is passed on and not yet checked.

    encoding:  a codec's name. A byte order mark is believed: that of UTF-8 whatever is named, but for UTF-16
               and UTF-32, where it may be a character; those of UTF-16 and UTF-32 with `utf-8`.

    Raises DataError with the position of a byte that is not of the encoding.
    """
    first = next(blocks, b"")
    if encoding == "utf-8":
        marked = [named for mark, named in _MARKS.items() if first.startswith(mark)]
        encoding = marked[0] if marked else encoding
    elif first.startswith(_UTF8_MARK) and not encoding.startswith(("utf-16", "utf-32")):
        encoding = "utf-8"
    blocks = chain([first], blocks)
    return _unmarked(blocks if encoding == "utf-8" else _transcoded(blocks, encoding, path))


def check_utf8(rows: bytes, ends: Ends, first: int, unit: str, path: Path) -> None:
    """Raises DataError with the row and its byte if a row is not UTF-8.

    ends:   (N,) N at least 1, one past the last byte of each row.
    first:  number of the first row.
    unit:   what a row is called: line or row.
    """
    try:
        # Arrow checks fastest, all of it as one value; and Python says where.
        as_lines(rows, ends[-1:]).validate(full=True)
    except pa.ArrowInvalid:
        try:
            rows.decode()
        except UnicodeDecodeError as fault:
            row = int(np.searchsorted(ends, fault.start, side="right"))
            start = int(ends[row - 1]) if row else 0
            line = rows[start : ends[row]].rstrip(b"\r\n")
            place = f"{unit} {first + row}, byte {fault.start - start + 1} (0x{rows[fault.start]:02X})"
            raise _not_in_it("UTF-8", f"{path}, {place}", line, rows, fault.start, f"{unit} is ") from fault
        raise


def _unmarked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(blocks, b"").removeprefix(_UTF8_MARK)
    yield from blocks


def _transcoded(blocks: Iterator[bytes], encoding: str, path: Path) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    before = 0
    for block in chain(blocks, [b""]):
        left = decoder.getstate()[0]  # of the block before, the beginning of a character
        try:
            yield decoder.decode(block, final=not block).encode()
        except UnicodeError as fault:  # a lone surrogate comes out of UTF-16 as none; out of UTF-7 it does
            start = fault.start if isinstance(fault, UnicodeDecodeError) else 0
            data = left + block
            where = f"{path}, byte {before - len(left) + start + 1:,}"
            raise _not_in_it(encoding, where, data[start:], data, start, "the file is ") from fault
        before += len(block)


def _not_in_it(encoding: str, where: str, shown: bytes, data: bytes, place: int, subject: str) -> DataError:
    guess = _guessed(data[max(0, place - _SAMPLE_BYTES) : place + _SAMPLE_BYTES])
    named = f': encoding = "{guess}", which it looks like' if guess else ""
    return DataError(
        "corpus.encoding",
        f"{subject}not valid {encoding}",
        where=where,
        saw=repr(shown[:_SHOWN_BYTES]),
        fix=f"re-encode the file as UTF-8, with iconv for instance, or name its encoding{named}.",
    )


def _guessed(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # needed for no file that is in order

    best = from_bytes(sample).best()
    return best.encoding if best and best.encoding not in ("ascii", "utf_8") else None
