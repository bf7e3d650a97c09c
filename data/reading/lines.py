"""A text file: one name a line."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from data.reading.encodings import check_utf8
from data.reading.rows import BLANK_LINE, Rows, as_lines, line_ends, whole_rows


def rows(blocks: Iterator[bytes], config: CorpusConfig, path: Path) -> Iterator[Rows]:
    r"""The lines of a text.

    blocks:  of UTF-8, without a byte order mark. Lines end at \n, \r\n and \r, and nowhere else.

    Raises DataError for a line that is not UTF-8, or too long.
    """
    first, ended = 1 + config.skip_rows, True
    for data, ends in whole_rows(blocks, line_ends, config.max_row_bytes, path, first):
        check_utf8(data, ends, first, "line", path)
        lines = as_lines(data, ends)
        yield Rows(lines, None, None, BLANK_LINE, partial(without_ends, lines))
        first, ended = first + len(ends), data[-1] in b"\r\n"
    if config.empty_last_line and ended:
        yield Rows(pa.array([""]), None, None, None, pa.array([b""], pa.binary()).filter)


def without_ends(lines: pa.StringArray, chosen: pa.BooleanArray) -> pa.BinaryArray:
    """The bytes of the lines of a mask, without their line ends."""
    return pc.replace_substring_regex(lines.filter(chosen), r"(?:\r\n|\r|\n)\z", "").cast(pa.binary())
