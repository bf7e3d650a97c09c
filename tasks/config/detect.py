"""What a list looks like: the options that read it, found from its first rows, for `namewright init`."""

import csv
import io
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from data.config import FileFormat
from data.reading.columns import COUNT_COLUMNS, NAME_COLUMNS, column_word
from data.reading.content import errors_at_origin, unreadable_error
from rnn_core.errors import DataError
from tasks.config.sources import Source

_BYTES = 1 << 18  # of the beginning
_ENCODINGS = ("utf-8-sig", "cp1252")


def detect(source: Source) -> tuple[Source, str]:
    """The source with its columns, and a line on all columns that it has; empty for a list without columns.

    Raises DataError if the file is missing or cannot be read.
    """
    files = source.files
    path = files[0].local()
    with errors_at_origin(files[0], path):
        return _detect(source, source.reading_of(files).format, path)


def _detect(source: Source, format: FileFormat, path: Path) -> tuple[Source, str]:
    try:
        if format == "text" and _table_delimiter(path):
            source, format = replace(source, format="csv"), "csv"
        elif format not in ("csv", "tsv", "parquet", "feather"):
            return source, ""
        if format in ("parquet", "feather"):
            schema = pq.read_schema(path) if format == "parquet" else pyarrow.feather.read_table(path).schema
            numeric = [
                pa.types.is_integer(field.type) or pa.types.is_floating(field.type) for field in schema
            ]
            return _with_columns(source, schema.names, numeric, [0] * len(numeric)), _line(schema.names)
        rows, options = _rows(path, "\t" if format == "tsv" else ",")
    except OSError as refusal:
        raise unreadable_error(path, refusal) from refusal
    except pa.ArrowException as fault:
        raise DataError(
            "corpus.damaged",
            "the file cannot be read",
            where=str(path),
            saw=str(fault),
            fix="check the file.",
        ) from fault
    known = {option.name for option in fields(Source)}
    readable: dict[str, Any] = {name: value for name, value in options.items() if name in known}
    source, width = replace(source, **readable), len(rows[0])
    columns = [[row[place] for row in rows[1:] if place < len(row)] for place in range(width)]
    numeric = [bool(column) and all(map(_is_number, column)) for column in columns]
    if any(map(_is_number, rows[0])):  # it would be words above numbers
        return _without_header(source, rows, numeric), _line([str(number) for number in range(1, width + 1)])
    separated = f"\nseparated by {options['delimiter']!r}" if "delimiter" in options else ""
    different = [len(set(column)) for column in columns]
    return _with_columns(source, rows[0], numeric, different), _line(rows[0]) + separated


def _table_delimiter(path: Path) -> str:
    """What separates the columns of a text in which every line has as many of it; empty for a list."""
    lines = [line for line in _beginning(path)[0] if line]
    for mark, fewest in (("\t", 1), (";", 1), ("|", 1), (",", 2)):  # "Smith, John" is a name
        counts = {line.count(mark) for line in lines}
        if len(counts) == 1 and counts.pop() >= fewest:
            return mark
    return ""


def _rows(path: Path, delimiter: str) -> tuple[list[list[str]], dict[str, str]]:
    """The first rows of a table, and the options besides its columns."""
    lines, encoding = _beginning(path)
    found = max(f"{delimiter};\t|", key=lambda mark: (lines or [""])[0].count(mark))
    options = {"encoding": "utf-8" if encoding == "utf-8-sig" else encoding}
    if found != delimiter and lines[0].count(found):
        options["delimiter"] = delimiter = found
    rows = [row for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter) if row]
    if not rows:
        raise DataError("corpus.empty", "the source holds no names", where=str(path), fix="check the file.")
    return rows, options


def _beginning(path: Path) -> tuple[list[str], str]:
    """The first lines of a text, and its encoding."""
    with pa.input_stream(str(path)) as stream:  # decompressed by the file's suffix
        beginning = stream.read(_BYTES)
    for encoding in _ENCODINGS:
        text = beginning.decode(encoding, errors="replace")
        if "\N{REPLACEMENT CHARACTER}" not in text[:-4]:  # but a character that is cut off at the end
            break
    return text.splitlines()[: None if len(beginning) < _BYTES else -1], encoding


def _with_columns(
    source: Source, heads: Sequence[str], numeric: Sequence[bool], different: Sequence[int]
) -> Source:
    """Columns by their heads, and else that of the most different texts."""
    texts = [head for head, is_number in zip(heads, numeric, strict=True) if not is_number]
    numbers = [head for head, is_number in zip(heads, numeric, strict=True) if is_number]
    name = _best(texts, NAME_COLUMNS) or next((head for head in texts if "name" in head.lower()), None)
    name = name or max(texts or heads, key=lambda head: different[heads.index(head)])
    return replace(source, column=name if len(heads) > 1 else None, counts=_best(numbers, COUNT_COLUMNS))


def _without_header(source: Source, rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> Source:
    """Columns by number: that of the most different texts, and the only one of numbers."""
    places = range(len(numeric))
    kinds = {place: len({row[place] for row in rows if place < len(row)}) for place in places}
    texts = [place for place in places if not numeric[place]] or list(places)
    numbers = [place + 1 for place in places if numeric[place]]
    column = max(texts, key=lambda place: kinds[place]) + 1
    return replace(source, header=False, column=column, counts=numbers[0] if len(numbers) == 1 else None)


def _best(heads: Sequence[str], words: Sequence[str]) -> str | None:
    """The head that is the earliest of the words."""
    known = [head for head in heads if column_word(head) in words]
    return min(known, key=lambda head: words.index(column_word(head)), default=None)


def _is_number(cell: str) -> bool:
    return cell.strip().replace(".", "", 1).replace(",", "").lstrip("-").isdigit()


def _line(heads: Sequence[str]) -> str:
    return f"columns of the file: {', '.join(heads)}"
