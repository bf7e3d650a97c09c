from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiled_lists import SOURCES, corpus, profiled, rejected

from data import schemas
from data.profile import profile
from tasks.report.lists import lists_section
from tasks.report.sections import cell


@given(SOURCES)
def test_the_counts_of_a_profile_are_those_that_python_counts_name_by_name(lists):
    known = profiled(lists)
    assert known.sources == list(lists)
    for source, names in lists.items():
        assert known.count("taken", source) == known.count("kept", source) == len(names)
        assert known.count("distinct", source) == len(set(names))
        assert known.counts("character", source) == dict(Counter("".join(names)))
        assert dict(enumerate(known.lengths(source))) == {
            length: Counter(map(len, names))[length] for length in range(max(map(len, names)) + 1)
        }
    together = [name for names in lists.values() for name in names]
    assert known.count("distinct") == len(set(together))
    assert known.counts("character") == dict(Counter("".join(together)))
    assert known.duplicates() == pytest.approx(1 - len(set(together)) / len(together))


@given(SOURCES)
def test_names_in_two_sources_are_counted_once_however_often_they_stand_there(lists):
    known = profiled(lists)
    for source in lists:
        for other, count in known.counts("overlap", source).items():
            assert count == len(set(lists[source]) & set(lists[other]))


@settings(max_examples=25)  # pandera takes its time
@given(SOURCES)
def test_a_profile_is_a_table_of_its_schema_and_the_same_whenever_it_is_made(lists):
    tables = [corpus(*each) for each in lists.items()]
    first, again = (profile(tables, pa.concat_tables(tables), {}) for _ in range(2))
    assert schemas.conform(schemas.PROFILE, first).equals(schemas.conform(schemas.PROFILE, again))


def test_names_are_counted_alike_in_one_piece_and_in_many():
    names = [f"name {number % 700}" for number in range(2000)]
    whole = corpus("towns", names)
    pieces = pa.concat_tables([whole.slice(start, 77) for start in range(0, 2000, 77)])
    assert profile([pieces], pieces, {}).equals(profile([whole], whole, {}))


def test_rows_that_were_not_taken_are_counted_by_source_step_and_reason():
    read, valid = ("towns", "blank line"), ("towns", "too long")
    known = profiled(
        {"towns": ["Bern"], "rivers": ["Aare"]},
        not_read=rejected(read, ("rivers", "blank line"), read),
        not_valid=rejected(valid),
    )
    assert known.counts("not_read", "towns") == {"blank line": 2}
    assert known.counts("not_read") == {"blank line": 3}
    assert known.counts("not_valid", "towns") == {"too long": 1}
    assert known.counts("not_merged", "towns") == {}


def rows_of(known):
    """Of the table of the lists, as text."""
    return [[cell(value).text for value in row] for row in lists_section(known).table.rows]


def test_the_figures_of_a_list_are_its_lines_its_names_and_their_lengths():
    known = profiled({"towns": ["Bern", "Bern", "Au", "Zürich"]}, not_read=rejected(("towns", "blank line")))
    assert rows_of(known) == [["towns", "5", "4", "3", "4", "2/4/6", "11"]]
    heads = [column.title for column in lists_section(known).table.columns]
    assert heads == ["source", "lines", "names", "distinct", "kept", "min/median/max", "characters"]


def test_several_lists_have_figures_together_as_well():
    rows = rows_of(profiled({"towns": ["Bern", "Au"], "rivers": ["Aare", "Au"]}))
    assert [row[0] for row in rows] == ["towns", "rivers", "all"]
    assert rows[-1] == ["all", "4", "4", "3", "4", "2/2/4", "7"]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_the_median_length_is_the_middle_one(lengths):
    ((*_, spread, _characters),) = rows_of(profiled({"towns": ["x" * (length + 1) for length in lengths]}))
    assert int(spread.split("/")[1]) == int(np.percentile(lengths, 50, method="inverted_cdf")) + 1
