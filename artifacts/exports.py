"""The files of a generated list: Parquet, CSV, JSON Lines, or plain text with one name a line.

The bytes depend on the rows and not on how they are chunked; text is made a chunk at a time.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from artifacts.formats import ROWS_PER_GROUP, parquet_writer

Format = Literal["parquet", "csv", "jsonl", "txt"]

ROWS_OF_TEXT = 1 << 16
_TO_BE_ESCAPED = r'["\\\x00-\x1f]'  # in a string of JSON (RFC 8259, section 7)
_ESCAPES = {"\\": r"\\", '"': r"\""} | {chr(code): rf"\u{code:04x}" for code in range(0x20)}


def write(path: Path, table: pa.Table, format: Format, metadata: Mapping[str, str]) -> None:
    """Write a table to one file.

    table:     columns of numbers, booleans and text (also as a dictionary); for txt one of them is `name`.
    metadata:  added to the schema's own in a Parquet file; text has no place for it.

    Raises OSError if the file cannot be written, and KeyError for txt without a column `name`.
    """
    own = {key.encode(): value.encode() for key, value in metadata.items()}
    schema = table.schema.with_metadata({**(table.schema.metadata or {}), **own})
    rows = ROWS_PER_GROUP if format == "parquet" else ROWS_OF_TEXT
    with pa.OSFile(str(path), "wb") as file:
        write_batches(file, schema, _cut(table, rows), format)


def write_batches(
    file: pa.NativeFile, schema: pa.Schema, batches: Iterable[pa.RecordBatch], format: Format
) -> None:
    """Write rows to an open file; in Parquet, each batch is a row group. Raises as `write` does."""
    match format:
        case "parquet":
            with parquet_writer(file, schema) as parquet:
                for rows in batches:
                    parquet.write_batch(rows)
        case "csv":
            with pyarrow.csv.CSVWriter(file, schema) as csv:
                for rows in batches:
                    csv.write_batch(rows)
        case "jsonl":
            for rows in batches:
                file.write(_joined(_json_lines(rows)))
        case "txt":
            for rows in batches:
                file.write(as_lines(rows["name"]))


def as_lines(names: pa.StringArray) -> pa.Buffer:
    """Text with one name a line."""
    return _joined(pc.binary_join_element_wise(names, "\n", ""))


def _cut(table: pa.Table, rows: int) -> Iterator[pa.RecordBatch]:
    """Batches of so many rows each, however the table is chunked."""
    for start in range(0, table.num_rows, rows):
        yield from table.slice(start, rows).combine_chunks().to_batches()


def _json_lines(rows: pa.RecordBatch) -> pa.StringArray:
    """A JSON object and a line end for every row; Arrow reads such lines and cannot write them."""
    parts: list[pa.Array | str] = []
    for number, (name, column) in enumerate(zip(rows.schema.names, rows.columns, strict=True)):
        parts += ["," if number else "{", f"{json.dumps(name)}:", _json_values(column)]
    return pc.binary_join_element_wise(*parts, "}\n", "", null_handling="replace", null_replacement="null")


def _json_values(column: pa.Array) -> pa.StringArray:
    """The values as JSON; null for nulls and for numbers that JSON cannot express."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type):
        return pc.binary_join_element_wise('"', _escaped(column), '"', "")
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
    return column.cast(pa.string())


def _escaped(text: pa.StringArray) -> pa.StringArray:
    if pc.any(pc.match_substring_regex(text, _TO_BE_ESCAPED)).as_py():  # names rarely ask for it
        for character, escape in _ESCAPES.items():
            text = pc.replace_substring(text, character, escape)
    return text


def _joined(lines: pa.StringArray) -> pa.Buffer:
    """The bytes of all lines, one after the other."""
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    return pc.binary_join(whole, "")[0].as_buffer()
