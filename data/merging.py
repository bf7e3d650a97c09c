"""Several corpora as one table, in the order in which the sources are named."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.config import MergingConfig
from data.text.equal_names import first_rows
from data.text.spelling import fold_white_space, to_nfc
from data.text.strings import check_fits_one_array

DROPPED = "duplicate of an earlier name"
COUNTED = "duplicate of an earlier name, counted in its weight"

_ROWS: Final = 1 << 17  # that are looked at together: what is made of them stays in the cache


class MergeResult(NamedTuple):
    """The rows that go on, those that do not with the reason, both in parts, and what was done, by source."""

    names: Iterator[pa.Table]
    rejected: Iterator[pa.Table]
    sources: dict[str, dict[str, Any]]


def merge(corpora: Sequence[pa.Table], config: MergingConfig) -> MergeResult:
    """All rows of all corpora, source after source, line after line.

    Raises DataError for more than 2 GiB of names: from here on they stand in one array now and then.
    """
    read = pa.concat_tables(corpora).unify_dictionaries()
    check_fits_one_array(read["name"])
    read = read.set_column(0, "name", _spelled(read["name"], config))
    first = first_rows(read["name"])
    repeats = first != np.arange(len(first))
    left_out = np.zeros_like(repeats) if config.duplicates == "keep" else repeats
    source = _codes(read["source"])
    before = _numbers(read["weight"])
    after: npt.NDArray[np.float64] = before
    if config.duplicates == "count":
        after = np.bincount(first, before, len(first)).astype(np.float64)  # no rows are counted as integers
    if config.balance == "equal":
        after = _balanced(after, source, ~left_out)
    if after is not before:
        read = read.set_column(read.schema.get_field_index("weight"), "weight", pa.array(after))
    account = _Account(source, first, left_out, before, after)
    reason = COUNTED if config.duplicates == "count" else DROPPED
    rejected = _rejected(read, left_out, reason)
    return MergeResult(_parts(read, ~left_out), rejected, account.by_source(_sources(read)))


def _parts(table: pa.Table, chosen: npt.NDArray[np.bool_]) -> Iterator[pa.Table]:
    """Its chosen rows. No second table of all of them is made: memory that was never used is slow to get."""
    for begin in range(0, max(len(table), 1), _ROWS):
        yield table.slice(begin, _ROWS).filter(pa.array(chosen[begin : begin + _ROWS]))


def _rejected(read: pa.Table, left_out: npt.NDArray[np.bool_], reason: str) -> Iterator[pa.Table]:
    for part in _parts(read.select(["source", "file", "line", "name"]), left_out):
        yield part.append_column("reason", pa.repeat(pa.scalar(reason), len(part)))


class _Account(NamedTuple):
    """(N,) each, of all rows read: source as a number, row of the first equal name, weights."""

    source: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    left_out: npt.NDArray[np.bool_]
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    def by_source(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        figures = self._figures(0, len(names))
        for begin in range(_ROWS, len(self.first), _ROWS):
            for figure, of_sources in self._figures(begin, len(names)).items():
                figures[figure] += of_sources
        return {
            name: {figure: of_sources[place].item() for figure, of_sources in figures.items()}
            for place, name in enumerate(names)
        }

    def _figures(self, begin: int, sources: int) -> dict[str, npt.NDArray[Any]]:
        """Of some rows, by the number of the source."""
        some = slice(begin, begin + _ROWS)
        source, first, left_out = self.source[some], self.first[some], self.left_out[some]
        repeats = first != np.arange(begin, begin + len(first))
        within = repeats & (source == self.source[first])

        def rows(which: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
            return np.bincount(source[which], minlength=sources)

        return {
            "rows_read": np.bincount(source, minlength=sources),
            "rows": rows(~left_out),
            "weight_read": np.bincount(source, self.before[some], sources),
            "weight": np.bincount(source, np.where(left_out, 0.0, self.after[some]), sources),
            "duplicates_within": rows(within),
            "duplicates_of_earlier_sources": rows(repeats & ~within),
        }


def _balanced(
    weight: npt.NDArray[np.float64], source: npt.NDArray[np.int32], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Weights that sum to the same in every source that has rows; their sum over all stays as it was."""
    totals = np.bincount(source, np.where(kept, weight, 0.0))
    share = totals.sum() / max(np.count_nonzero(totals), 1)
    factors = np.divide(share, totals, out=np.ones(len(totals)), where=totals > 0)
    balanced: npt.NDArray[np.float64] = weight * factors[source]
    return balanced


def _spelled(names: pa.ChunkedArray, config: MergingConfig) -> pa.ChunkedArray:
    names = fold_white_space(names) if config.white_space == "fold" else names
    return to_nfc(names) if config.normalisation == "NFC" else names


def _sources(table: pa.Table) -> list[str]:
    column = table["source"]
    return list(column.chunk(0).dictionary.to_pylist()) if column.num_chunks else []


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in column.chunks)])


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *(chunk.to_numpy() for chunk in column.chunks)])
