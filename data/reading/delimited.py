"""CSV and TSV: a column of a table in text."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.config import CorpusConfig
from data.reading.columns import ColumnPlaces, column_error, column_places, is_default_name, valid_counts
from data.reading.encodings import check_utf8
from data.reading.lines import without_ends
from data.reading.rows import BLANK_NAME, Ends, Rows, as_lines, line_ends, whole_rows
from rnn_core.errors import DataError

_SHOWN = 80
_DELIMITERS = ",;\t|"
_NUMBER = r"^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"


def rows(
    blocks: Iterator[bytes], config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> Iterator[Rows]:
    """blocks: of UTF-8, without a byte order mark. Fields may be quoted; then they may hold ends of lines.
    notify:  called with what a person should know: a header that may have been a name.

    Arrow's parser reads blocks of whole rows: of a stream, one of its threads might still hold a Python file
    when the process ends. Raises DataError for a missing column, a header without an end, what seems to have
    another delimiter, and a row that is not UTF-8 or too long.
    """
    grammar = _Grammar(config.delimiter, path)
    columns: list[str] | None = None
    places = ColumnPlaces(0, None)
    first = 0 if config.header else 1  # the header is no row
    for data, ends in whole_rows(blocks, grammar.ends, config.max_row_bytes, path, first):
        check_utf8(data, ends, first, "row", path)
        if columns is None:
            columns = grammar.fields(data[: ends[0]], config.header)
            places = _places(columns, config, path, notify)
            if config.header:
                first, data, ends = first + 1, data[ends[0] :], ends[1:] - ends[0]
        if len(ends):
            yield grammar.parsed(data, ends, len(columns), places)
        first += len(ends)


def _places(
    first_row: list[str], config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> ColumnPlaces:
    if config.column is None:
        _check_delimiter(first_row, config.delimiter, path)
    labels = first_row if config.header else [str(number + 1) for number in range(len(first_row))]
    places = column_places(labels, config, path)
    if config.header and config.column is None and not is_default_name(labels[places.names]):
        taken = f"{labels[places.names]!r:.{_SHOWN}}"
        notify(
            f"{path.name!r}: its first row is taken for the header, and {taken} for the column of the names; "
            "if that is a name: header = false; if it is not, say so: column"
        )
    return places


def _check_delimiter(first_row: list[str], delimiter: str, path: Path) -> None:
    if len(first_row) == 1 and set(first_row[0]) & set(_DELIMITERS.replace(delimiter, "")):
        raise column_error(
            "there is one column that looks like several: is the delimiter another one?",
            first_row,
            "save it with commas as .csv, or with tabs as .tsv; or if it is one column, say so: column = 1",
            path,
        )


class _Grammar:
    """Where rows end, as Arrow's parser sees it: a quote that begins a field goes on to its partner."""

    def __init__(self, delimiter: str, path: Path) -> None:
        self._delimiter, self._path = delimiter, path
        d = re.escape(delimiter.encode())
        field = rb'(?:"(?:[^"]++|"")*+"[^%b\r\n]*+|(?!")[^%b\r\n]*+)' % (d, d)
        row = rb"%b(?:%b%b)*+" % (field, d, field)
        self._row = re.compile(rb"(?P<row>%b(?:\r\n|\r(?!\Z)|\n))|[\s\S]++" % row)
        self._last_row = re.compile(rb"%b(?:\r\n|\r|\n)?" % row)

    def ends(self, data: bytes) -> Ends:
        if b'"' not in data:
            return line_ends(data)
        found = (match.end() for match in self._row.finditer(data) if match["row"] is not None)
        return np.fromiter(found, np.int64)

    def fields(self, row: bytes, is_header: bool) -> list[str]:
        """Of one row. Raises DataError for a header with a quote left open: it would be the whole file."""
        most = row.count(self._delimiter.encode()) + 1
        if not self._last_row.fullmatch(row):
            if is_header:
                raise _open_header(self._path, row)
            row += b'"'
        row += b"" if row.endswith((b"\n", b"\r")) else b"\n"  # else Arrow sees no row
        row = BOM_UTF8 + row  # which Arrow drops, and no other
        reading = pa.csv.ReadOptions(autogenerate_column_names=True)
        table = self._table(row, reading, [f"f{place}" for place in range(most)])
        return [table[column][0].as_py() for column in table.column_names]

    def parsed(self, data: bytes, ends: Ends, width: int, places: ColumnPlaces) -> Rows:
        """width: how many fields a row has to have. One that has not comes with the reason, and no value."""
        lines = as_lines(data, ends)
        faults: dict[int, str] = {}  # by place among these rows, from 0
        starts_last = int(ends[-2]) if len(ends) > 1 else 0
        if not self._last_row.fullmatch(data, starts_last):
            faults[len(ends) - 1] = "a quote is left open"
            data = data[:starts_last]

        def ragged(row: pa.csv.InvalidRow) -> str:
            faults[row.number - 2] = f"has {row.actual_columns} fields and not {width}"
            return "skip"

        columns = [str(place) for place in range(width)]
        included = [str(place) for place in places if place is not None]
        # A blank row before all: Arrow would drop a byte order mark there, of which each block may have one.
        data = b"\n" + data
        reading = pa.csv.ReadOptions(column_names=columns, block_size=len(data) + 1)
        table = self._table(data, reading, included, ragged)[1:]
        if len(table) + len(faults) != len(ends):  # a row that is shifted is worse than none
            raise DataError(
                "corpus.damaged",
                "the file cannot be cut into rows for certain",
                where=str(self._path),
                saw=f"{len(ends)} rows, of which Arrow sees {len(table)} and {len(faults)} that are ragged",
                fix="write it anew, as Parquet for instance; and please report it.",
            )
        text = [_spread(table[column].combine_chunks(), faults, len(ends)) for column in included]
        reasons = _reasons(faults, len(ends)) if faults else None
        counts = None
        if places.counts is not None:
            counts, wrong = valid_counts(_numbers(text[-1]))
            reasons = pc.coalesce(reasons, wrong) if faults else wrong
        return Rows(text[0], reasons, counts, BLANK_NAME, partial(without_ends, lines))

    def _table(
        self,
        data: bytes,
        reading: pa.csv.ReadOptions,
        columns: list[str],
        ragged: Callable[[pa.csv.InvalidRow], str] | None = None,
    ) -> pa.Table:
        """Columns of text as it stands: nothing in it means that there is none."""
        reading.use_threads = False  # else Arrow does not number the rows that it skips
        parsing = pa.csv.ParseOptions(
            delimiter=self._delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=ragged,
        )
        types = dict.fromkeys(columns, pa.string())
        included = columns if reading.column_names else None
        converting = pa.csv.ConvertOptions(check_utf8=False, column_types=types, include_columns=included)
        return pa.csv.read_csv(pa.BufferReader(data), reading, parsing, converting)


def _open_header(path: Path, row: bytes) -> DataError:
    return DataError(
        "corpus.damaged",
        "a quote is left open in the header",
        where=str(path),
        saw=repr(row[:_SHOWN]),
        fix="close it, or take it out.",
    )


def _spread(values: pa.StringArray, faults: dict[int, str], count: int) -> pa.StringArray:
    """(count,) the values in their places, and null where there is a fault."""
    if not faults:
        return values
    is_fault = np.zeros(count, bool)
    is_fault[list(faults)] = True
    return values.take(pa.array(np.cumsum(~is_fault) - 1, mask=is_fault))


def _reasons(faults: dict[int, str], count: int) -> pa.StringArray:
    reasons: list[str | None] = [None] * count
    for place, reason in faults.items():
        reasons[place] = reason
    return pa.array(reasons, pa.string())


def _numbers(text: pa.StringArray) -> pa.DoubleArray:
    trimmed = pc.utf8_trim_whitespace(text)
    is_number = pc.match_substring_regex(trimmed, _NUMBER)
    return pc.if_else(is_number, trimmed, pa.scalar(None, pa.string())).cast(pa.float64())
