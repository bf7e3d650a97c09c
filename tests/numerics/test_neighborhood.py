"""Whether names are within one edit of a list."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.metrics import fingerprints, neighborhood
from rnn_core.metrics.edit_distance import NearestNames
from rnn_core.metrics.neighborhood import Neighborhood
from rnn_core.text.names import EncodedNames

LETTERS = st.integers(1, 3)
NAME = st.lists(LETTERS, max_size=7)
NAMES = st.lists(NAME, max_size=12)


def levenshtein(one, other):
    """By its recursion: the first letters are equal, or one of them is inserted, deleted or replaced."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return levenshtein(one[1:], other[1:])
    return 1 + min(levenshtein(one[1:], other), levenshtein(one, other[1:]), levenshtein(one[1:], other[1:]))


def near(asked, learned):
    return (
        Neighborhood.from_names(EncodedNames.from_lists(learned))
        .near(EncodedNames.from_lists(asked))
        .tolist()
    )


@settings(deadline=None)
@given(asked=NAMES, learned=NAMES)
def test_near_is_what_has_an_edit_distance_of_one_or_none(asked, learned):
    expected = [any(levenshtein(name, other) <= 1 for other in learned) for name in asked]
    assert near(asked, learned) == expected


@given(name=NAME, letter=LETTERS, data=st.data())
def test_one_edit_anywhere_leaves_a_name_near(name, letter, data):
    gap = data.draw(st.integers(0, len(name)))
    inserted = [*name[:gap], letter, *name[gap:]]
    replaced = [*name[:gap], letter, *name[gap + 1 :]]
    deleted = name[:gap] + name[gap + 1 :]
    assert near([name, inserted, replaced, deleted], [name]) == [True] * 4


def test_two_letters_that_change_places_are_two_edits():
    assert near([[2, 1, 3], [1, 3, 2], [3, 1, 2]], [[1, 2, 3]]) == [False] * 3


def test_the_empty_name_is_near_to_itself_and_to_single_letters():
    assert near([[], [1], [1, 2]], [[]]) == [True, True, False]
    assert near([[]], [[7]]) == [True]
    assert near([[]], [[7, 7]]) == [False]


def test_nothing_is_near_to_no_names_and_no_names_are_near():
    assert near([[], [1], [1, 2]], []) == [False] * 3
    assert near([], [[1]]) == []


def test_many_names_in_pieces_are_as_near_as_the_edit_distance_says(monkeypatch):
    rng = np.random.default_rng(0)
    learned, asked = (
        EncodedNames.from_lists(rng.integers(1, 6, length) for length in rng.integers(3, 9, count))
        for count in (400, 300)
    )
    measured = [distance <= 1 for distance in NearestNames.from_names(learned).distances(asked)]
    assert 20 < sum(measured) < 280
    monkeypatch.setattr(fingerprints, "AT_ONCE", 7)
    monkeypatch.setattr(neighborhood, "AT_ONCE", 100)
    assert Neighborhood.from_names(learned).near(asked).tolist() == measured


def test_names_learned_many_times_are_stored_once():
    many = Neighborhood.from_names(EncodedNames.from_lists([[1, 2, 3]] * 1_000 + [[3, 2]]))
    assert len(many._patterns) == 4 + 3
    assert many.near(EncodedNames.from_lists([[1, 2], [3, 3], [9, 9]])).tolist() == [True, True, False]
