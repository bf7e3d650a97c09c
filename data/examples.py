"""Examples: the names in random order, split into training, validation and test."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.config import ExamplesConfig
from data.partitions import fingerprints_of
from data.text.columns import replace_where
from data.text.strings import narrow_offsets
from rnn_core.random_numbers import Words, splitmix64
from rnn_core.text.names import EncodedNames
from rnn_core.text.spelling import spelling_key

SPLITS = ("train", "validation", "test")


class Borders(NamedTuple):
    """The hash up to which a name is for test, and that from which on it is for validation."""

    test: int
    validation: int


NO_BORDERS = Borders(-1, 1 << 64)  # no hash is beyond them


class EarlierSplit(NamedTuple):
    """A split that stays as the list changes.

    names:    of the earlier list.
    split:    (N,) index into SPLITS of each.
    borders:  by which the names are split that it does not have.
    """

    names: pa.ChunkedArray
    split: npt.NDArray[np.int32]
    borders: Borders


class Arrangement(NamedTuple):
    """A random order and a split.

    order:    (N,) the row of the table at each place.
    split:    (N,) index into SPLITS, by place.
    borders:  between the splits.
    """

    order: npt.NDArray[np.int64]
    split: npt.NDArray[np.int32]
    borders: Borders = NO_BORDERS


def arrange(
    names: pa.ChunkedArray, config: ExamplesConfig, earlier: EarlierSplit | None = None
) -> Arrangement:
    """A random order, and a split by distinct name: spellings of one name never are on both sides.

    Distinct names are put in the order of a hash of the seed and their UTF-8. The first of them are for test
    and the last for validation, as many as the shares say. So one name more or less in the list moves at most
    one other into or out of each: yesterday's model has hardly read what today's is judged by. And as they
    stand at two ends, a change of one share moves no name into or out of the other.

    Spellings of one name (`spelling_key`: O'Neil and O’Neil, José and Jose, ANA and Ana) have the hash of the
    first of them, by its UTF-8. So do two names with one hash by chance: n^2 / 2^65 pairs among n.

    earlier:  a name stays where it has each of its spellings, and its borders stay; then the shares are kept
              only as well as chance does.

    Raises ValueError if a name is null.
    """
    hashes = splitmix64(_shared_fingerprints(names), np.uint64(config.seed))
    borders = earlier.borders if earlier else _borders(hashes, config)
    split = np.full(len(names), SPLITS.index("train"), np.int32)
    split[hashes <= borders.test] = SPLITS.index("test")
    split[hashes >= borders.validation] = SPLITS.index("validation")
    if earlier:
        known = fingerprints_of(_spelling_keys(earlier.names))
        places = pc.index_in(pa.array(fingerprints_of(_spelling_keys(names))), value_set=pa.array(known))
        split = np.where(places.is_valid(), earlier.split[places.fill_null(0).to_numpy()], split)
    order = np.random.default_rng(config.seed).permutation(len(names))
    return Arrangement(order, split[order], borders)


def _borders(hashes: Words, config: ExamplesConfig) -> Borders:
    ordered = np.sort(hashes)  # which np.unique does too, in ten times as long
    distinct = np.concatenate([ordered[:1], ordered[1:][ordered[1:] != ordered[:-1]]])
    test, validation = (
        round(share * len(distinct)) for share in (config.test_share, config.validation_share)
    )
    return Borders(
        int(distinct[test - 1]) if test else NO_BORDERS.test,
        int(distinct[-validation]) if validation else NO_BORDERS.validation,
    )


def _shared_fingerprints(names: pa.ChunkedArray) -> Words:
    """(N,) the fingerprint of each name; of several spellings of one name, that of the first in UTF-8."""
    own, keys = fingerprints_of(names), fingerprints_of(_spelling_keys(names))
    if _distinct(own) == _distinct(keys):  # which sorts numbers and not rows, several times as fast
        return own
    rows = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[rows], prepend=keys[rows[:1]] + 1))
    differ = np.minimum.reduceat(own[rows], begins) != np.maximum.reduceat(own[rows], begins)
    ends = np.append(begins[1:], len(rows))
    for begin, end in zip(begins[differ].tolist(), ends[differ].tolist(), strict=True):
        group = rows[begin:end]
        spellings = [name.encode() for name in names.take(pa.array(group)).to_pylist()]
        own[group] = own[group[spellings.index(min(spellings))]]
    return own


def _distinct(words: Words) -> int:
    ordered = np.sort(words)
    return len(ordered) - int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _spelling_keys(names: pa.ChunkedArray) -> pa.ChunkedArray:
    keys = pc.replace_substring(pc.ascii_lower(names), "`", "'")  # as spelling_key does of ASCII
    others = pc.invert(pc.string_is_ascii(names))
    return replace_where(
        keys,
        others.to_numpy(),
        pa.chunked_array([[spelling_key(name) for name in names.filter(others).to_pylist()]], pa.string()),
    )


def token_lists(names: EncodedNames) -> pa.Array:
    """The tokens as a list column, without a copy. Raises DataError for 2^31 of them or more."""
    return pa.ListArray.from_arrays(
        pa.array(narrow_offsets(names.offsets, "characters")), pa.array(names.tokens)
    )


def from_token_lists(column: pa.ChunkedArray) -> EncodedNames:
    """The encoded names of a list column."""
    lists = column.combine_chunks()
    first, last = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    tokens = lists.values.to_numpy()[first:last]
    return EncodedNames(tokens, lists.offsets.to_numpy().astype(np.int64) - first)


def encoded_names(examples: pa.Table) -> EncodedNames:
    """The encoded names of a table of examples, with their weights."""
    return from_token_lists(examples["tokens"]).with_weights(examples["weight"].to_numpy())
