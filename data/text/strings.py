"""Names as Arrow strings: encoding and decoding without a Python object per name."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rnn_core.arrays import Integers
from rnn_core.errors import DataError
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import CODE_POINTS, Bytes, Vocabulary, character_counts

Strings: TypeAlias = pa.StringArray | pa.LargeStringArray | pa.ChunkedArray

# A run of letters and marks; after an apostrophe a new one, if there were one or two letters before it.
_LETTERS = "\\w\u0300-\u036f"
_WORD: Final = re.compile(rf"[^\W\d_][{_LETTERS}]*(?:(?<=[{_LETTERS}]{{3}})['’ʼ][{_LETTERS}]+)*")
_OFFSETS: Final = {pa.string(): np.int32, pa.large_string(): np.int64}
_MOST: Final = np.iinfo(np.int32).max  # what Arrow counts in 32 bits


def to_strings(names: EncodedNames, vocabulary: Vocabulary, capitalise_first: bool = False) -> pa.StringArray:
    """The decoded names. Raises DataError for a token outside of the vocabulary, or over 2 GiB of text."""
    text, offsets = vocabulary.to_utf8(names, capitalise_first)
    return pa.StringArray.from_buffers(
        names.count, pa.py_buffer(narrow_offsets(offsets, "bytes")), pa.py_buffer(text)
    )


def as_texts(names: Iterable[str] | pa.Array | pa.ChunkedArray) -> list[str]:
    """The names as Python strings. Raises TypeError for anything but a list of them."""
    texts = names.to_pylist() if isinstance(names, pa.Array | pa.ChunkedArray) else names
    texts = texts if isinstance(texts, str) else list(texts)
    if isinstance(texts, str) or not all(isinstance(name, str) for name in texts):
        raise TypeError(f"not a list of names: give strings, not {names!r:.80}")
    return texts


def encode(names: Strings, vocabulary: Vocabulary) -> EncodedNames:
    """The encoded names. Raises UnknownCharacter, and ValueError as `utf8` does."""
    parts = [vocabulary.encode_utf8(*part) for part in utf8(names)]
    if len(parts) == 1:
        return parts[0]
    offsets, end = [np.zeros(1, np.int64)], 0
    for part in parts:
        offsets.append(part.offsets[1:] + end)
        end += len(part.tokens)
    tokens = np.concatenate([np.zeros(0, np.int32), *(part.tokens for part in parts)])
    return EncodedNames(tokens, np.concatenate(offsets))


def counts_of_characters(names: Strings) -> npt.NDArray[np.int64]:
    """(CODE_POINTS,) the occurrences of each character. Raises ValueError as `utf8` does."""
    counts = np.zeros(CODE_POINTS, np.int64)
    for part in utf8(names):
        counts += character_counts(*part)
    return counts


def capitalized(names: pa.StringArray) -> pa.StringArray:
    """The names with their first character in Unicode's title case, which may be several characters."""
    first = pc.dictionary_encode(pc.utf8_slice_codeunits(names, 0, 1))
    capitals = pa.array([character.title() for character in first.dictionary.to_pylist()], pa.string())
    return pc.binary_join_element_wise(capitals.take(first.indices), pc.utf8_slice_codeunits(names, 1), "")


def title_cased(names: pa.StringArray) -> pa.StringArray:
    """The names with a capital at the beginning of each word, where all letters were of one case."""
    distinct = pc.dictionary_encode(names)
    cased = pa.array([_title_cased(name) for name in distinct.dictionary.to_pylist()], pa.string())
    return cased.take(distinct.indices)


def _title_cased(name: str) -> str:
    return _WORD.sub(_title_cased_word, name) if name in (name.upper(), name.lower()) else name


def _title_cased_word(word: re.Match[str]) -> str:
    """Of O'NEIL and D'ARCY the second letter is a capital too; of HAWAI'I the last one is none."""
    rest = word[0][1:].replace("İ", "i")  # whose lower() is an i with a second dot above it
    return word[0][0].title() + rest.lower()


def utf8(names: Strings) -> Iterator[tuple[Bytes, Integers]]:
    """For each chunk the text that Arrow holds, and where in it the names begin and the last one ends.

    Raises ValueError if a name is null, or for anything but strings.
    """
    if names.type not in _OFFSETS:
        raise ValueError(f"names must be strings, got {names.type}")
    check_no_nulls(names)
    for chunk in names.chunks if isinstance(names, pa.ChunkedArray) else [names]:
        if len(chunk):
            _, offsets, text = chunk.buffers()
            bounds = np.frombuffer(offsets, _OFFSETS[names.type])[chunk.offset :][: len(chunk) + 1]
            yield np.frombuffer(text or b"", np.uint8), bounds


def check_no_nulls(names: Strings) -> None:
    """Raise ValueError if a name is null."""
    if names.null_count:
        raise ValueError(f"a name is text, but {names.null_count} of {len(names)} are null")


def check_fits_one_array(names: Strings) -> None:
    """Raise DataError if the text is too long for one array, which reordering needs."""
    _check_fits(sum(int(bounds[-1] - bounds[0]) for _, bounds in utf8(names)), "bytes", len(names))


def narrow_offsets(offsets: npt.NDArray[np.int64], unit: str) -> npt.NDArray[np.int32]:
    """Offsets as Arrow's arrays have them. Raises DataError for more than 32 bits can count.

    unit:  what is counted, for the message.
    """
    _check_fits(int(offsets[-1]), unit, len(offsets) - 1)
    return offsets.astype(np.int32)


def _check_fits(elements: int, unit: str, names: int) -> None:
    if elements > _MOST:
        raise DataError(
            "names.too_many",
            f"an array holds at most {_MOST:,} {unit} of names",
            saw=f"{elements:,} {unit} in {names:,} names",
            fix="use fewer or shorter names; generate fewer at a time.",
        )
