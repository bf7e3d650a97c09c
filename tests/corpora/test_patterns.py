"""Regular expressions as automata: what they accept is what RE2 matches."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import patterns
from data.patterns import pattern_automaton
from data.wishes import matching
from rnn_core.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_characters("abcAé1- ")
NAMES = ["".join(name) for length in range(5) for name in itertools.product("abA", repeat=length)] + [
    "é",
    "a é",
    "c-1",
    "1",
    "b1c",
    " ",
    "éé",
    "abcab",
]

ATOMS = st.sampled_from(
    ["a", "b", "c", "A", "é", ".", "[ab]", "[^a]", "[a-c]", "[]a]", "[^]a]", "[[:alpha:]]", r"[\w-]", r"\w",
     r"\d", r"\pL", r"\p{Lu}", r"\P{L}", r"\.", r"\-", r"[\]a]"]
)  # fmt: skip
QUANTIFIERS = st.sampled_from(
    ["*", "+", "?", "{2}", "{1,}", "{0,2}", "{2,3}", "*?", "+?", "??", "{0}", "{1}", "{0,0}"]
)


def grouped(inner):
    return st.tuples(st.sampled_from(["(", "(?:", "(?P<n>"]), inner).map(
        lambda parts: parts[0] + parts[1] + ")"
    )


def longer(inner):
    joined = st.lists(inner, max_size=3).map("".join)
    either = st.lists(inner, min_size=1, max_size=3).map("|".join)
    repeated = st.tuples(st.one_of(ATOMS, grouped(inner)), QUANTIFIERS).map("".join)
    return st.one_of(joined, either, repeated, grouped(inner))


def matched(pattern, names):
    return pc.match_substring_regex(pa.array(names), rf"\A(?:{pattern})\z").to_pylist()


def accepted(automaton, names):
    return automaton.accepting[[automaton.read(VOCABULARY.encode([name]).tokens) for name in names]].tolist()


@settings(max_examples=500, deadline=None)
@given(st.recursive(ATOMS, longer, max_leaves=6))
def test_an_automaton_accepts_the_names_that_re2_matches(pattern):
    try:
        expected = matched(pattern, NAMES)
    except pa.ArrowInvalid:  # two groups of one name, a repetition of a repetition
        return
    automaton = pattern_automaton(pattern, VOCABULARY)
    if automaton is not None:
        assert accepted(automaton, NAMES) == expected, pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "a.*",
        "^ab$",
        "^a.*b$",
        "(a|b)c?",
        "[A-Z][a-z]+",
        r"\pL{2,4}",
        "a|b|",
        "",
        "a{3}",
        "((a)(b))*",
        r"a\$",
        "a{,2}",
    ],
)
def test_what_people_write_has_an_automaton(pattern):
    automaton = pattern_automaton(pattern, VOCABULARY)
    names = [name for name in NAMES if set(name) <= set(VOCABULARY.characters)]
    assert accepted(automaton, names) == matched(pattern, names)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?i)a",
        r"\ba",
        r"\Qa.b\E",
        r"\x{61}",
        "^a|b$",
        "a(^b|c)",
        "(?:a{30}){30}",
        "(" * 21 + "a" + ")" * 21,
        "(?i:a)b",
    ],
)
def test_what_is_left_to_re2_has_none_and_is_matched_all_the_same(pattern):
    assert pattern_automaton(pattern, VOCABULARY) is None
    wish = matching(pattern, VOCABULARY)
    assert wish.automaton is None
    assert wish.accepts(VOCABULARY.encode(NAMES)).tolist() == matched(pattern, NAMES)


def test_a_pattern_with_too_many_states_is_left_to_re2(monkeypatch):
    monkeypatch.setattr(patterns, "MOST_STATES", 100)
    assert pattern_automaton(".*a.{10}", VOCABULARY) is None


def test_a_beginning_that_cannot_match_any_more_is_known_and_so_is_what_is_missing():
    automaton = pattern_automaton("El(sa|vira).*", Vocabulary.from_characters("Elsavir"))
    vocabulary = Vocabulary.from_characters("Elsavir")
    needed = automaton.needed(np.arange(1, vocabulary.size))

    def missing(name):
        return needed[automaton.read(vocabulary.encode([name]).tokens)]

    assert [missing(name) for name in ("", "E", "El", "Elv", "Elsa", "Elsar")] == [4, 3, 2, 3, 0, 0]
    assert all(missing(name) > 1_000 for name in ("l", "Ea", "Elr", "Elvs"))
