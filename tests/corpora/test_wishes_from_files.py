"""Wishes that need RE2 or a list: regular expressions, excluded names, blocklists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.wishes import excluding, excluding_containing, matching
from rnn_core.errors import ConfigError, DataError
from rnn_core.sample import blocklist
from rnn_core.text.spelling import spelling_key
from rnn_core.text.vocabulary import Vocabulary

CHARACTERS = "abcASsßéÉİıij'’- \u0301"
VOCABULARY = Vocabulary.from_characters(CHARACTERS)
NAMES = st.lists(st.text(CHARACTERS, min_size=1, max_size=8), min_size=1, max_size=30)


def accepted(wish, names):
    encoded = VOCABULARY.encode(names)
    if wish.accepts:
        return wish.accepts(encoded).tolist()
    states = [wish.automaton.read(VOCABULARY.encode([name]).tokens) for name in names]
    return wish.automaton.accepting[states].tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=6), max_size=6))
def test_the_spelling_key_of_a_name_is_that_of_its_characters_one_after_another(parts):
    """What the automaton of a blocklist, and the keys of excluded names, rest upon."""
    assert spelling_key("".join(parts)) == "".join(map(spelling_key, "".join(parts)))


@settings(max_examples=200, deadline=None)
@given(names=NAMES, excluded=st.lists(st.text(CHARACTERS, max_size=8)), data=st.data())
def test_a_name_is_excluded_if_it_has_the_spelling_key_of_a_line(names, excluded, data):
    excluded += data.draw(st.lists(st.sampled_from(names)))
    keys = {spelling_key(name) for name in excluded}
    assert accepted(excluding(excluded, VOCABULARY), names) == [spelling_key(n) not in keys for n in names]


@settings(max_examples=300, deadline=None)
@given(
    names=NAMES,
    words=st.lists(st.text(CHARACTERS + "z", min_size=1, max_size=4).filter(spelling_key), max_size=12),
)
def test_a_name_is_excluded_if_it_contains_a_word_in_any_spelling(names, words):
    keys = {spelling_key(word) for word in words}
    expected = [not any(key in spelling_key(name) for key in keys) for name in names]
    assert accepted(excluding_containing(words, VOCABULARY), names) == expected


def test_words_within_words_and_after_one_another_are_found():
    wish = excluding_containing(["bab", "abab", "a", "cc", "bcca"], Vocabulary.from_characters("abc"))
    assert wish.automaton.accepting.sum() == len(wish.automaton.accepting) - 1
    for words in (["abcb", "bc"], ["bc", "abcb"], ["aab", "ab", "b"], ["ab", "abc", "abcc"]):
        wish = excluding_containing(words, VOCABULARY)
        names = ["abcb", "aab", "abc", "aacb", "ac", "bbb", "ccc", "acbc"]
        assert accepted(wish, names) == [not any(word in name for word in words) for name in names]


def test_a_blocklist_that_is_too_long_or_has_an_empty_word_is_refused(monkeypatch):
    with pytest.raises(DataError, match=r"wishes\.empty_word"):
        excluding_containing(["ab", "\u0301"], VOCABULARY)
    monkeypatch.setattr(blocklist, "MOST_CELLS", 300)
    with pytest.raises(DataError, match=r"wishes\.too_many"):
        excluding_containing(["abcabcabcabc", "bcabcabcabca", "cabcabcabcabc"], VOCABULARY)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("a.*", ["abc", "a", "ab"]),
        ("ab|c", ["ab", "c"]),
        ("[^a]+", ["c", "SS", "ßé"]),
        ("(?i)s+", ["SS"]),
        (r"\w", ["a", "c"]),
        (r"\pL{2}", ["ab", "SS", "ßé"]),
        ("^ab$", ["ab"]),
    ],
)
def test_a_pattern_matches_whole_names(pattern, matches):
    names = ["abc", "a", "ab", "c", "SS", "ßé"]
    assert accepted(matching(pattern, VOCABULARY), names) == [name in matches for name in names]


@pytest.mark.parametrize(
    "pattern", ["a(", "a)|(b", "a\\", r"\Qa", "(a)\\1", "(?=a)", "a{2000}", "a" * 1001, "[z-a]"]
)
def test_a_pattern_that_re2_does_not_understand_is_one_clear_error(pattern):
    with pytest.raises(ConfigError, match=r"config\.matching") as caught:
        matching(pattern, VOCABULARY)
    assert repr(pattern[:80]) in caught.value.saw


def test_a_pattern_is_spelled_as_the_model_spells():
    assert accepted(matching("e\u0301+", VOCABULARY), ["é", "éé", "a"]) == [True, True, False]
    decomposed = Vocabulary.from_characters("e\u0301")
    assert matching("e\u0301", decomposed).accepts(decomposed.encode(["e\u0301"])).tolist() == [True]


def test_nothing_excluded_excludes_nothing():
    assert accepted(excluding([], VOCABULARY), ["a", "b"]) == [True, True]
    assert accepted(excluding_containing([], VOCABULARY), ["a", "b"]) == [True, True]
    assert np.array_equal(accepted(excluding(["x"], VOCABULARY), ["a"]), [True])
