"""Merging: the lists of several sources as one table, in the order of the sources."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.config import MergingConfig
from data.text.columns import batches
from data.text.equal_names import first_rows
from data.text.spelling import fold_white_space, to_nfc
from data.text.strings import check_fits_one_array

DROPPED = "duplicate of an earlier name"
COUNTED = "duplicate of an earlier name, counted in its weight"

_ROWS: Final = 1 << 17  # handled at once, so that their copies stay in the CPU's cache


class MergeResult(NamedTuple):
    """The kept rows and the rejected ones with the reason, both in parts, and statistics by source."""

    names: Iterator[pa.Table]
    rejected: Iterator[pa.Table]
    sources: dict[str, dict[str, Any]]


def merge(corpora: Sequence[pa.Table], config: MergingConfig) -> MergeResult:
    """All rows of all corpora, source by source and line by line, normalized, weighted and deduplicated.

    Raises DataError for more than 2 GiB of names, which one array cannot hold.
    """
    read = pa.concat_tables(corpora).unify_dictionaries()
    check_fits_one_array(read["name"])
    read = read.set_column(0, "name", _normalized(read["name"], config))
    first = first_rows(read["name"])
    repeats = first != np.arange(len(first))
    is_dropped = np.zeros_like(repeats) if config.duplicates == "keep" else repeats
    source = _codes(read["source"])
    before = _weights(read["weight"])
    after: npt.NDArray[np.float64] = before
    if config.duplicates == "count":
        after = np.bincount(first, before, len(first)).astype(np.float64)  # integers if empty
    if config.balance == "equal":
        after = _balanced(after, source, ~is_dropped)
    if after is not before:
        read = read.set_column(read.schema.get_field_index("weight"), "weight", pa.array(after))
    statistics = _SourceStatistics(source, first, is_dropped, before, after)
    reason = COUNTED if config.duplicates == "count" else DROPPED
    rejected = _rejected_parts(read, is_dropped, reason)
    return MergeResult(_parts(read, ~is_dropped), rejected, statistics.by_source(_sources(read)))


def _parts(table: pa.Table, mask: npt.NDArray[np.bool_]) -> Iterator[pa.Table]:
    """The rows of a mask, part by part: a second table of all rows would cost more time than the filter."""
    for begin, part in batches(table, _ROWS):
        yield part.filter(pa.array(mask[begin : begin + len(part)]))


def _rejected_parts(read: pa.Table, is_dropped: npt.NDArray[np.bool_], reason: str) -> Iterator[pa.Table]:
    for part in _parts(read.select(["source", "file", "line", "name"]), is_dropped):
        yield part.append_column("reason", pa.repeat(pa.scalar(reason), len(part)))


class _SourceStatistics(NamedTuple):
    """Columns of all N rows read: source as a number, row of the first equal name, weights."""

    source: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    is_dropped: npt.NDArray[np.bool_]
    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    def by_source(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        figures = self._figures(0, len(names))
        for begin in range(_ROWS, len(self.first), _ROWS):
            for figure, per_source in self._figures(begin, len(names)).items():
                figures[figure] += per_source
        return {
            name: {figure: per_source[place].item() for figure, per_source in figures.items()}
            for place, name in enumerate(names)
        }

    def _figures(self, begin: int, sources: int) -> dict[str, npt.NDArray[Any]]:
        """The statistics of some rows, by the number of the source."""
        rows_here = slice(begin, begin + _ROWS)
        source, first, is_dropped = self.source[rows_here], self.first[rows_here], self.is_dropped[rows_here]
        repeats = first != np.arange(begin, begin + len(first))
        within = repeats & (source == self.source[first])

        def rows(which: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
            return np.bincount(source[which], minlength=sources)

        return {
            "rows_read": np.bincount(source, minlength=sources),
            "rows": rows(~is_dropped),
            "weight_read": np.bincount(source, self.before[rows_here], sources),
            "weight": np.bincount(source, np.where(is_dropped, 0.0, self.after[rows_here]), sources),
            "duplicates_within": rows(within),
            "duplicates_of_earlier_sources": rows(repeats & ~within),
        }


def _balanced(
    weight: npt.NDArray[np.float64], source: npt.NDArray[np.int32], kept: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Weights with the same sum in every source that has rows, and the same sum over all as before."""
    totals = np.bincount(source, np.where(kept, weight, 0.0))
    share = totals.sum() / max(np.count_nonzero(totals), 1)
    factors = np.divide(share, totals, out=np.ones(len(totals)), where=totals > 0)
    balanced: npt.NDArray[np.float64] = weight * factors[source]
    return balanced


def _normalized(names: pa.ChunkedArray, config: MergingConfig) -> pa.ChunkedArray:
    names = fold_white_space(names) if config.white_space == "fold" else names
    return to_nfc(names) if config.normalisation == "NFC" else names


def _sources(table: pa.Table) -> list[str]:
    column = table["source"]
    return list(column.chunk(0).dictionary.to_pylist()) if column.num_chunks else []


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    return np.concatenate([np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in column.chunks)])


def _weights(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *(chunk.to_numpy() for chunk in column.chunks)])
