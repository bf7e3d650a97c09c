"""A generated list as one file, the form in which people ask for it: `elves.csv`.

The file appears whole or not at all. A CSV is made to be opened in a spreadsheet: a cell that the spreadsheet
would run as a formula begins with an apostrophe, which makes it text.

Source: OWASP, "CSV Injection".
"""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from artifacts import atomic_io, exports
from artifacts.documents import file_digest
from artifacts.errors import StoreError
from artifacts.exports import Format
from artifacts.formats import ROWS_PER_GROUP

FORMATS: dict[str, Format] = {f".{format}": format for format in ("parquet", "csv", "jsonl", "txt")}
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"  # the last four are their full-width forms


def file_format(path: Path) -> Format | None:
    """The format of a list in one file, by its suffix; None for a folder."""
    return None if path.is_dir() else FORMATS.get(path.suffix.lower())


def check_free(target: Path, overwrite: bool) -> None:
    """Raise StoreError if there is a file already."""
    if target.exists() and not overwrite:
        raise _exists(target)


def write_list(parts: Sequence[Path], target: Path, *, byte_order_mark: bool, overwrite: bool) -> None:
    """Write the list of these Parquet files to one file, in the format of its suffix.

    byte_order_mark:  for a CSV, so that Excel reads it as UTF-8.
    overwrite:        replace another file; one that is the same already is left as it is.

    Raises StoreError if the file cannot be written, or if there is another.
    """
    format = FORMATS[target.suffix.lower()]
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    with atomic_io.io_errors(target, "write the list"):
        atomic_io.make_folder(target.parent)
        try:
            with pa.OSFile(str(scratch), "wb") as file:
                if byte_order_mark:
                    file.write(_BYTE_ORDER_MARK)
                schema = pq.read_schema(parts[0])
                exports.write_batches(file, _text_schema(schema, format), _batches(parts, format), format)
            if target.exists() and file_digest(target) == file_digest(scratch):
                return
            check_free(target, overwrite)
            atomic_io.sync(scratch)
            scratch.replace(target)
            atomic_io.sync(target.parent)
        finally:
            scratch.unlink(missing_ok=True)


def names(parts: Sequence[Path]) -> Iterator[pa.Buffer]:
    """The names of these Parquet files as text, one per line."""
    for path in parts:
        for rows in _rows(path, exports.ROWS_OF_TEXT, ["name"]):
            yield exports.as_lines(rows["name"])


def _batches(parts: Sequence[Path], format: Format) -> Iterator[pa.RecordBatch]:
    rows = ROWS_PER_GROUP if format == "parquet" else exports.ROWS_OF_TEXT
    for path in parts:
        for batch in _rows(path, rows):
            yield _safe_in_spreadsheets(batch) if format == "csv" else batch


def _rows(path: Path, count: int, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pq.ParquetFile(file, page_checksum_verification=True) as parquet:
        yield from parquet.iter_batches(count, columns=columns)


def _text_schema(schema: pa.Schema, format: Format) -> pa.Schema:
    return pa.schema([_as_text(field) for field in schema]) if format == "csv" else schema


def _as_text(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field


def _safe_in_spreadsheets(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows, with an apostrophe before every text that a spreadsheet would run as a formula."""
    columns = []
    for field, column in zip(rows.schema, rows.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            column = column.cast(pa.string())
        if pa.types.is_string(column.type):
            runs = pc.match_substring_regex(column, _FORMULA)
            column = pc.if_else(runs, pc.binary_join_element_wise("'", column, ""), column)
        columns.append(column)
    return pa.record_batch(columns, schema=_text_schema(rows.schema, "csv"))


def _exists(target: Path) -> StoreError:
    return StoreError(
        "list.another",
        "there is another file of this name",
        where=str(target),
        fix="choose another name, or overwrite that file.",
    )
