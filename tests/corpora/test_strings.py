"""Names as Arrow strings, encoded and back."""

import contextlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpora import read_text

from data.config import CorpusConfig, ValidationConfig
from data.text.strings import (
    capitalized,
    check_fits_one_array,
    counts_of_characters,
    encode,
    narrow_offsets,
    to_strings,
)
from data.validation import validate
from rnn_core.errors import DataError
from rnn_core.sample.sampler import capitalize_first as capitalised_in_python
from rnn_core.text import vocabulary as vocabularies
from rnn_core.text.vocabulary import UnknownCharacter, Vocabulary

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=9))


@given(NAMES)
def test_arrow_strings_are_the_names(names):
    vocabulary = Vocabulary.from_names(names)
    written = to_strings(vocabulary.encode(names), vocabulary)
    written.validate(full=True)
    assert written.type == pa.string()
    assert written.to_pylist() == names


def test_the_first_letter_is_a_capital_if_asked_for():
    vocabulary = Vocabulary.from_names(["öl", "ßa"])
    written = to_strings(vocabulary.encode(["öl", "ßa", ""]), vocabulary, capitalise_first=True)
    assert written.to_pylist() == ["Öl", "Ssa", ""]


@st.composite
def columns(draw):
    """Names in chunks, each perhaps the later part of another."""
    chunks = draw(st.lists(NAMES, max_size=3))
    kinds = [pa.array(chunk, pa.string()) for chunk in chunks]
    skipped = [draw(st.integers(0, len(chunk))) for chunk in kinds]
    return pa.chunked_array([chunk[skip:] for chunk, skip in zip(kinds, skipped, strict=True)], pa.string())


@contextlib.contextmanager
def few_at_once():
    """So that short lists take several rounds too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabularies, "NAMES_AT_ONCE", 3)
        yield


@given(columns(), st.sampled_from([pa.string(), pa.large_string()]))
def test_names_of_an_arrow_column_are_encoded_as_those_of_a_list(column, kind):
    names = column.to_pylist()
    vocabulary = Vocabulary.from_names(names)
    with few_at_once():
        ours, theirs = encode(column.cast(kind), vocabulary), vocabulary.encode(names)
    assert ours.tokens.tolist() == theirs.tokens.tolist()
    assert ours.offsets.tolist() == theirs.offsets.tolist()
    assert (ours.tokens.dtype, ours.offsets.dtype) == (np.int32, np.int64)


@given(columns())
def test_characters_are_counted_without_a_loop_over_names(column):
    with few_at_once():
        counts = counts_of_characters(column)
    text = "".join(column.to_pylist())
    assert {chr(point): int(counts[point]) for point in np.flatnonzero(counts)} == {
        character: text.count(character) for character in text
    }


def test_all_of_unicode_that_is_accepted_decodes_to_what_was_encoded():
    every = (chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    lines = "\n".join(f"a{character}b" for character in every).encode()
    read = read_text(lines, CorpusConfig("unicode", is_format_given=True)).names
    column = validate(read, ValidationConfig()).names["name"]
    assert len(column) > 150_000  # the others stand for no character yet, or for nobody knows what
    vocabulary = Vocabulary.from_characters(map(chr, np.flatnonzero(counts_of_characters(column))))
    there_and_back = to_strings(encode(column, vocabulary), vocabulary)
    assert there_and_back.equals(column.combine_chunks())


@pytest.mark.parametrize("unknown", ["z", "é", "本", "\U0001f996", "\n"])
def test_a_character_of_a_column_that_was_never_seen_is_refused_by_name(unknown):
    vocabulary = Vocabulary.from_names(["anna", "bo", "ü"])
    column = pa.chunked_array([["anna", "ü"], ["bo", "an", "", "anna", f"bo{unknown}ü", "q"]])
    with few_at_once(), pytest.raises(UnknownCharacter) as caught:
        encode(column, vocabulary)
    assert (caught.value.name, caught.value.character) == (f"bo{unknown}ü", unknown)


@given(NAMES)
def test_first_letters_become_capitals_as_those_of_drawn_names_do(names):
    assert capitalized(pa.array(names, pa.string())).to_pylist() == list(map(capitalised_in_python, names))


def test_more_text_than_one_array_can_hold_is_one_clear_error():
    chunk = pa.array(["x" * (1 << 20)])
    check_fits_one_array(pa.chunked_array([chunk] * 2047))
    with pytest.raises(DataError, match=r"names\.too_many.*\n.*2,147,483,648 bytes in 2,048 names"):
        check_fits_one_array(pa.chunked_array([chunk] * 2048))
    with pytest.raises(DataError, match=r"names\.too_many.*\n.*2,147,483,648 characters in 1 names"):
        narrow_offsets(np.array([0, 1 << 31]), "characters")
