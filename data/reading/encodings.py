"""Text in any encoding as UTF-8, strictly: an invalid byte is an error and never a guess."""

import codecs
import re
import unicodedata
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
_SAMPLE_BYTES = 1 << 15  # that the hints are made of
_SHOWN_BYTES = 80
_WESTERN = ("cp1252", "cp1254", "cp1250", "latin-1")
_OTHERS = (
    "gb18030",
    "shift_jis",
    "euc_kr",
    "big5",
    "cp1251",
    "koi8-r",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
)
_TOGETHER = {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "COMBINING"}  # that stand beside other scripts
_READINGS = 3  # that are shown at most
_LETTERS = 0.9  # share of the characters beyond ASCII that has to be letters


def as_utf8(blocks: Iterator[bytes], encoding: str, path: Path) -> Iterator[bytes]:
    """The same text in UTF-8, without a byte order mark. Text in UTF-8 is passed on without a check.

    encoding:  a codec's name. A byte order mark is believed: that of UTF-8 whatever is named, but for UTF-16
               and UTF-32, where it may be a character; those of UTF-16 and UTF-32 with `utf-8`.

    Raises DataError with the position of a byte that is not of the encoding, and for text that is in UTF-8
    though an encoding of one byte per character is named, which would turn José into JosÃ©.
    """
    first = next(blocks, b"")
    if encoding == "utf-8":
        marked = [named for mark, named in _MARKS.items() if first.startswith(mark)]
        encoding = marked[0] if marked else encoding
    elif first.startswith(_UTF8_MARK) and not encoding.startswith(("utf-16", "utf-32")):
        encoding = "utf-8"
    elif _is_of_single_bytes(encoding) and _is_utf8(first):
        raise DataError(
            "corpus.encoding",
            f"the file is in UTF-8, and not in {encoding}",
            where=str(path),
            saw=repr(next(line for line in first.splitlines() if not line.isascii())[:_SHOWN_BYTES]),
            fix="take the encoding out.",
        )
    blocks = chain([first], blocks)
    return _unmarked(blocks if encoding == "utf-8" else _transcoded(blocks, encoding, path))


def _is_of_single_bytes(encoding: str) -> bool:
    return len(_decoded(bytes(range(256)), encoding, "replace") or "") == 256


def _is_utf8(block: bytes) -> bool:
    """Whether it holds characters beyond ASCII in UTF-8, which text of another encoding is not by chance."""
    return not block.isascii() and _decoded(block, "utf-8") is not None


def check_utf8(rows: bytes, ends: Ends, first: int, unit: str, path: Path) -> None:
    """Raise DataError, with the row and the byte, if a row is not UTF-8.

    ends:   (N,) N at least 1, one past the last byte of each row.
    first:  number of the first row.
    unit:   the word for a row: line or row.
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
    sample = data[max(0, place - _SAMPLE_BYTES) : place + _SAMPLE_BYTES]
    readings = likely_readings(sample, shown[:_SHOWN_BYTES])
    named = ", ".join(f'"{name}" reads {text!r}' for name, text in readings.items())
    return DataError(
        "corpus.encoding",
        f"{subject}not valid {encoding}",
        where=where,
        saw=repr(shown[:_SHOWN_BYTES]),
        fix="re-encode the file as UTF-8, or name its encoding"
        + (f": whichever reads right of encoding = {named}." if named else "."),
    )


def likely_readings(sample: bytes, line: bytes) -> dict[str, str]:
    """How a line would read in the two or three likeliest encodings, the likeliest first.

    sample:  bytes around it. Which letters stand beside each other is what tells: in a Western list single
             ones among ASCII, in a Chinese one pairs alone.
    """
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", sample)]
    if not runs or b"\0" in sample:
        return {}
    # Where Western encodings have their rare signs, others have the first bytes of pairs.
    signs = len(re.findall(rb"[\x80-\x9f]", sample))
    is_western = sum(runs) < 1.9 * len(runs) and signs < 0.1 * sum(runs)
    families = [_WESTERN, _OTHERS] if is_western else [_OTHERS, _WESTERN]
    readings: list[tuple[float, str, str]] = []
    for encoding in (name for family in families for name in family):
        text, reading = _decoded(sample, encoding), _decoded(line, encoding, "ignore")
        if text is None or reading is None or any(reading == other for *_, other in readings):
            continue
        beyond_ascii = [character for character in text if not character.isascii()]
        alphabetic = sum(character.isalpha() or character.isspace() for character in beyond_ascii)
        if alphabetic >= _LETTERS * len(beyond_ascii):
            readings.append((_strangeness(text), encoding, reading))
    readings.sort(key=lambda one: one[0])  # of equals, the order above stays
    return {encoding: reading for _, encoding, reading in readings[:_READINGS]}


def _strangeness(text: str) -> float:
    """How little the words look like names: letters of two scripts in one, capitals within or missing."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]
    return sum(map(_strangeness_of_word, words)) / max(len(words), 1)


def _strangeness_of_word(word: str) -> float:
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in word} - _TOGETHER
    if len(scripts) > 1:
        return 1.0
    if word.lower() == word.upper():
        return 0.2
    return 0.0 if word.istitle() or word.isupper() else 0.5 if word.islower() else 0.8


def _decoded(text: bytes, encoding: str, errors: str = "strict") -> str | None:
    """None if it is not of the encoding, but for a character that is cut off at the end of a sample."""
    try:
        return codecs.getincrementaldecoder(encoding)(errors).decode(text)
    except UnicodeError:  # not only of decoding: of UTF-16 without a mark, and of idna
        return None
