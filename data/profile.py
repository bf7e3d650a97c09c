"""What lists of names are like, in counts: a small table, whatever the number of names.

All that is shown of the lists, and all that is compared between two runs, is told from it.
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

_ROWS = 1 << 17  # whose characters are looked at together
_NONE: Counts = np.zeros(0, np.int64)


def profile(corpora: Sequence[pa.Table], kept: pa.Table, rejected: Mapping[str, pa.Table]) -> pa.Table:
    """The counts of schemas.PROFILE.

    corpora:   names as their files have them, one table for each source.
    kept:      names that are left after merging and validation.
    rejected:  by the measures of REJECTED: source and reason of every row.
    """
    columns = zip(*chain(_read(corpora), _kept(kept), _rejected(rejected)), strict=True)
    arrays = map(pa.array, columns, (pa.string(), pa.string(), pa.string(), pa.int64()))
    return pa.table(list(arrays), names=["measure", "source", "value", "count"])


@dataclass(frozen=True)
class Profile:
    """The table, to be asked. by: counts by value, of a measure and a source."""

    by: Mapping[tuple[str, str], Mapping[str, int]]

    @classmethod
    def from_table(cls, table: pa.Table) -> "Profile":
        by: dict[tuple[str, str], dict[str, int]] = {}
        for measure, source, value, count in zip(*(column.to_pylist() for column in table), strict=True):
            by.setdefault((measure, source), {})[value] = count
        return cls(by)

    @property
    def sources(self) -> list[str]:
        """In the order of the configuration."""
        return list(dict.fromkeys(source for _, source in self.by if source != ALL_SOURCES))

    def counts(self, measure: str, source: str = ALL_SOURCES) -> dict[str, int]:
        """By value; of all sources the sum, where nothing else was counted."""
        if source != ALL_SOURCES or (measure, source) in self.by:
            return dict(self.by.get((measure, source), {}))
        sums: dict[str, int] = {}
        for each in self.sources:
            for value, count in self.by.get((measure, each), {}).items():
                sums[value] = sums.get(value, 0) + count
        return sums

    def count(self, measure: str, source: str = ALL_SOURCES) -> int:
        return sum(self.counts(measure, source).values())

    def lengths(self, source: str = ALL_SOURCES) -> Counts:
        """[n]: how many of the names that were kept have n characters."""
        by_length = {int(length): count for length, count in self.counts("length", source).items()}
        lengths = np.zeros(max(by_length, default=-1) + 1, np.int64)
        lengths[list(by_length)] = list(by_length.values())
        return lengths

    def characters(self, source: str = ALL_SOURCES) -> list[tuple[str, int]]:
        """The most frequent first."""
        return sorted(self.counts("character", source).items(), key=lambda each: (-each[1], each[0]))

    def duplicates(self) -> float:
        """Share of the names in the files that repeat an earlier one, of any source."""
        return 1.0 - self.count("distinct") / max(self.count("taken"), 1)


def _read(corpora: Sequence[pa.Table]) -> Iterator[Row]:
    corpora = [corpus for corpus in corpora if len(corpus)]
    sources = [corpus["source"][0].as_py() for corpus in corpora]
    chunks = [chunk for corpus in corpora for chunk in corpus["name"].chunks]
    first = first_rows(pa.chunked_array(chunks, pa.string()))
    begins = np.cumsum([0, *map(len, corpora)])
    # A bit for each name: of a hundred sources and ten million names, 125 MB.
    has = [_present(first[start:end], len(first)) for start, end in pairwise(begins)]
    for source, corpus, names in zip(sources, corpora, has, strict=True):
        yield "taken", source, "", len(corpus)
        yield "distinct", source, "", _bits(names)
    yield "distinct", ALL_SOURCES, "", _bits(_present(first, len(first)))
    for one, other in combinations(range(len(sources)), 2):
        yield "overlap", sources[one], sources[other], _bits(has[one] & has[other])


def _present(rows: Counts, count: int) -> npt.NDArray[np.uint8]:
    """A bit for each of `count` rows, eight to a byte."""
    present = np.zeros(count, np.bool_)
    present[rows] = True
    return np.packbits(present)


def _bits(packed: npt.NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(packed).sum(dtype=np.int64))


def _kept(kept: pa.Table) -> Iterator[Row]:
    found: dict[str, tuple[Counts, Counts]] = {}
    for batch in kept.select(["name", "source"]).to_batches(max_chunksize=_ROWS):
        names, sources = batch.columns
        codes = sources.indices.to_numpy()
        for code in np.unique(codes).tolist():
            some, source = names.filter(pa.array(codes == code)), sources.dictionary[code].as_py()
            lengths, characters = found.get(source, (_NONE, _NONE))
            found[source] = (
                _sum(lengths, np.bincount(pc.utf8_length(some).to_numpy())),
                _sum(characters, np.bincount(_code_points(some))),
            )
    for source, (lengths, characters) in found.items():
        yield "kept", source, "", int(lengths.sum())
        yield from (("length", source, str(length), count) for length, count in _some(lengths))
        yield from (("character", source, chr(point), count) for point, count in _some(characters))


def _code_points(names: pa.StringArray) -> npt.NDArray[np.uint32]:
    whole = pa.ListArray.from_arrays(pa.array([0, len(names)], pa.int32()), names)
    text: str = pc.binary_join(whole, "")[0].as_py()
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def _sum(left: Counts, right: Counts) -> Counts:
    longer, shorter = sorted((left, right), key=len, reverse=True)
    longer = longer.copy()
    longer[: len(shorter)] += shorter
    return longer


def _some(counts: Counts) -> Iterator[tuple[int, int]]:
    """Of what there is at all."""
    there = np.flatnonzero(counts)
    return zip(there.tolist(), counts[there].tolist(), strict=True)


def _rejected(rejected: Mapping[str, pa.Table]) -> Iterator[Row]:
    for measure, rows in rejected.items():
        if len(rows):
            by = rows.unify_dictionaries().group_by(["source", "reason"], use_threads=False)
            counts = by.aggregate([([], "count_all")])
            told = counts.select(["source", "reason", "count_all"]).to_pydict().values()
            yield from ((measure, *each) for each in zip(*told, strict=True))
