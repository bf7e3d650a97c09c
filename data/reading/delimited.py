"""CSV, TSV and other tables in text."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.conditions import matching_rows
from data.config import CorpusConfig
from data.reading.columns import (
    ColumnPlaces,
    column_error,
    column_places,
    is_default_name,
    notify_of_unused_counts,
    valid_counts,
)
from data.reading.counts import Numbers
from data.reading.encodings import check_utf8
from data.reading.kinds import as_option, delimiter_of
from data.reading.lines import without_ends
from data.reading.rows import BLANK_NAME, Ends, Rows, as_lines, line_ends, whole_rows
from rnn_core.errors import DataError

_SHOWN = 80
_SEP_LINE = re.compile(rb"sep=([^\r\n\"])(?:\r\n|\r|\n)", re.IGNORECASE)
_RAGGED = 0.8  # share of the first rows that shows that the first one is no header


def rows(
    blocks: Iterator[bytes], config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> Iterator[Rows]:
    """The rows of a table in text.

    blocks:  of UTF-8, without a byte order mark. Fields may be quoted; then they may hold line ends.
    notify:  called with what a person should know: a header that may have been a name.

    Arrow's parser reads blocks of whole rows: of a stream, one of its threads might still hold a Python file
    when the process ends. Raises DataError for a missing column, a quote that swallows rows, counts that need
    an option to be read, what seems to have another delimiter, and a row that is not UTF-8 or too long.
    """
    blocks, delimiter = _without_sep_line(blocks, config)
    if delimiter == " ":
        blocks = _squeezed(blocks)
    grammar = _Grammar(delimiter, config.quoting, path)
    numbers = Numbers(config, path)
    columns: list[str] | None = None
    places = ColumnPlaces(0, None)
    first = 0 if config.header else 1  # the header is no row
    for data, ends in whole_rows(blocks, grammar.ends, config.max_row_bytes, path, first):
        check_utf8(data, ends, first, "row", path)
        if columns is None:
            columns = grammar.fields(data[: ends[0]], config.header)
            grammar.check_row(data[: ends[0]], len(columns), first)
            places = _places(columns, delimiter, config, path, notify)
            if config.header:
                first, data, ends = first + 1, data[ends[0] :], ends[1:] - ends[0]
        if len(ends):
            yield _as_rows(grammar, data, ends, columns, places, first, config, numbers)
        first += len(ends)
    numbers.check_not_ambiguous()


def _without_sep_line(blocks: Iterator[bytes], config: CorpusConfig) -> tuple[Iterator[bytes], str]:
    """The blocks without a first line `sep=;`, as spreadsheets write it, and the delimiter."""
    first = next(blocks, b"")
    sep_line = _SEP_LINE.match(first)
    if sep_line:
        first = first[sep_line.end() :]
    delimiter = config.delimiter or (sep_line[1].decode(errors="replace") if sep_line else None)
    return chain([first], blocks), delimiter or config.field_delimiter


def _squeezed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """With one space for each run of spaces, and none at the ends of a line."""
    left, at_start = b"", True
    for block in blocks:
        data = left + block
        kept = data.rstrip(b" ")
        left = b" " if len(kept) < len(data) else b""
        kept = re.sub(rb" *([\r\n]) *", rb"\1", kept)
        kept = re.sub(rb"  +", b" ", kept.lstrip(b" ") if at_start else kept)
        if kept:
            yield kept
            at_start = kept[-1] in b"\r\n"


def _places(
    first_row: list[str], delimiter: str, config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> ColumnPlaces:
    if not isinstance(config.column, int) and config.column not in first_row:
        _check_delimiter(first_row, delimiter, path)
    labels = first_row if config.header else [str(number + 1) for number in range(len(first_row))]
    places = column_places(labels, config, path)
    if config.header:
        notify_of_unused_counts(labels, places, config, path, notify)
    if config.header and not isinstance(config.column, str) and not is_default_name(labels[places.names]):
        label = f"{labels[places.names]!r:.{_SHOWN}}"
        notify(
            f"{path.name!r}: the first row is read as the header, and {label} as the column of the names; "
            "if it is a name: header = false; if it is not, name it: column"
        )
    return places


def _check_delimiter(first_row: list[str], delimiter: str, path: Path) -> None:
    if len(first_row) == 1 and (other := delimiter_of(first_row[0], delimiter)):
        raise column_error(
            "there is one column that looks like several: is the delimiter another one?",
            first_row,
            f"name it: {as_option(other)}; or if it is one column: column = 1",
            path,
        )


class _Grammar:
    """Where rows end, as Arrow's parser sees it: a quote that begins a field goes on to its partner."""

    def __init__(self, delimiter: str, quoting: bool, path: Path) -> None:
        self._delimiter, self._quoting, self.path = delimiter, quoting, path
        d = re.escape(delimiter.encode())
        field = rb'(?:"(?:[^"]++|"")*+"[^%b\r\n]*+|(?!")[^%b\r\n]*+)' % (d, d)
        # Not `*+`: around possessive parts, Python 3.11.2 takes a row with an open quote for a whole one.
        row = rb"%b(?:%b%b)*" % (field, d, field)
        self._row = re.compile(rb"(?P<row>%b(?:\r\n|\r(?!\Z)|\n))|[\s\S]++" % row)
        self._last_row = re.compile(rb"%b(?:\r\n|\r|\n)?" % row)

    def ends(self, data: bytes) -> Ends:
        """The ends of the rows that are certain, whatever follows."""
        if not self._quoting or b'"' not in data:
            return line_ends(data)
        return np.fromiter(
            (row.end() for row in self._row.finditer(data) if row["row"] is not None), np.int64
        )

    def fields(self, row: bytes, is_header: bool) -> list[str]:
        """The fields of one row. Raises DataError for a header with an open quote."""
        most = row.count(self._delimiter.encode()) + 1
        if self._quoting and not self._last_row.fullmatch(row):
            if is_header:
                raise _open_header(self.path, row)
            row += b'"'
        row += b"" if row.endswith((b"\n", b"\r")) else b"\n"  # else Arrow sees no row
        row = BOM_UTF8 + row  # which Arrow drops, and no other
        reading = pa.csv.ReadOptions(autogenerate_column_names=True)
        table = self._table(row, reading, [f"f{place}" for place in range(most)])
        return [table[column][0].as_py() for column in table.column_names]

    def check_row(self, row: bytes, width: int, number: int) -> None:
        """Raise DataError if a row of several lines looks like several rows: a quote then swallowed them.

        width:  how many fields a row has.
        """
        lines = row.splitlines()
        others = sum(line.count(self._delimiter.encode()) == width - 1 for line in lines)
        if others >= max(2, len(lines) / 2) and (width > 1 or len(lines) > 2):
            raise DataError(
                "corpus.format",
                f"row {number:,} spans {len(lines):,} lines that look like rows: a quote is left open",
                where=f"{self.path}, row {number:,}",
                saw=repr(lines[0][:_SHOWN]),
                fix="if quotes are characters here: quoting = false; else close it.",
            )

    def _check_rows_of_several_lines(self, data: bytes, ends: Ends, width: int, first: int) -> None:
        if self._quoting and b'"' in data:
            lines_before = np.searchsorted(line_ends(data + b"\n"), ends, side="right")
            for place in np.flatnonzero(np.diff(lines_before, prepend=0) > 1).tolist():
                start = int(ends[place - 1]) if place else 0
                self.check_row(data[start : ends[place]], width, first + place)

    def columns(
        self, data: bytes, ends: Ends, width: int, included: Sequence[int], first: int
    ) -> tuple[list[pa.StringArray], dict[int, str]]:
        """Some columns of the rows, and by place from 0 the rows that have no values, with the reason.

        width:  how many fields a row has to have.
        first:  number of the first row, for messages.
        """
        self._check_rows_of_several_lines(data, ends, width, first)
        faults: dict[int, str] = {}
        starts_last = int(ends[-2]) if len(ends) > 1 else 0
        if self._quoting and not self._last_row.fullmatch(data, starts_last):
            faults[len(ends) - 1] = "a quote is left open"
            data = data[:starts_last]

        def ragged(row: pa.csv.InvalidRow) -> str:
            faults[row.number - 2] = f"has {row.actual_columns} fields and not {width}"
            return "skip"

        columns = [str(place) for place in range(width)]
        read = [str(place) for place in dict.fromkeys(included)]
        # A blank row before all: Arrow would drop a byte order mark there, of which each block may have one.
        data = b"\n" + data
        reading = pa.csv.ReadOptions(column_names=columns, block_size=len(data) + 1)
        table = self._table(data, reading, read, ragged)[1:]
        if len(table) + len(faults) != len(ends):  # a row that is shifted is worse than none
            raise DataError(
                "corpus.damaged",
                "the file cannot be cut into rows with certainty",
                where=str(self.path),
                saw=f"{len(ends)} rows, of which Arrow sees {len(table)} and {len(faults)} ragged ones",
                fix="write it anew, as Parquet for instance; and please report it.",
            )
        text = {column: _spread(table[column].combine_chunks(), faults, len(ends)) for column in read}
        return [text[str(place)] for place in included], faults

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
            quote_char='"' if self._quoting else False,
            newlines_in_values=self._quoting,
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
        fix="close it; or if quotes are characters here: quoting = false.",
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


def _as_rows(
    grammar: _Grammar,
    data: bytes,
    ends: Ends,
    columns: Sequence[str],
    places: ColumnPlaces,
    first: int,
    config: CorpusConfig,
    numbers: Numbers,
) -> Rows:
    included = [places.names, *([] if places.counts is None else [places.counts]), *places.conditions]
    text, faults = grammar.columns(data, ends, len(columns), included, first)
    ragged = sum(reason.startswith("has ") for reason in faults.values())
    if first == 1 and len(ends) > 2 and ragged >= _RAGGED * len(ends):
        raise column_error(
            "the first row has another number of fields than most rows",
            columns,
            "skip the lines before the table: skip_rows = 1, or as many as there are",
            grammar.path,
        )
    reasons = _reasons(faults, len(ends)) if faults else None
    counts = None
    if places.counts is not None:
        counts, wrong = valid_counts(numbers.numbers(text[1], first))
        reasons = pc.coalesce(reasons, wrong) if faults else wrong
    filtered = text[len(text) - len(places.conditions) :]
    selected = matching_rows(filtered, config.conditions) if config.conditions else None
    return Rows(text[0], reasons, counts, BLANK_NAME, partial(without_ends, as_lines(data, ends)), selected)
