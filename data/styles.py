"""Styles in tables: the list that each example is from, and the style of each sampled name."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rnn_core.errors import ConfigError
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import MOST_STYLES, Styles

CATEGORY: Final = pa.dictionary(pa.int32(), pa.string())


def styles_of_examples(
    source: pa.ChunkedArray, weight: pa.ChunkedArray, is_training: pa.ChunkedArray
) -> Styles | None:
    """Every source that has examples as a style, in their order; None if there are not two.

    weight:       of each example; a style is as probable as the weights of its training names say.
    is_training:  of each example.

    Raises ConfigError for more than a network may know.
    """
    codes = _codes(source)
    names = _dictionary(source)
    present = np.unique(codes)
    if len(present) < 2:
        return None
    if len(present) > MOST_STYLES:
        raise ConfigError(
            "config.style",
            f"a network knows at most {MOST_STYLES:,} styles",
            saw=f"{len(present):,} lists",
            fix="join some of the lists, or learn all as one: training.styles = none.",
        )
    counted = np.where(is_training.to_numpy(), weight.to_numpy(), 0.0)
    weights = np.bincount(codes, counted, len(names))
    return Styles.from_weights([names[code] for code in present], weights[present].tolist())


def style_numbers(source: pa.ChunkedArray, styles: Styles) -> npt.NDArray[np.int32]:
    """(N,) the style of each example, by its number. Raises DataError for a source that is no style."""
    names, codes = _dictionary(source), _codes(source)
    numbers = np.zeros(len(names), np.int32)
    for code in np.unique(codes):
        numbers[code] = styles.number(names[code])
    return numbers[codes]


def style_column(names: EncodedNames, vocabulary_size: int, styles: Styles, wish: str) -> pa.DictionaryArray:
    """(N,) the style of each sampled name, by name.

    wish:  what was asked for: names of a blend have it as their style.
    """
    if names.starts is None:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(names.count, np.int32)), pa.array([wish]))
    numbers = names.starts - np.int32(vocabulary_size)
    return pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array(styles.names, pa.string()))


def _codes(source: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    codes: npt.NDArray[np.int32] = _array(source).indices.to_numpy()
    return codes


def _dictionary(source: pa.ChunkedArray) -> list[str]:
    names: list[str] = _array(source).dictionary.to_pylist()
    return names


def _array(source: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = source.unify_dictionaries().combine_chunks()
    return pc.dictionary_encode(whole) if not pa.types.is_dictionary(whole.type) else whole
