"""The columns of a table that hold the names, the counts and what a row filter asks for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from rnn_core.errors import DataError

_DEFAULT = "name"
_LEAST, _MOST = 1e-15, 1e15  # beyond, a count times a weight would be 0 or infinite
# What people call a column of names, and one of counts, the likeliest first.
NAME_COLUMNS = (
    *("name", "names", "first_name", "firstname", "forename", "given_name", "surname", "last_name"),
    *("lastname", "nombre", "nom", "prenom", "vorname"),
)
COUNT_COLUMNS = (
    *("count", "counts", "births", "n", "number", "frequency", "freq", "nombre", "total", "occurrences"),
    *("anzahl", "cantidad", "weight"),
)


class ColumnPlaces(NamedTuple):
    """Places among the columns, from 0; of the row filter one for each condition."""

    names: int
    counts: int | None
    conditions: tuple[int, ...] = ()


def column_places(columns: Sequence[str], config: CorpusConfig, path: Path) -> ColumnPlaces:
    """The places of the columns that the configuration asks for.

    columns:  the names of all columns.

    Raises DataError, listing them, if one is missing or ambiguous, or if names and counts are one column.
    """
    count = None if config.counts is None else _place(columns, config.counts, "counts", path)
    filtered = tuple(_place(columns, condition.column, "where", path) for condition in config.conditions)
    if config.column is not None:
        names = _place(columns, config.column, "column", path)
        if names == count:
            raise column_error("names and counts are the same column", columns, _name_it(config), path)
        return ColumnPlaces(names, count, filtered)
    others = [place for place in range(len(columns)) if place != count]
    by_name = [place for place in others if is_default_name(columns[place])]
    for candidates in (others, by_name):
        if len(candidates) == 1:
            return ColumnPlaces(candidates[0], count, filtered)
    raise column_error("it is not known which column holds the names", columns, _name_it(config), path)


def notify_of_unused_counts(
    columns: Sequence[str],
    places: ColumnPlaces,
    config: CorpusConfig,
    path: Path,
    notify: Callable[[str], None],
) -> None:
    """Say it if a column is called as counts are and is not read: each name then counts once."""
    used = {places.names, *places.conditions}
    unused = [
        column
        for place, column in enumerate(columns)
        if place not in used and column_word(column) in COUNT_COLUMNS
    ]
    if unused and config.counts is None:
        notify(
            f"{path.name!r}: the column {unused[0]!r} is not read, so that every name counts once; "
            f'if it says how often: counts = "{unused[0]}"'
        )


def column_word(label: str) -> str:
    """The label of a column as it stands in `NAME_COLUMNS` and `COUNT_COLUMNS`."""
    return label.strip().casefold().replace(" ", "_")


def is_default_name(column: str) -> bool:
    """Whether a column of this name holds the names by default."""
    return column.strip().casefold() == _DEFAULT


def column_error(what: str, columns: Sequence[str], fix: str, path: Path) -> DataError:
    """The error of a column that is missing or ambiguous, listing the columns there are."""
    shown = ", ".join(f"{column!r:.80}" for column in columns[:20])
    saw = f"{shown}{', ...' if len(columns) > 20 else ''}"
    return DataError("corpus.column", what, where=str(path), saw=f"columns: {saw}", fix=f"{fix}.")


def column_type_error(column: str, kind: str, expected: str, path: Path) -> DataError:
    """The error of a column that holds values of another type."""
    return DataError(
        "corpus.column_type",
        f"the column {column!r} does not hold {expected}",
        where=str(path),
        saw=f"its type is {kind}",
        fix=f"name another column, or write it anew as {expected}.",
    )


def valid_counts(values: pa.Array) -> tuple[pa.DoubleArray, pa.StringArray]:
    """The counts, and the reason where a value is not a valid one.

    values:  numbers, null where there is none.
    """
    counts = values.cast(pa.float64(), safe=False)
    is_count = pc.fill_null(pc.and_(pc.greater_equal(counts, _LEAST), pc.less_equal(counts, _MOST)), False)
    reasons = pc.if_else(is_count, pa.scalar(None, pa.string()), "the count must be a positive number")
    return pc.if_else(is_count, counts, 1.0), reasons


def _name_it(config: CorpusConfig) -> str:
    fix = "name it, or give its number: column = 1, for instance"
    is_first_row = config.header and config.format in ("csv", "tsv")
    return f"{fix}; header = false, if the first line is a name" if is_first_row else fix


def _place(columns: Sequence[str], column: str | int, option: str, path: Path) -> int:
    if isinstance(column, int):
        if 1 <= column <= len(columns):
            return column - 1
        raise column_error(f"there is no column {column}", columns, f"change the source's {option}", path)
    places = [place for place, name in enumerate(columns) if name == column]
    if len(places) == 1:
        return places[0]
    what = f"two columns are named {column!r}" if places else f"there is no column {column!r}"
    raise column_error(what, columns, f"change the source's {option}, or give the column's number", path)
