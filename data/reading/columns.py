"""Which column of a table holds the names, and which the counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from rnn_core.errors import DataError

_USUAL = "name"
_LEAST, _MOST = 1e-15, 1e15  # a count beyond is none; times a weight it would be 0 or no number
_SAY_WHICH = "say which, by name or by number: column = 2, for instance"


class ColumnPlaces(NamedTuple):
    """Places among the columns, from 0."""

    names: int
    counts: int | None


def column_places(columns: Sequence[str], config: CorpusConfig, path: Path) -> ColumnPlaces:
    """columns: the names of all there are.

    Raises DataError, with them, if one is missing or stands twice, or if names and counts are to be one.
    """
    count = None if config.counts is None else _place(columns, config.counts, "counts", path)
    if config.column is not None:
        names = _place(columns, config.column, "column", path)
        if names == count:
            raise column_error("names and counts are to be one column", columns, _SAY_WHICH, path)
        return ColumnPlaces(names, count)
    others = [place for place in range(len(columns)) if place != count]
    usual = [place for place in others if is_default_name(columns[place])]
    for candidates in (others, usual):
        if len(candidates) == 1:
            return ColumnPlaces(candidates[0], count)
    raise column_error("it is not said which column holds the names", columns, _SAY_WHICH, path)


def is_default_name(column: str) -> bool:
    """Whether a column that is called so holds the names, where nothing else is said."""
    return column.strip().casefold() == _USUAL


def column_error(what: str, columns: Sequence[str], fix: str, path: Path) -> DataError:
    """columns: the names of all there are."""
    shown = ", ".join(f"{column!r:.80}" for column in columns[:20])
    saw = f"{shown}{', ...' if len(columns) > 20 else ''}"
    return DataError("corpus.column", what, where=str(path), saw=f"columns: {saw}", fix=f"{fix}.")


def column_type_error(column: str, kind: str, expected: str, path: Path) -> DataError:
    return DataError(
        "corpus.column_type",
        f"the column {column!r} holds no {expected}",
        where=str(path),
        saw=f"its type is {kind}",
        fix=f"name another column, or write it anew as {expected}.",
    )


def valid_counts(values: pa.Array) -> tuple[pa.DoubleArray, pa.StringArray]:
    """values: numbers, null where there is none. The counts, and a reason where one is no count."""
    counts = values.cast(pa.float64(), safe=False)
    is_count = pc.fill_null(pc.and_(pc.greater_equal(counts, _LEAST), pc.less_equal(counts, _MOST)), False)
    reasons = pc.if_else(is_count, pa.scalar(None, pa.string()), "the count is no number above 0")
    return pc.if_else(is_count, counts, 1.0), reasons


def _place(columns: Sequence[str], wanted: str | int, knob: str, path: Path) -> int:
    if isinstance(wanted, int):
        if wanted <= len(columns):
            return wanted - 1
        raise column_error(f"there is no column {wanted}", columns, f"change the source's {knob}", path)
    places = [place for place, column in enumerate(columns) if column == wanted]
    if len(places) == 1:
        return places[0]
    what = f"two columns are called {wanted!r}" if places else f"there is no column {wanted!r}"
    raise column_error(what, columns, f"change the source's {knob}, or give the column's number", path)
