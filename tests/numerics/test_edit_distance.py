"""The edit distance to the nearest training name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.metrics import edit_distance
from rnn_core.metrics.edit_distance import NearestNames, edit_distances
from rnn_core.text.names import EncodedNames

# 1 and 65 count as one character where distances are bounded, and as two where they are measured.
LETTERS = st.sampled_from([1, 2, 3, 65, 1000])
NAME = st.lists(LETTERS, max_size=9)
NAMES = st.lists(NAME, min_size=1, max_size=25)


def textbook(one, other):
    """The recurrence, cell by cell."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, row = row, [i]
        for j, letter_there in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != letter_there)))
    return row[-1]


@settings(deadline=None)
@given(name=NAME, others=NAMES)
def test_every_distance_follows_its_recurrence(name, others):
    measured = edit_distances(np.array(name, np.int32), EncodedNames.from_lists(others))
    assert measured.tolist() == [textbook(name, other) for other in others]


@settings(deadline=None)
@given(asked=NAMES, learned=NAMES)
def test_the_nearest_name_is_as_near_as_the_nearest_of_all_that_are_measured(asked, learned):
    nearest = NearestNames.from_names(EncodedNames.from_lists(learned)).distances(
        EncodedNames.from_lists(asked)
    )
    assert list(nearest) == [min(textbook(name, other) for other in learned) for name in asked]


def test_distances_are_the_same_in_one_part_and_in_many(monkeypatch):
    rng = np.random.default_rng(0)
    learned, asked = (
        EncodedNames.from_lists(rng.integers(1, 5, length) for length in rng.integers(1, 12, count))
        for count in (300, 20)
    )
    whole = list(NearestNames.from_names(learned).distances(asked))
    monkeypatch.setattr(edit_distance, "PAIRS_AT_ONCE", 3)
    assert list(NearestNames.from_names(learned).distances(asked)) == whole


@pytest.mark.parametrize("length", [126, 127, 128, 255, 256, 300])
def test_long_names_are_measured_as_well(length):
    long = EncodedNames.from_lists([[1] * length, [2] * (length - 1)])
    assert edit_distances(long.tokens[:length], long).tolist() == [0, length]
    short = EncodedNames.from_lists([[1, 2], [3]])
    assert list(NearestNames.from_names(long).distances(short)) == [length - 2, length - 1]
    assert list(NearestNames.from_names(short).distances(long)) == [length - 1, length - 2]


def test_the_nearest_of_no_names_is_an_error():
    nobody = EncodedNames.from_lists([])
    assert not list(NearestNames.from_names(EncodedNames.from_lists([[1]])).distances(nobody))
    with pytest.raises(ValueError, match="no names"):
        NearestNames.from_names(nobody)
