"""Which names the network learns from and which it is judged by, in shuffled order."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.config import ExamplesConfig
from rnn_core.names import EncodedNames

SPLITS = ("train", "validation", "test")


class Arrangement(NamedTuple):
    """order: (N,) row of the table that stands at each place; split: (N,) index into SPLITS, by place."""

    order: npt.NDArray[np.int64]
    split: npt.NDArray[np.int32]


def arrange(names: pa.ChunkedArray, config: ExamplesConfig) -> Arrangement:
    """A random order and a random split by distinct name: equal names never stand on both sides."""
    split_rng, order_rng = map(np.random.default_rng, np.random.SeedSequence(config.seed).spawn(2))
    codes = pc.dictionary_encode(names.combine_chunks())
    distinct = len(codes.dictionary)
    validation, test = (round(share * distinct) for share in (config.validation_share, config.test_share))
    split_of_name = np.zeros(distinct, np.int32)
    drawn = split_rng.permutation(distinct)
    split_of_name[drawn[:validation]] = SPLITS.index("validation")
    split_of_name[drawn[validation : validation + test]] = SPLITS.index("test")
    order = order_rng.permutation(len(names))
    return Arrangement(order, split_of_name[codes.indices.to_numpy()][order])


def as_lists(names: EncodedNames) -> pa.Array:
    """A list column over the same memory."""
    return pa.ListArray.from_arrays(pa.array(names.offsets, pa.int32()), pa.array(names.tokens, pa.int32()))


def from_lists(column: pa.ChunkedArray) -> EncodedNames:
    """The way back from `as_lists`."""
    lists = column.combine_chunks()
    first, last = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    tokens = lists.values.to_numpy()[first:last]
    return EncodedNames(tokens, lists.offsets.to_numpy().astype(np.int64) - first)
