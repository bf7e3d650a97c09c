"""A few of the attacks of `make torture`, always the same ones."""

import random

import pytest
from attacks import ATTACKS, Place
from corruptions import CORRUPTIONS

CASES = [
    *(("kill_by_call", 10), ("soak", 1), ("failing_disk", 1)),
    *(("corruption", 2), ("document", 1), ("fuzz", 1)),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("torture"))


@pytest.mark.parametrize(("attack", "case"), CASES)
def test_an_attack_leaves_no_traceback_and_the_run_after_it_makes_the_same_bytes(attack, case, place):
    assert ATTACKS[attack](random.Random(case), place) == ""


def test_an_attack_that_changes_what_is_read_would_be_seen(place):
    """The attacks can fail: other bytes under an intact manifest are a fault."""
    store = place.copy()
    (model,) = store.glob("vocabulary/*")
    place.files[f"vocabulary/{model.name}/vocabulary.parquet"] += b"x"
    try:
        assert "vocabulary.parquet" in place.fault_of_rerun(store)
    finally:
        name = f"vocabulary/{model.name}/vocabulary.parquet"
        place.files[name] = place.files[name][:-1]


def test_a_store_goes_bad_in_twenty_five_ways_and_each_changes_it(place):
    unchanged = set()
    for kind, corrupt in CORRUPTIONS.items():
        store = place.copy()
        before = {path: path.lstat() for path in store.rglob("*")}
        victim = sorted(path for path in store.glob("profile/*/*.parquet"))[0]
        corrupt(victim, random.Random(1))
        if before == {path: path.lstat() for path in store.rglob("*")}:
            unchanged.add(kind)
    assert not unchanged
