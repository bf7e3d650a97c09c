"""Names by partitions, and which of them repeat earlier ones."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.partitions import partition_of, rows_by_partition
from data.text import equal_names
from data.text.equal_names import first_occurrences, first_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(["", "a", "b", "ab"])
NAMES = st.lists(TEXT, max_size=20)
ALIKE = st.builds("".join, st.tuples(st.sampled_from(["", "a" * 7, "a" * 22]), st.text("ab\0é", max_size=3)))
TYPES = st.sampled_from([pa.string(), pa.large_string()])


def chunked(names, cut, type_=None):
    """The same names in two chunks that are both cut out of longer arrays."""
    parts = [
        pa.array(["x", *part, "y"], type_ or pa.string()).slice(1, len(part))
        for part in (names[:cut], names[cut:])
    ]
    return pa.chunked_array(parts, type_ or pa.string())


def test_the_partition_of_a_name_never_changes():
    names = pa.array(["", "Anna", "anna", "Jos\u00e9", "Jose\u0301", "\u674e", "\0"])
    assert partition_of(names, 64).tolist() == [0, 6, 42, 22, 5, 3, 3]
    assert partition_of(names, 1000).tolist() == [0, 830, 378, 990, 109, 955, 147]
    assert partition_of(names, 1).tolist() == [0] * 7


@given(NAMES, st.integers(0, 20), TYPES, st.integers(1, 300))
def test_a_partition_depends_on_the_name_alone(names, cut, type_, partitions):
    alone = [int(partition_of(pa.array([name]), partitions)[0]) for name in names]
    assert partition_of(pa.array(names, type_), partitions).tolist() == alone
    assert partition_of(chunked(names, cut, type_), partitions).tolist() == alone
    assert partition_of(pa.array(names, type_)[cut:], partitions).tolist() == alone[cut:]
    assert all(0 <= partition < partitions for partition in alone)


def test_partitions_are_about_equally_full():
    names = pa.array([f"{number:x}" for number in range(64_000)])
    counts = np.bincount(partition_of(names, 64), minlength=64)
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 63 + 5 * np.sqrt(2 * 63)


@pytest.fixture(params=[1, 3, 1 << 16])
def names_at_once(request, monkeypatch):
    monkeypatch.setattr(equal_names, "_AT_ONCE", request.param)


@pytest.mark.usefixtures("names_at_once")
@given(NAMES, st.integers(0, 20), TYPES)
def test_a_name_occurs_first_where_no_equal_one_comes_before(names, cut, type_):
    first = [name not in names[:row] for row, name in enumerate(names)]
    assert first_occurrences(pa.array(names, type_)).tolist() == first
    assert first_occurrences(chunked(names, cut, type_)).tolist() == first
    cut_out = names[cut:]
    later = [name not in cut_out[:row] for row, name in enumerate(cut_out)]
    assert first_occurrences(pa.array(names, type_)[cut:]).tolist() == later


@pytest.mark.usefixtures("names_at_once")
@given(st.lists(ALIKE, max_size=30), st.integers(0, 30), TYPES, st.booleans())
def test_names_that_are_long_or_have_one_hash_are_still_told_apart(names, cut, type_, one_hash):
    with pytest.MonkeyPatch.context() as patch:
        if one_hash:
            patch.setattr(equal_names, "_WEIGHTS", np.zeros(3, np.uint64))
        rows = first_rows(chunked(names, cut, type_)).tolist()
    assert rows == [names.index(name) for name in names]


@given(st.lists(TEXT, max_size=40), st.integers(1, 7))
def test_going_through_partitions_finds_the_same_repeats_as_going_through_all(names, partitions):
    together = pa.array(names, pa.string())
    rows, offsets = rows_by_partition(partition_of(together, partitions), partitions)
    first = np.zeros(len(names), np.bool_)
    for start, stop in pairwise(offsets):
        part = rows[start:stop]
        first[part] = first_occurrences(together.take(pa.array(part)))
    assert first.tolist() == first_occurrences(together).tolist()


@given(st.data(), st.sampled_from([1, 2, 255, 256, 257, 65_536, 70_000]))
def test_grouping_keeps_the_order_within_a_partition(data, partitions):
    partition = np.array(data.draw(st.lists(st.integers(0, partitions - 1), max_size=30)), np.int64)
    rows, offsets = rows_by_partition(partition, partitions)
    assert rows.tolist() == sorted(range(len(partition)), key=lambda row: partition[row])
    assert len(offsets) == partitions + 1
    assert offsets[0] == 0
    assert np.diff(offsets).tolist() == np.bincount(partition, minlength=partitions).tolist()


def test_no_names_have_no_partitions_and_no_repeats():
    for nothing in (pa.array([], pa.string()), pa.array(["a"])[1:], pa.chunked_array([], pa.string())):
        assert partition_of(nothing, 3).tolist() == []
        assert first_occurrences(nothing).tolist() == []
    rows, offsets = rows_by_partition(partition_of(pa.array([], pa.string()), 3), 3)
    assert rows.tolist() == []
    assert offsets.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("sift", [first_occurrences, lambda names: partition_of(names, 2)])
@pytest.mark.parametrize("names", [pa.array(["a", None]), pa.chunked_array([["a"], [None]])])
def test_a_name_that_is_null_is_refused(sift, names):
    with pytest.raises(ValueError, match="1 of 2 are null"):
        sift(names)


def test_only_text_has_a_partition():
    with pytest.raises(ValueError, match="names must be strings, got int64"):
        partition_of(pa.array([1, 2]), 2)
