"""JSON and JSON Lines: a list of texts, or a field of objects."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.conditions import matching_rows
from data.config import CorpusConfig
from data.reading.columns import (
    ColumnPlaces,
    column_error,
    column_places,
    notify_of_unused_counts,
    valid_counts,
)
from data.reading.counts import Numbers
from data.reading.rows import BLANK_LINE, BLANK_NAME, Rows, as_lines, line_ends, whole_rows
from rnn_core.errors import DataError

_ROWS = 1 << 16  # handed on at once
_BLANK = object()  # a line of JSON Lines without a value
_SHOWN = 80
_SHAPES = "a list of texts, or of objects with a field for the names"


def rows(
    blocks: Iterator[bytes], config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> Iterator[Rows]:
    """The rows of a JSON file: the items of its list, or of JSON Lines, one value per line.

    blocks:  of UTF-8, without a byte order mark. JSON is held in memory as a whole; JSON Lines are not.

    Items are texts, or objects with a field `column`. An object around the list is asked for it by `column`.

    Raises DataError for what is not JSON, and for a missing field.
    """
    places: list[str] | None = None
    parts = _lines(blocks, config, path) if config.format == "jsonl" else _items(blocks, config, path)
    numbers, first = Numbers(config, path), 1
    for items in parts:
        objects = [item for item in items if isinstance(item, dict)]
        if objects and places is None:
            places = _fields(objects[0], config, path, notify)
        yield _as_rows(items, places, config, numbers, first)
        first += len(items)
    numbers.check_not_ambiguous()


def _items(blocks: Iterator[bytes], config: CorpusConfig, path: Path) -> Iterator[list[Any]]:
    document = _parsed(b"".join(blocks), path, "")
    if isinstance(document, dict):
        lists = [field for field, value in document.items() if isinstance(value, list)]
        if len(lists) == 1 and any(isinstance(item, dict) for item in document[lists[0]]):
            yield from _cut(document[lists[0]])
            return
        if config.column not in lists:
            what = f"JSON: {'it is not known which' if lists else 'no'} field holds the list"
            fix = f'name it: column = "{lists[0]}"' if lists else f"write it anew, as {_SHAPES}"
            raise column_error(what, lists or list(document), fix, path)
        document = document[config.column]
        if any(isinstance(item, dict) for item in document):
            raise column_error(
                "JSON: the items of the list are objects",
                list(next(item for item in document if isinstance(item, dict))),
                "write that list to a file of its own",
                path,
            )
    if not isinstance(document, list):
        raise _json_error("the file holds a single value", path, repr(document)[:_SHOWN])
    yield from _cut(document)


def _cut(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + _ROWS] for start in range(0, len(items), _ROWS))


def _lines(blocks: Iterator[bytes], config: CorpusConfig, path: Path) -> Iterator[list[Any]]:
    first = 1
    for data, ends in whole_rows(blocks, line_ends, config.max_row_bytes, path):
        lines = as_lines(data, ends).cast(pa.binary()).to_pylist()
        yield [
            _parsed(line, path, f", line {number:,}") if line.strip() else _BLANK
            for number, line in enumerate(lines, start=first)
        ]
        first += len(ends)


def _parsed(text: bytes, path: Path, place: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise _json_error("the file is nested too deeply", path, "") from None
    except ValueError as fault:  # UnicodeDecodeError is one
        raise _json_error("the file is not valid JSON", path, str(fault), place, _fix(text, place)) from fault


def _fix(text: bytes, place: str) -> str:
    """What to do about JSON in the place of JSON Lines, or the other way round."""
    if place:
        is_json = text.strip() in (b"[", b"{")
        return 'if it is one document: format = "json".' if is_json else ""
    try:
        json.loads(text.splitlines()[0])
    except (ValueError, IndexError):
        return ""
    return 'if every line is a value of its own: format = "jsonl".'


def _fields(
    example: dict[str, Any], config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> list[str]:
    """The fields of names, counts and conditions; of an object without counts, names stand in their place."""
    labels = list(example)
    places: ColumnPlaces = column_places(labels, config, path)
    notify_of_unused_counts(labels, places, config, path, notify)
    counts = places.names if places.counts is None else places.counts
    return [labels[place] for place in (places.names, counts, *places.conditions)]


def _as_rows(
    items: list[Any], places: list[str] | None, config: CorpusConfig, numbers: Numbers, first: int
) -> Rows:
    table = [
        [item.get(field) for field in places] if isinstance(item, dict) and places else [item]
        for item in items
    ]
    names = [row[0] if _is_text(row[0]) else None for row in table]
    reasons: list[str | None] = [
        BLANK_LINE if row[0] is _BLANK else None if row[0] is None or _is_text(row[0]) else "not a text"
        for row in table
    ]
    all_reasons = pa.array(reasons, pa.string()) if any(reasons) else None
    counts = None
    if config.counts is not None:
        counts, wrong = valid_counts(numbers.numbers(_column(table, 1), first))
        all_reasons = wrong if all_reasons is None else pc.coalesce(all_reasons, wrong)
    columns = [_column(table, 2 + place) for place in range(len(config.conditions))]
    selected = matching_rows(columns, config.conditions) if columns else None
    return Rows(pa.array(names, pa.string()), all_reasons, counts, BLANK_NAME, partial(_raw, items), selected)


def _is_text(value: object) -> bool:
    """Lone surrogates, which JSON can hold as escapes, are no text."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _column(table: list[list[Any]], place: int) -> pa.StringArray:
    """A field of all items as text; null where there is none."""
    return pa.array([_text(row[place : place + 1]) for row in table], pa.string())


def _text(values: list[Any]) -> str | None:
    value = values[0] if values else None
    return value if value is None or _is_text(value) else json.dumps(value)


def _raw(items: list[Any], chosen: pa.BooleanArray) -> pa.BinaryArray:
    picked = [item for item, is_chosen in zip(items, chosen.to_pylist(), strict=True) if is_chosen]
    return pa.array(
        [
            b"" if item is _BLANK else json.dumps(item, ensure_ascii=False).encode(errors="replace")
            for item in picked
        ],
        pa.binary(),
    )


def _json_error(what: str, path: Path, saw: str, place: str = "", fix: str = "") -> DataError:
    return DataError(
        "corpus.damaged",
        what,
        where=f"{path}{place}",
        saw=saw,
        fix=fix or f"write it anew, as {_SHAPES}; or say what it is: format.",
    )
