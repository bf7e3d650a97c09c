"""A store in a folder and a store in a bucket: one behavior, and nothing above can tell which it is."""

import multiprocessing
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_artifacts import put, recipe_of

from artifacts.open_store import open_store
from artifacts.registry import ConflictError, Entry, Reference
from artifacts.store import Store
from rnn_core.errors import DataError

BY = {"engine": "test"}


def find(place, recipe):
    reasons: list[str] = []
    artifact = place.store.find(recipe.stage, recipe.key, reasons.append)
    return artifact, reasons


def test_what_was_committed_is_found_with_everything_in_its_manifest(place, recipe):
    assert find(place, recipe) == (None, [])
    artifact = put(place.store, recipe)
    assert find(place, recipe) == (artifact, [])
    assert artifact.table("names.parquet").num_rows == 150
    assert artifact.arrays("model.npz", lambda _: None)["W_hh"].shape == (8, 8)
    assert artifact.text("report.html").startswith("<p>Ana</p>")
    assert list(place.store.list()) == list(place.store.list(recipe.stage)) == [artifact.manifest()]
    assert list(place.store.keys(recipe.stage)) == [recipe.key]
    assert recipe.stage in place.store.entries()


def test_both_stores_give_one_digest(place, recipe, tmp_path):
    assert put(place.store, recipe).digest == put(Store(tmp_path / "other"), recipe).digest


def test_another_machine_finds_the_same_artifact(place, recipe, tmp_path, monkeypatch):
    artifact = put(place.store, recipe)
    elsewhere = place.another_machine(tmp_path / "elsewhere", monkeypatch)
    found, fault = elsewhere.examine(recipe.stage, recipe.key)
    assert not fault
    assert found.manifest() == artifact.manifest()
    assert found.table("names.parquet") == artifact.table("names.parquet")


def test_an_artifact_that_travels_to_another_machine_is_read_there(place, recipe, tmp_path, monkeypatch):
    travelling = pickle.dumps(put(place.store, recipe))
    place.another_machine(tmp_path / "elsewhere", monkeypatch)
    arrived = pickle.loads(travelling)
    assert arrived.table("names.parquet").num_rows == 150
    if place.address:
        assert arrived.folder.is_relative_to(tmp_path / "elsewhere")


@pytest.mark.parametrize("name", ["names.parquet", "model.npz", "report.html", "manifest.json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-7],
        lambda content: bytes([*content[:40], content[40] ^ 4, *content[41:]]),
        lambda content: b"",  # noqa: ARG005
    ],
    ids=["truncated", "flipped", "emptied"],
)
def test_what_was_damaged_is_never_read_and_set_aside(place, recipe, tmp_path, monkeypatch, name, change):
    artifact = put(place.store, recipe)
    place.tamper(f"{recipe.stage}/{recipe.key}/{name}", change)
    store = place.another_machine(tmp_path / "elsewhere", monkeypatch)
    again = store.examine(recipe.stage, recipe.key)
    assert again[0] is None
    assert name in again[1]
    reasons: list[str] = []
    assert store.find(recipe.stage, recipe.key, reasons.append) is None
    assert name in reasons[0]
    assert "quarantine" in reasons[0]
    assert store.find(recipe.stage, recipe.key, reasons.append) is None
    assert put(store, recipe).digest == artifact.digest
    assert store.examine(recipe.stage, recipe.key)[1] == ""


def test_what_was_removed_is_nowhere(place, recipe, tmp_path, monkeypatch):
    artifact = put(place.store, recipe)
    put(place.store, other := replace(recipe, version=9))
    place.store.remove(artifact)
    assert find(place, recipe) == (None, [])
    assert list(place.store.keys(recipe.stage)) == [other.key]
    elsewhere = place.another_machine(tmp_path / "elsewhere", monkeypatch)
    assert elsewhere.examine(recipe.stage, recipe.key) == (None, "")


def test_what_is_made_again_takes_the_place_of_what_was_there(place, recipe):
    first = put(place.store, recipe)
    store = place.store
    with store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        draft = store.writer(recipe.stage, recipe.key)
        draft.write_text("report.html", "another page")
        second = store.commit(draft, recipe, origins={}, seconds=0.5, run=BY)
    assert second.digest != first.digest
    assert find(place, recipe) == (second, [])
    assert second.text("report.html") == "another page"


def test_what_was_begun_and_given_up_is_seen_by_nobody(place, recipe):
    store = place.store
    with store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        draft = store.writer(recipe.stage, recipe.key)
        draft.write_text("report.html", "a page")
        draft.discard()
    assert find(place, recipe) == (None, [])
    assert list(store.list()) == []


def test_one_at_a_time_holds_a_key(place, recipe):
    class GivenUp(Exception):
        pass

    waits = []

    def give_up():
        waits.append(1)
        if len(waits) > 3:
            raise GivenUp

    with place.store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        with place.store.try_lock(recipe.stage, recipe.key) as is_held:
            assert not is_held
        with pytest.raises(GivenUp), place.store.lock(recipe.stage, recipe.key, on_wait=give_up):
            pass
    with place.store.try_lock(recipe.stage, recipe.key) as is_held:
        assert is_held


def model(name):
    return Reference("mixture", name, f"digest of {name}")


def test_the_registry_keeps_every_change_and_refuses_who_was_overtaken(place):
    champion = place.store.registry("champion")
    assert champion.current() is None
    entries = [Entry.now(model(name), None, "decision/1", BY) for name in "ab"]
    champion.promote(entries[0], None, on_wait=lambda: None)
    with pytest.raises(ConflictError) as caught:
        champion.promote(entries[1], None, on_wait=lambda: None)
    assert "mixture/a" in caught.value.saw
    champion.promote(entries[1], model("a"), on_wait=lambda: None)
    assert place.store.registry("champion").history() == tuple(entries)
    assert [registry.role for registry in place.store.registries()] == ["champion"]
    rolled_back = champion.roll_back(model("b"), BY, check=lambda _: None, on_wait=lambda: None)
    assert rolled_back == (model("b"), model("a"))
    with pytest.raises(DataError, match="no previous artifact"):
        champion.roll_back(model("a"), BY, check=lambda _: None, on_wait=lambda: None)


def _promote(root: Path, name: str) -> None:
    registry = open_store(root).registry("champion")
    while True:
        top = registry.current()
        expected = top.artifact if top else None
        try:
            registry.promote(Entry.now(model(name), expected, "decision/1", BY), expected, lambda: None)
            return
        except ConflictError:
            pass


def test_promotions_of_eight_processes_at_once_are_all_in_the_history(place):
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        pool.starmap(_promote, [(place.root, name) for name in "abcdefgh"])
    history = place.store.registry("champion").history()
    assert sorted(entry.artifact.key for entry in history) == list("abcdefgh")
    assert [entry.against and entry.against.key for entry in history[1:]] == [
        entry.artifact.key for entry in history[:-1]
    ]


def test_a_checkpoint_goes_on_where_it_was_left(place, tmp_path, monkeypatch):
    checkpoint = place.store.checkpoint("model", "key")
    assert not checkpoint.exists()
    assert checkpoint.read() is None
    checkpoint.write({"step": np.array(7)})
    checkpoint.write({"step": np.array(8)})
    checkpoint.flush()
    elsewhere = place.another_machine(tmp_path / "elsewhere", monkeypatch).checkpoint("model", "key")
    assert elsewhere.exists()
    assert elsewhere.read()["step"] == 8
    elsewhere.write({"step": np.array(9)})
    elsewhere.flush()
    assert place.store.checkpoint("model", "key").read()["step"] == 9
    elsewhere.discard()
    assert not elsewhere.exists()


def test_a_damaged_registry_is_reported_and_not_written_over(place):
    champion = place.store.registry("champion")
    champion.promote(Entry.now(model("a"), None, "decision/1", BY), None, on_wait=lambda: None)
    place.tamper("registry/champion.json", lambda content: content.replace(b"mixture", b"mixtrue"))
    for deed in (
        champion.current,
        lambda: champion.promote(Entry.now(model("b"), None, "x/1", BY), model("a"), on_wait=lambda: None),
    ):
        with pytest.raises(DataError) as caught:
            deed()
        assert caught.value.code == "registry.damaged"


def test_recipes_of_other_stages_do_not_mix(place):
    one, two = (put(place.store, recipe_of(stage)) for stage in ("names", "towns"))
    assert [each.recipe.stage for each in place.store.list("towns")] == ["towns"]
    assert one.stage != two.stage
