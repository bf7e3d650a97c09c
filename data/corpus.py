"""One source, a list of names in one file or several: what is taken and what is not."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from data.reading import delimited, lines, tables
from data.reading.content import Content, ListFile, open_content, too_large_error
from data.reading.encodings import as_utf8
from data.reading.rows import Rows


class CheckedRows(NamedTuple):
    """The rows that go on, and those that do not, with the reason."""

    names: pa.Table
    rejected: pa.Table


def read_corpus(
    files: Sequence[ListFile], config: CorpusConfig, notify: Callable[[str], None] = lambda _text: None
) -> Generator[CheckedRows, None, None]:
    """The rows of all files, part after part; the first part is empty. Memory does not grow with the files.

    notify:  called with what a person should know of a file that was read.

    Rows taken and rows rejected are together the rows read. Raises DataError where a file cannot be read as
    the configuration says, where a limit of it is passed, and where a file is no longer that of its digest.
    """
    yield CheckedRows(_NAMES.empty_table(), _REJECTED.empty_table())
    reading, unpacked = _Reading(config), 0
    for number, file in enumerate(files, start=1):
        with open_content(file, config.max_bytes, unpacked) as content:
            yield from reading.parts(number, content.path, _rows(content, config, reading.left, notify))
        unpacked = content.unpacked


def _rows(
    content: Content, config: CorpusConfig, limit: int | None, notify: Callable[[str], None]
) -> Iterator[Rows]:
    if config.format in ("parquet", "feather"):
        return tables.rows(content, config, limit)
    text = as_utf8(content.blocks(), config.encoding, content.path)
    if config.format == "text":
        return lines.rows(text, config, content.path)
    return delimited.rows(text, config, content.path, notify)


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


class _Reading:
    """How much was read so far."""

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._source = pa.array([config.name])
        self._rows = 0
        self._bytes = 0

    @property
    def left(self) -> int | None:
        """How many rows are still to be read; None for all there are."""
        return None if self._config.limit is None else self._config.limit - self._rows

    def parts(self, file: int, path: Path, blocks: Iterator[Rows]) -> Iterator[CheckedRows]:
        """The rows of one file, as many as are left to be read. Raises DataError beyond `max_bytes`."""
        line = 1
        while self.left != 0 and (rows := next(blocks, None)):
            count = len(rows.values) if self.left is None else min(self.left, len(rows.values))
            taken = self._taken(
                rows, file, np.arange(line, line + len(rows.values)), np.arange(len(rows.values)) < count
            )
            self._rows += count
            self._bytes += taken.names.nbytes + taken.rejected.nbytes
            line += count
            if self._bytes > self._config.max_bytes:
                raise too_large_error(path, self._config.max_bytes)
            yield taken

    def _taken(
        self, rows: Rows, file: int, lines: npt.NDArray[np.int64], is_wanted: npt.NDArray[np.bool_]
    ) -> CheckedRows:
        """lines: (N,) the number of each row in its file; is_wanted: (N,) false beyond the limit."""
        names = pc.utf8_trim_whitespace(rows.values)
        reasons = _reasons(rows, names)
        is_taken = (
            is_wanted if reasons is None else is_wanted & reasons.is_null().to_numpy(zero_copy_only=False)
        )
        weights = pa.scalar(1.0) if rows.counts is None else _chosen(rows.counts, is_taken)
        taken = lines[is_taken]
        columns = [
            _chosen(names, is_taken),
            *self._place(file, taken),
            pc.multiply(weights, pa.array(np.full(len(taken), self._config.weight))),
        ]
        names_taken = pa.table(columns, schema=_NAMES)
        if reasons is None:
            return CheckedRows(names_taken, _REJECTED.empty_table())
        is_rejected = pa.array(is_wanted & ~is_taken)
        place = self._place(file, lines[is_wanted & ~is_taken])
        columns = [*place, rows.raw(is_rejected), reasons.filter(is_rejected)]
        return CheckedRows(names_taken, pa.table(columns, schema=_REJECTED))

    def _place(self, file: int, lines: npt.NDArray[np.int64]) -> list[pa.Array]:
        """Source, file and line."""
        source = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(lines), np.int32)), self._source)
        return [source, pa.array(np.full(len(lines), file, np.int32)), pa.array(lines)]


def _chosen(values: pa.Array, is_chosen: npt.NDArray[np.bool_]) -> pa.Array:
    return values if is_chosen.all() else values.filter(pa.array(is_chosen))


def _reasons(rows: Rows, names: pa.StringArray) -> pa.StringArray | None:
    """(N,) why a row is not taken, null where it is; None if all are.

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
