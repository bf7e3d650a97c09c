import random

import pytest
from hypothesis import given, settings
from profiled_lists import SOURCES, profiled

from data import schemas
from data.changes import changes, changes_table
from data.config import GateConfig
from rnn_core.errors import ConfigError

TOWNS = [
    f"{first}{last}" for first in ("Bern", "Zür", "Ölten", "Ge") for last in ("au", "ñon", "ís", "wil", "é")
]
OPEN = GateConfig(**dict.fromkeys(GateConfig().limits))


def beyond(before, after, limits=GateConfig()):
    found = changes(profiled({"towns": before}), profiled({"towns": after}), limits)
    return [each.measure for each in found if not each.within]


def by_measure(before, after):
    return {each.measure: each for each in changes(profiled(before), profiled(after), GateConfig())}


@given(SOURCES)
def test_the_same_lists_have_not_changed(lists):
    found = changes(profiled(lists), profiled(lists), GateConfig(**dict.fromkeys(GateConfig().limits, 0.0)))
    assert all(each.within for each in found)
    assert {each.change for each in found} == {0.0}
    assert [each.value for each in found if each.measure == "rows"] == list(lists)


@settings(max_examples=25)  # pandera takes its time
@given(SOURCES, SOURCES)
def test_changes_are_a_table_of_their_schema_and_what_is_new_one_way_is_lost_the_other(before, after):
    there, back = (changes(*map(profiled, pair), OPEN) for pair in ((before, after), (after, before)))
    assert all(each.within for each in (*there, *back))
    for found in (there, back):
        schemas.conform(schemas.CHANGES, changes_table(found))
    new = {each.value: each.after for each in there if each.measure == "new_character"}
    lost = {each.value: each.before for each in back if each.measure == "lost_character"}
    assert new == lost
    one, other = (
        next(each for each in found if each.measure == "length_distance") for found in (there, back)
    )
    assert one.change == pytest.approx(other.change)


def test_nothing_to_compare_is_a_table_without_rows():
    assert schemas.conform(schemas.CHANGES, changes_table([])).num_rows == 0


def test_ordinary_growth_is_let_through():
    more = [*TOWNS * 20, *(f"Ge{town}" for town in TOWNS * 5), "Łódź"]
    assert beyond(TOWNS * 20, more) == []
    assert beyond(more, more[: int(0.95 * len(more))]) == []


def test_half_a_list_is_too_few_and_a_list_three_times_as_long_too_many():
    assert beyond(TOWNS * 2, TOWNS) == ["rows_lost"]
    assert beyond(TOWNS, [*TOWNS, *(f"{town}{n}" for town in TOWNS for n in "abc")])[:1] == ["rows_gained"]


def test_a_list_read_in_the_wrong_encoding_is_stopped_by_its_new_and_its_lost_characters():
    mangled = [town.encode().decode("latin-1") for town in TOWNS]
    assert {"new_characters", "lost_characters"} <= set(beyond(TOWNS, mangled))
    without = [town.encode("ascii", "ignore").decode() for town in TOWNS]
    assert "lost_characters" in beyond(TOWNS, without)


def test_a_list_that_stands_twice_in_its_file_is_stopped_by_its_duplicates():
    assert beyond(TOWNS, TOWNS * 2) == ["duplicates_gained"]


def test_a_column_with_something_else_is_stopped_by_its_lengths():
    shuffled = [
        "".join(random.Random(seed).sample(town * 3, 2 * len(town))) for seed, town in enumerate(TOWNS)
    ]
    assert beyond(TOWNS, shuffled) == ["length_distance"]


def test_every_limit_can_be_switched_off():
    for limit in GateConfig().limits:
        assert beyond(TOWNS * 10, ["Ω" * 30], OPEN) == []
        closed = GateConfig(**{**dict.fromkeys(GateConfig().limits), limit: 0.0})
        assert len(beyond(TOWNS * 10, ["Ω" * 30] * 2, closed)) <= 1


def test_a_change_says_what_was_there_before_and_what_is_there_now():
    found = by_measure({"towns": ["Bern", "Bern", "Biel", "Chur"]}, {"towns": ["Bern", "Biel", "Ümi"]})
    assert found["rows_lost"][2:5] == (4, 3, 0.25)
    assert found["new_characters"][2:5] == (0, 2, pytest.approx(2 / 11))
    assert found["lost_characters"][2:5] == (3, 0, pytest.approx(3 / 16))
    assert found["duplicates_gained"][2:5] == (0.25, 0.0, 0.0)
    assert found["length_distance"][2:5] == (4.0, pytest.approx(11 / 3), pytest.approx(1 / 3))


def test_every_character_that_is_new_or_gone_is_named_with_its_count_the_most_frequent_first():
    found = changes(profiled({"towns": ["Bern"]}), profiled({"towns": ["Bäärn", "Bür"]}), GateConfig())
    named = [(each.measure, each.value, each.before, each.after) for each in found if len(each.value) == 1]
    assert named == [
        ("new_character", "ä", 0, 2),
        ("new_character", "ü", 0, 1),
        ("lost_character", "e", 1, 0),
    ]


def test_a_source_that_is_new_and_one_that_is_gone_are_reported():
    found = changes(profiled({"towns": ["Bern"]}), profiled({"rivers": ["Aare"]}), GateConfig())
    rows = [(each.value, each.before, each.after, each.change) for each in found if each.measure == "rows"]
    assert rows == [("towns", 1, 0, -1.0), ("rivers", 0, 1, float("inf"))]


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), True])
def test_a_limit_is_a_number_from_0_on(value):
    with pytest.raises(ConfigError, match=r"GateConfig\.max_rows_lost"):
        GateConfig(max_rows_lost=value)


def test_a_mode_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"GateConfig\.mode"):
        GateConfig(mode="warn")
