"""Encoded names as Arrow strings."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data.strings import strings
from rnn_core.vocabulary import Vocabulary

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=9))


@given(NAMES)
def test_arrow_strings_are_the_names(names):
    vocabulary = Vocabulary.from_names(names)
    written = strings(vocabulary.encode(names), vocabulary)
    written.validate(full=True)
    assert written.type == pa.string()
    assert written.to_pylist() == names


def test_the_first_letter_is_a_capital_if_that_is_wanted():
    vocabulary = Vocabulary.from_names(["öl", "ßa"])
    written = strings(vocabulary.encode(["öl", "ßa", ""]), vocabulary, capitalise_first=True)
    assert written.to_pylist() == ["Öl", "SSa", ""]
