"""Reading a source, a list of names in one file or several: the accepted rows and the rejected ones."""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from data.reading import delimited, json_lists, lines, tables
from data.reading.content import Content, ListFile, open_content, too_large_error
from data.reading.encodings import as_utf8
from data.reading.kinds import check_bytes, check_is_list
from data.reading.rows import Rows, line_ends
from data.text.strings import title_cased

_PEEKED_BYTES = 1 << 16  # that show what kind of file it is


class CheckedRows(NamedTuple):
    """The accepted rows, and the rejected ones with the reason."""

    names: pa.Table
    rejected: pa.Table


def read_corpus(
    files: Sequence[ListFile], config: CorpusConfig, notify: Callable[[str], None] = lambda _text: None
) -> Generator[CheckedRows, None, None]:
    """The rows of all files, part by part; the first part is empty. Memory does not grow with the files.

    notify:  called with what a person should know of a file.

    Accepted and rejected rows are together the rows read. Raises DataError where a file cannot be read as the
    configuration says, where a limit of it is passed, or where a file has changed meanwhile.
    """
    yield CheckedRows(_NAMES.empty_table(), _REJECTED.empty_table())
    reader, unpacked = _RowReader(config), 0
    for number, file in enumerate(files, start=1):
        with open_content(file, config.max_bytes, unpacked) as content:
            yield from reader.parts(number, content.path, _rows(content, config, reader.remaining, notify))
        unpacked = content.unpacked


def _rows(
    content: Content, config: CorpusConfig, limit: int | None, notify: Callable[[str], None]
) -> Iterator[Rows]:
    if config.format in ("parquet", "feather"):
        return tables.rows(content, config, None if config.conditions else limit, notify)
    first, blocks = _peeked(content.blocks())
    check_bytes(first, config, content.path)
    text = as_utf8(blocks, config.encoding, content.path)
    text = _without_first_lines(text, config.skip_rows) if config.skip_rows else text
    if config.format in ("json", "jsonl"):
        return json_lists.rows(text, config, content.path, notify)
    if config.format != "text":
        return delimited.rows(text, config, content.path, notify)
    if not config.is_format_given:
        first, text = _peeked(text)
        check_is_list(first, content.path)
    return lines.rows(text, config, content.path)


def _peeked(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, as many wherever blocks end, and all blocks."""
    first: list[bytes] = []
    while sum(map(len, first)) < _PEEKED_BYTES and (block := next(blocks, None)) is not None:
        first.append(block)
    return b"".join(first)[:_PEEKED_BYTES], chain(first, blocks)


def _without_first_lines(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    skipped, left = 0, b""
    for block in blocks:
        if skipped == count:
            yield block
            continue
        ends = line_ends(left + block)
        if len(ends) >= count - skipped:
            block, skipped = (left + block)[ends[count - skipped - 1] :], count
            yield block
        else:
            skipped += len(ends)
            left = (left + block)[-1:] if block.endswith(b"\r") else b""  # perhaps half of a line end


_NAMES = pa.schema(
    [
        ("name", pa.string()),
        ("source", pa.dictionary(pa.int32(), pa.string())),
        ("file", pa.int32()),
        ("line", pa.int64()),
        ("weight", pa.float64()),
    ]
)
_REJECTED = pa.schema(
    [
        *(_NAMES.field(column) for column in ("source", "file", "line")),
        ("raw", pa.binary()),
        ("reason", pa.string()),
    ]
)


class _RowReader:
    """Reads the files of one source and counts what was read."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._source = pa.array([config.name])
        self._rows = 0
        self._bytes = 0

    @property
    def remaining(self) -> int | None:
        """How many rows are still to be read; None for all."""
        return None if self._config.limit is None else self._config.limit - self._rows

    def parts(self, file: int, path: Path, blocks: Iterator[Rows]) -> Iterator[CheckedRows]:
        """The rows of one file, up to the limit. Raises DataError beyond `max_bytes`."""
        line = 1 + (self._config.skip_rows if self._config.format == "text" else 0)
        while self.remaining != 0 and (rows := next(blocks, None)):
            is_read = np.ones(len(rows.values), np.bool_)
            if rows.selected is not None:
                is_read = rows.selected.to_numpy(zero_copy_only=False)
            if self.remaining is not None:
                is_read = is_read & (np.cumsum(is_read) <= self.remaining)
            part = self._checked(rows, file, np.arange(line, line + len(is_read)), is_read)
            self._rows += int(np.count_nonzero(is_read))
            self._bytes += part.names.nbytes + part.rejected.nbytes
            line += len(is_read)
            if self._bytes > self._config.max_bytes:
                raise too_large_error(path, self._config.max_bytes)
            yield part

    def _checked(
        self, rows: Rows, file: int, lines: npt.NDArray[np.int64], is_read: npt.NDArray[np.bool_]
    ) -> CheckedRows:
        """The rows that are read, accepted or rejected.

        lines:    (N,) the number of each row in its file.
        is_read:  (N,) false beyond the limit, and where the row filter is not satisfied.
        """
        names = pc.utf8_trim_whitespace(rows.values)
        if self._config.case == "title":
            names = title_cased(names)
        reasons = _reasons(rows, names)
        is_accepted = (
            is_read if reasons is None else is_read & reasons.is_null().to_numpy(zero_copy_only=False)
        )
        weights = pa.scalar(1.0) if rows.counts is None else _filtered(rows.counts, is_accepted)
        accepted_lines = lines[is_accepted]
        columns = [
            _filtered(names, is_accepted),
            *self._place(file, accepted_lines),
            pc.multiply(weights, pa.array(np.full(len(accepted_lines), self._config.weight))),
        ]
        accepted = pa.table(columns, schema=_NAMES)
        if reasons is None:
            return CheckedRows(accepted, _REJECTED.empty_table())
        is_rejected = pa.array(is_read & ~is_accepted)
        place = self._place(file, lines[is_read & ~is_accepted])
        columns = [*place, rows.raw(is_rejected), reasons.filter(is_rejected)]
        return CheckedRows(accepted, pa.table(columns, schema=_REJECTED))

    def _place(self, file: int, lines: npt.NDArray[np.int64]) -> list[pa.Array]:
        """The columns source, file and line."""
        source = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(lines), np.int32)), self._source)
        return [source, pa.array(np.full(len(lines), file, np.int32)), pa.array(lines)]


def _filtered(values: pa.Array, mask: npt.NDArray[np.bool_]) -> pa.Array:
    return values if mask.all() else values.filter(pa.array(mask))


def _reasons(rows: Rows, names: pa.StringArray) -> pa.StringArray | None:
    """(N,) why a row is rejected, null where it is not; None if none is.

    names:  (N,) without surrounding white space.
    """
    lengths = pc.binary_length(names)
    if (
        rows.reasons is None
        and not names.null_count
        and (not rows.blank or pc.all(pc.greater(lengths, 0)).as_py())
    ):
        return None
    of_name = pc.case_when(
        pc.make_struct(pc.is_null(names), pc.and_(pc.equal(lengths, 0), rows.blank is not None)),
        "no value",
        pa.scalar(rows.blank, pa.string()),
    )
    return of_name if rows.reasons is None else pc.coalesce(rows.reasons, of_name)
