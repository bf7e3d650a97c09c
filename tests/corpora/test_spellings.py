"""Spellings of one name: one side of the split, nothing new, and capitals as Unicode has them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.config import ExamplesConfig
from data.examples import SPLITS, EarlierSplit, arrange
from data.partitions import fingerprints_of
from data.text.strings import capitalized
from rnn_core.metrics.novelty import novelty, spelling_keys
from rnn_core.random_numbers import splitmix64
from rnn_core.sample.sampler import capitalize_first
from rnn_core.text.spelling import spelling_key

SPELLINGS = {
    "apostrophes": ["O'Neil", "O’Neil", "OʼNeil", "o`neil"],
    "case": ["Ana", "ANA", "ana"],
    "Turkish i": ["İbrahim", "ibrahim", "IBRAHIM", "ıbrahım", "I\u0307brahim"],
    "accents": ["José", "Jose", "JOSE\u0301", "Josè"],
    "eszett": ["Strauß", "STRAUSS", "Strauss"],
    "sigma": ["Νίκος", "ΝΙΚΟΣ", "Νικοσ"],
    "vowel points": ["דָּוִד", "דוד"],
    "joiners": ["می‌نا", "مینا"],
    "hyphens": ["Jean-Paul", "Jean‐Paul"],
    "full width": ["Ana", "Ａｎａ"],
}


@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_of_one_name_have_one_key(spellings):
    assert len(set(map(spelling_key, spellings))) == 1


@pytest.mark.parametrize(
    "names",
    [["राम", "रमा"], ["กา", "กี"], ["Ana", "Anna"], ["O'Neil", "ONeil"]],
    ids=str,
)
def test_different_names_have_different_keys(names):
    assert len(set(map(spelling_key, names))) == 2


@given(st.text(max_size=12))
def test_the_key_of_a_key_is_itself(name):
    assert spelling_key(spelling_key(name)) == spelling_key(name)


def split_of(names, **options):
    table = pa.chunked_array([pa.array(names, pa.string())])
    arrangement = arrange(table, ExamplesConfig(**options))
    return dict(zip((names[row] for row in arrangement.order), arrangement.split.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_spellings_of_one_name_never_are_on_both_sides_of_the_split(seed):
    bare = [f"O'N{letter}{other}e" for letter in "abcdefghijklmnop" for other in "aeiou"]
    names = bare + [name.replace("'", "’") for name in bare] + [name.upper() for name in bare]
    names += [name.replace("e", "é") for name in bare]
    split = split_of(names, test_share=0.2, validation_share=0.2, seed=seed)
    sides = {}
    for name, side in split.items():
        sides.setdefault(spelling_key(name), set()).add(side)
    assert len(sides) == len(bare)
    assert all(len(side) == 1 for side in sides.values())
    assert {side for some in sides.values() for side in some} == set(range(len(SPLITS)))


def test_the_split_of_a_list_without_such_spellings_is_that_of_the_names_themselves():
    names = [f"Näme{number}" for number in range(200)]
    table = pa.chunked_array([pa.array(names)])
    hashes = splitmix64(fingerprints_of(table), np.uint64(7))
    in_test = {names[row] for row in np.argsort(hashes)[:20].tolist()}
    split = split_of(names, seed=7)
    assert {name for name, side in split.items() if SPLITS[side] == "test"} == in_test


def test_a_spelling_that_comes_later_moves_no_other_name():
    names = [f"N{number}'x" for number in range(300)]
    before = split_of(names)
    after = split_of([*names, "N7’x"])
    assert after["N7’x"] == after["N7'x"]
    assert {name: after[name] for name in names} == before


def test_another_spelling_of_a_known_name_is_nothing_new():
    known = spelling_keys(["O'Neil", "José"])
    assert novelty(["O’Neil", "Jose", "JOSÉ", "Ana"], known) == 0.25


@pytest.mark.parametrize(
    ("name", "expected"),
    [("გიორგი", "გიორგი"), ("ǆemal", "ǅemal"), ("ßabine", "Ssabine"), ("ijsbrand", "Ijsbrand"), ("", "")],
)
def test_the_first_letter_is_in_the_title_case_of_unicode(name, expected):
    assert capitalize_first(name) == expected
    assert capitalized(pa.array([name])).to_pylist() == [expected]


@settings(max_examples=30)
@given(st.integers(0, 1 << 32))
def test_a_split_that_stays_keeps_every_name_in_its_place_while_the_list_changes(seed):
    """Names come, go, come back and come in other spellings."""
    rng = np.random.default_rng(seed)
    pool = [f"name{number}" for number in range(60)]
    pool += [name.upper() for name in pool[:20]]
    places: dict[str, int] = {}
    earlier = None
    for _ in range(5):
        names = [name for name in pool if rng.random() < 0.8]
        table = pa.chunked_array([names], pa.string())
        order, split, borders = arrange(table, ExamplesConfig(0.2, 0.2, seed=seed), earlier)
        in_list_order = np.empty_like(split)
        in_list_order[order] = split
        earlier = EarlierSplit(table, in_list_order, earlier.borders if earlier else borders)
        assert borders == earlier.borders
        for name, place in zip(names, in_list_order.tolist(), strict=True):
            if name.lower() in pool[20:60]:  # of one spelling: its place is for good
                assert places.setdefault(name, place) == place
        of_night = dict(zip(names, in_list_order.tolist(), strict=True))
        assert all(of_night[name] == of_night.get(name.lower(), of_night[name]) for name in names)
