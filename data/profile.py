"""Profiles of lists: counts in a small table, whatever the number of names.

Everything that is shown of the lists, or compared between two runs, comes from a profile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.config import ALL_SOURCES
from data.text.equal_names import first_rows

Counts = npt.NDArray[np.int64]
Row = tuple[str, str, str, int]  # measure, source, value, count

REJECTED = ("not_read", "not_merged", "not_valid")  # rows by reason, in the order of the steps

_ROWS = 1 << 17  # whose characters are counted at once
_NONE: Counts = np.zeros(0, np.int64)


def profile(corpora: Sequence[pa.Table], kept: pa.Table, rejected: Mapping[str, pa.Table]) -> pa.Table:
    """The profile of some lists: a table of schemas.PROFILE.

    corpora:   the names as in the files, one table per source.
    kept:      the names left after merging and validation.
    rejected:  source and reason of every rejected row, by the measures of REJECTED.
    """
    columns = zip(*chain(_input_rows(corpora), _kept_rows(kept), _rejected_rows(rejected)), strict=True)
    arrays = map(pa.array, columns, (pa.string(), pa.string(), pa.string(), pa.int64()))
    return pa.table(list(arrays), names=["measure", "source", "value", "count"])


@dataclass(frozen=True)
class Profile:
    """A profile for lookups.

    by_value:  the counts by value, of a measure and a source.
    """

    by_value: Mapping[tuple[str, str], Mapping[str, int]]

    @classmethod
    def from_table(cls, table: pa.Table) -> "Profile":
        """The profile in a table of schemas.PROFILE."""
        by_value: dict[tuple[str, str], dict[str, int]] = {}
        for measure, source, value, count in zip(*(column.to_pylist() for column in table), strict=True):
            by_value.setdefault((measure, source), {})[value] = count
        return cls(by_value)

    @property
    def sources(self) -> list[str]:
        """The sources, in the order of the configuration."""
        return list(dict.fromkeys(source for _, source in self.by_value if source != ALL_SOURCES))

    def counts(self, measure: str, source: str = ALL_SOURCES) -> dict[str, int]:
        """The counts of a measure by value; of all sources, their sum unless it was counted itself."""
        if source != ALL_SOURCES or (measure, source) in self.by_value:
            return dict(self.by_value.get((measure, source), {}))
        sums: dict[str, int] = {}
        for one in self.sources:
            for value, count in self.by_value.get((measure, one), {}).items():
                sums[value] = sums.get(value, 0) + count
        return sums

    def count(self, measure: str, source: str = ALL_SOURCES) -> int:
        """The total of a measure over its values."""
        return sum(self.counts(measure, source).values())

    def lengths(self, source: str = ALL_SOURCES) -> Counts:
        """Kept names by length: element n counts those of n characters."""
        by_length = {int(length): count for length, count in self.counts("length", source).items()}
        lengths = np.zeros(max(by_length, default=-1) + 1, np.int64)
        lengths[list(by_length)] = list(by_length.values())
        return lengths

    def characters(self, source: str = ALL_SOURCES) -> list[tuple[str, int]]:
        """The characters of kept names with their counts, the most frequent first."""
        return sorted(self.counts("character", source).items(), key=lambda item: (-item[1], item[0]))

    def duplicates(self) -> float:
        """The share of the names in the files that repeat an earlier one, of any source."""
        return 1.0 - self.count("distinct") / max(self.count("taken"), 1)


def _input_rows(corpora: Sequence[pa.Table]) -> Iterator[Row]:
    corpora = [corpus for corpus in corpora if len(corpus)]
    sources = [corpus["source"][0].as_py() for corpus in corpora]
    chunks = [chunk for corpus in corpora for chunk in corpus["name"].chunks]
    first = first_rows(pa.chunked_array(chunks, pa.string()))
    begins = np.cumsum([0, *map(len, corpora)])
    # A bit for each name: of a hundred sources and ten million names, 125 MB.
    has = [_bitmap(first[start:end], len(first)) for start, end in pairwise(begins)]
    for source, corpus, names in zip(sources, corpora, has, strict=True):
        yield "taken", source, "", len(corpus)
        yield "distinct", source, "", _bit_count(names)
    yield "distinct", ALL_SOURCES, "", _bit_count(_bitmap(first, len(first)))
    for one, other in combinations(range(len(sources)), 2):
        yield "overlap", sources[one], sources[other], _bit_count(has[one] & has[other])


def _bitmap(rows: Counts, count: int) -> npt.NDArray[np.uint8]:
    """A bit for each of `count` rows, eight to a byte."""
    present = np.zeros(count, np.bool_)
    present[rows] = True
    return np.packbits(present)


def _bit_count(packed: npt.NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(packed).sum(dtype=np.int64))


def _kept_rows(kept: pa.Table) -> Iterator[Row]:
    totals: dict[str, tuple[Counts, Counts]] = {}
    for batch in kept.select(["name", "source"]).to_batches(max_chunksize=_ROWS):
        names, sources = batch.columns
        codes = sources.indices.to_numpy()
        for code in np.unique(codes).tolist():
            own_names, source = names.filter(pa.array(codes == code)), sources.dictionary[code].as_py()
            lengths, characters = totals.get(source, (_NONE, _NONE))
            totals[source] = (
                _sum(lengths, np.bincount(pc.utf8_length(own_names).to_numpy())),
                _sum(characters, np.bincount(_code_points(own_names))),
            )
    for source, (lengths, characters) in totals.items():
        yield "kept", source, "", int(lengths.sum())
        yield from (("length", source, str(length), count) for length, count in _nonzero(lengths))
        yield from (("character", source, chr(point), count) for point, count in _nonzero(characters))


def _code_points(names: pa.StringArray) -> npt.NDArray[np.uint32]:
    whole = pa.ListArray.from_arrays(pa.array([0, len(names)], pa.int32()), names)
    text: str = pc.binary_join(whole, "")[0].as_py()
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _sum(left: Counts, right: Counts) -> Counts:
    longer, shorter = sorted((left, right), key=len, reverse=True)
    longer = longer.copy()
    longer[: len(shorter)] += shorter
    return longer


def _nonzero(counts: Counts) -> Iterator[tuple[int, int]]:
    places = np.flatnonzero(counts)
    return zip(places.tolist(), counts[places].tolist(), strict=True)


def _rejected_rows(rejected: Mapping[str, pa.Table]) -> Iterator[Row]:
    for measure, rows in rejected.items():
        if len(rows):
            by = rows.unify_dictionaries().group_by(["source", "reason"], use_threads=False)
            counts = by.aggregate([([], "count_all")])
            columns = counts.select(["source", "reason", "count_all"]).to_pydict().values()
            yield from ((measure, *row) for row in zip(*columns, strict=True))
