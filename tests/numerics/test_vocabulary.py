"""Characters to integers and back."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.errors import DataError
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import UnknownCharacter, Vocabulary

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n")
NAMES = st.lists(st.text(CHARACTERS, max_size=12), max_size=12)


@given(NAMES)
def test_a_name_decodes_to_what_was_encoded(names):
    vocabulary = Vocabulary.from_names(names)
    encoded = vocabulary.encode(names)
    assert vocabulary.decode(encoded) == names
    assert encoded.tokens.dtype == np.int32
    assert encoded.offsets.dtype == np.int64
    assert encoded.count == len(names)


@given(NAMES, st.booleans())
def test_names_are_laid_out_as_utf8(names, capitalise_first):
    vocabulary = Vocabulary.from_names(names)
    text, offsets = vocabulary.to_utf8(vocabulary.encode(names), capitalise_first)
    expected = [name[:1].title() + name[1:] if capitalise_first else name for name in names]
    assert text.tobytes().decode() == "".join(expected)
    assert [text[a:b].tobytes().decode() for a, b in pairwise(offsets)] == expected
    assert (text.dtype, offsets.dtype) == (np.uint8, np.int64)


def test_a_capital_may_be_more_than_one_letter():
    vocabulary = Vocabulary.from_names(["ßtraße"])
    text, offsets = vocabulary.to_utf8(vocabulary.encode(["ßtraße", "", "traß"]), capitalise_first=True)
    assert text.tobytes().decode() == "SstraßeTraß"
    assert offsets.tolist() == [0, 8, 8, 13]


@given(NAMES)
def test_a_vocabulary_is_the_end_token_and_then_every_character_in_order(names):
    vocabulary = Vocabulary.from_names(names)
    assert vocabulary.characters == ("\n", *sorted(set("".join(names))))
    assert vocabulary.size == len(vocabulary.characters)
    place = {character: token for token, character in enumerate(vocabulary.characters)}
    assert vocabulary.encode(names).tokens.tolist() == [place[c] for name in names for c in name]


@pytest.mark.parametrize("unknown", ["z", "é", "\U0001f996", "\x00", "\n"])
def test_a_character_that_was_never_seen_is_refused_by_name(unknown):
    vocabulary = Vocabulary.from_names(["anna", "bo"])
    with pytest.raises(UnknownCharacter) as caught:
        vocabulary.encode(["anna", "", f"bo{unknown}a", "q"])
    assert caught.value.name == f"bo{unknown}a"
    assert caught.value.character == unknown
    assert repr(unknown) in str(caught.value)
    for copied in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert str(copied) == str(caught.value)
        assert copied.name == caught.value.name


def test_a_vocabulary_without_names_knows_the_end_token_alone():
    vocabulary = Vocabulary.from_names([])
    assert vocabulary.size == 1
    assert vocabulary.decode(vocabulary.encode(["", ""])) == ["", ""]
    with pytest.raises(UnknownCharacter):
        vocabulary.encode(["a"])


@pytest.mark.parametrize(
    "characters", [(), ("a",), ("\n", "b", "a"), ("\n", "a", "a"), ("\n", "ab"), ("\n", ""), ("\n", "\n")]
)
def test_a_vocabulary_out_of_order_is_refused(characters):
    with pytest.raises(DataError):
        Vocabulary(characters)


@pytest.mark.parametrize("token", [-1, 0, 3])
def test_a_token_that_stands_for_no_character_is_refused(token):
    vocabulary = Vocabulary.from_names(["ab"])
    for read in (vocabulary.decode, vocabulary.to_utf8):
        with pytest.raises(DataError):
            read(EncodedNames.from_lists([[1, token]]))
