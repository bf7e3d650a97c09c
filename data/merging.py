"""Several corpora as one table, in the order in which the sources are named."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.config import MergingConfig
from data.corpus import Taken


def merge(corpora: Sequence[pa.Table], config: MergingConfig) -> Taken:
    """All rows of all corpora, source after source, line after line."""
    merged = _normalised(pa.concat_tables(corpora).combine_chunks().unify_dictionaries(), config)
    repeats = (
        _later_occurrences(merged["name"]) if config.duplicates == "drop" else np.zeros(len(merged), bool)
    )
    rejected = merged.filter(pa.array(repeats))
    reason = pa.array(["duplicate of an earlier name"] * len(rejected), pa.string())
    return Taken(
        merged.filter(pa.array(~repeats)),
        rejected.select(["source", "file", "line", "name"]).append_column("reason", reason),
    )


def _later_occurrences(names: pa.ChunkedArray) -> np.ndarray:
    """(N,) True where the same name stood before."""
    if not len(names):
        return np.zeros(0, bool)
    codes = pc.dictionary_encode(names.combine_chunks()).indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    later = np.ones(len(codes), bool)
    later[first] = False
    return later


def _normalised(table: pa.Table, config: MergingConfig) -> pa.Table:
    if config.normalisation == "none":
        return table
    names = [unicodedata.normalize(config.normalisation, name) for name in table["name"].to_pylist()]
    return table.set_column(0, "name", pa.array(names, pa.string()))
