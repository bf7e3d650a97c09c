"""A store in a folder and a store in a bucket are put in order by one set of rules."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_artifacts import put, recipe_of

from artifacts.bucket.address import inside
from artifacts.dataset import Dataset
from artifacts.gc import GarbageCollector, MaintenanceAction
from tasks.config.maintenance import MaintenanceConfig
from tasks.views.maintenance import maintenance_actions, summary

DAY = 86_400.0
KEY = "0" * 32
ATTEMPT = "0123456789abcdef"


def collector(place, days_later=0.0, dry_run=False):
    store = place.store
    return GarbageCollector(store, store.inventory().now() + days_later * DAY, dry_run)


def told(actions: list[MaintenanceAction]) -> list[tuple[str, str]]:
    return [(action.outcome, action.what) for action in actions]


def content(place) -> dict[str, Any]:
    """Everything in the store, but for locks."""
    if place.address:
        listing = place.store.objects.listing("")
        return {each.name: each.version for each in listing if not each.name.startswith("leases/")}
    return {
        str(path.relative_to(place.root)): path.read_bytes()
        for path in place.root.rglob("*")
        if path.is_file() and path.parent.name != "locks"
    }


def test_a_damaged_artifact_is_quarantined_and_a_whole_one_stays(place, recipe):
    whole, damaged = put(place.store, recipe), put(place.store, recipe_of("report"))
    assert told(list(collector(place).verify(["names", "report"]))) == [
        ("whole", whole.origin), ("whole", damaged.origin),
    ]  # fmt: skip
    place.tamper(f"{damaged.origin}/report.html", lambda page: page.replace(b"Ana", b"Eve"))
    planned = list(collector(place, dry_run=True).verify(["names", "report"]))
    actions = list(collector(place).verify(["names", "report"]))
    assert told(actions) == told(planned) == [("whole", whole.origin), ("damaged", damaged.origin)]
    assert "report.html does not match its sha256" in actions[1].why
    assert "quarantine" in actions[1].why
    assert actions[0].bytes >= sum(record.bytes for record in whole.manifest().files.values())
    assert [manifest.recipe.stage for manifest in place.store.list()] == ["names"]
    assert place.store.examine("report", damaged.key) == (None, "")


def test_a_damaged_artifact_is_left_to_the_run_that_makes_it_again(place, recipe):
    artifact = put(place.store, recipe)
    place.tamper(f"{artifact.origin}/model.npz", lambda content: content[:-1])
    with place.store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        before = content(place)
        assert told(list(collector(place).verify(["names"]))) == [("in use", artifact.origin)]
        assert content(place) == before


def abandon(place, stage, key):
    """What a run that dies leaves of an artifact."""
    if place.address:
        place.store.objects.overwrite(f"{stage}/{key}/{ATTEMPT}/half.txt", b"half")
        return f"{stage}/{key}/{ATTEMPT}"
    place.store.writer(stage, key).write_text("half.txt", "half")
    return f"scratch/{stage}-{key}"


@pytest.mark.parametrize("is_made", [False, True], ids=["never made", "made by another"])
def test_what_a_dead_run_left_is_cleared_and_what_another_committed_stays(place, recipe, is_made):
    if is_made:
        artifact = put(place.store, recipe)
    name = abandon(place, recipe.stage, recipe.key)
    with place.store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        assert told(list(collector(place, 2).clear_scratch())) == [("in use", name)]
    if place.address:  # whoever has lost its lease may still be about to commit
        assert not list(collector(place, 0.9).clear_scratch())
    assert told(list(collector(place, 2, dry_run=True).clear_scratch())) == [("removed", name)]
    assert told(list(collector(place, 2).clear_scratch())) == [("removed", name)]
    assert not list(collector(place, 2).clear_scratch())
    found, fault = place.store.examine(recipe.stage, recipe.key)
    assert not fault
    assert found == (artifact if is_made else None)


@pytest.mark.parametrize(("days", "left"), [(6, True), (8, False)])
def test_a_checkpoint_that_nobody_goes_on_with_is_removed_in_time(place, days, left):
    checkpoint = place.store.checkpoint("model", KEY)
    checkpoint.write({"step": np.array(7)})
    checkpoint.flush()
    list(collector(place, days).clear_checkpoints(7))
    assert (f"checkpoints/model/{KEY}.npz" in content(place)) == left


def test_a_checkpoint_whose_model_is_there_is_of_no_use(place):
    recipe = recipe_of("model")
    put(place.store, recipe)
    checkpoint = place.store.checkpoint("model", recipe.key)
    checkpoint.write({"step": np.array(7)})
    checkpoint.flush()
    (action,) = collector(place).clear_checkpoints(7)
    assert (action.outcome, action.why) == ("removed", "its model exists")


@pytest.mark.parametrize(("days", "left"), [(6, True), (8, False)])
def test_quarantine_is_emptied_in_time(place, recipe, days, left):
    put(place.store, recipe)
    place.store.quarantine(recipe.stage, recipe.key, "it was damaged by a test")
    list(collector(place, days).clear_quarantine(7))
    assert bool(place.store.entries("quarantine")) == left


def test_an_artifact_that_nothing_refers_to_is_removed_for_every_machine(
    place, recipe, tmp_path, monkeypatch
):
    artifact = put(place.store, recipe)
    artifact.mark_used()
    before = content(place)
    assert told(list(collector(place, dry_run=True).remove([artifact.manifest()]))) == [
        ("removed", artifact.origin)
    ]
    assert content(place) == before
    with place.store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        assert told(list(collector(place).remove([artifact.manifest()]))) == [("in use", artifact.origin)]
    assert content(place) == before
    (action,) = collector(place).remove([artifact.manifest()])
    assert action.bytes > 0
    assert content(place) == {}
    elsewhere = place.another_machine(tmp_path / "elsewhere", monkeypatch)
    assert elsewhere.examine(recipe.stage, recipe.key) == (None, "")


def test_a_store_that_is_too_large_loses_what_was_not_used_for_the_longest_time(place, tmp_path, monkeypatch):
    artifacts = [put(place.store, recipe_of("names", run=str(number))) for number in range(3)]
    time.sleep(1.1)  # a bucket's times are whole seconds
    users = place.another_machine(tmp_path / "elsewhere", monkeypatch)
    for used in artifacts[:2]:
        users.examine(used.stage, used.key)[0].mark_used()
    size = collector(place).inventory.size()
    removable = [artifact.manifest() for artifact in artifacts]
    planned = list(collector(place, dry_run=True).shrink(removable, size * 0.9))
    actions = list(collector(place).shrink(removable, size * 0.9))
    assert told(actions) == told(planned) == [("removed", artifacts[2].origin)]
    (action,) = collector(place).shrink([], 1.0)
    assert (action.outcome, action.what) == ("kept", ".")


def ask(dataset, recipe):
    with dataset.claim(recipe, overwrite=False, on_wait=lambda: None):
        time.sleep(1.1)  # a bucket's times are whole seconds


def test_lists_that_nobody_asked_for_are_removed_in_time_but_for_the_latest(place, recipe):
    lists = {name: Dataset(inside(place.root, "generated", name)) for name in ("a", "b", "c")}
    for dataset in lists.values():
        ask(dataset, recipe)
    with lists["a"].claim(recipe, overwrite=False, on_wait=lambda: None):
        time.sleep(1.1)
        ask(lists["c"], recipe)
        lists["c"].point_to("latest")
        assert not list(collector(place, 7).clear_lists("generated", 8, "latest"))
        before = content(place)
        planned = list(collector(place, 9, dry_run=True).clear_lists("generated", 8, "latest"))
        assert told(planned) == [("removed", "generated/a"), ("removed", "generated/b")]
        assert content(place) == before
        actions = list(collector(place, 9).clear_lists("generated", 8, "latest"))
        assert told(actions) == [("in use", "generated/a"), ("removed", "generated/b")]
    assert [name for name in place.store.entries("generated") if name != "latest"] == ["a", "c"]
    ask(lists["c"], recipe)
    assert told(list(collector(place, 9).clear_lists("generated", 8, "latest"))) == [
        ("removed", "generated/a")
    ]
    assert not [name for name in content(place) if name.startswith(("generated/a", "generated/b"))]


def test_locks_that_nobody_needs_are_removed_and_one_that_is_held_stays(place, recipe):
    held = recipe_of("report")
    for made in (recipe, held):
        place.store.remove(put(place.store, made))
    with place.store.lock(held.stage, held.key, on_wait=lambda: None):
        collector(place, 2, dry_run=True).clear_locks()
        assert len(place.store.entries("leases" if place.address else "locks")) >= 2
        collector(place, 2).clear_locks()
        left = place.store.entries("leases" if place.address else "locks")
        assert [name.partition(".")[0] for name in left if name != "clock"] == [f"report-{held.key}"]
    put(place.store, recipe)
    assert place.store.examine(recipe.stage, recipe.key)[0]


def test_maintain_says_what_it_did_and_does_it(place, recipe):
    whole, damaged = put(place.store, recipe), put(place.store, recipe_of("report"))
    place.tamper(f"{damaged.origin}/model.npz", lambda content: content[::-1])
    for dry_run, words in ((True, "1 found damaged"), (False, "1 set aside as damaged")):
        actions = list(maintenance_actions(MaintenanceConfig(), place.root, dry_run))
        assert told(actions) == [("whole", whole.origin), ("damaged", damaged.origin)]
        assert summary(actions, dry_run).startswith(f"1 artifacts whole, {words}, 0 ")
    small = MaintenanceConfig(max_size="1KB", keep_last=1)
    assert told(list(maintenance_actions(small, place.root, dry_run=False)))[-1] == ("kept", ".")


def test_what_a_generated_list_refers_to_stays_and_what_nothing_refers_to_goes(place, recipe):
    model = put(place.store, recipe)
    dataset = Dataset(inside(place.root, "generated", "a"))
    request = replace(recipe, stage="generated", inputs={"model": model.digest})
    origins, metadata = {"model": model.origin}, {"names": 1, "first": ["Ana"]}
    with dataset.claim(request, overwrite=False, on_wait=lambda: None):
        dataset.finish(request, [model], metadata=metadata, origins=origins, seconds=0.0, run={})
    other = put(place.store, recipe_of("names", run="2"))
    time.sleep(1.1)  # the times of manifests are whole seconds
    newest = put(place.store, recipe_of("names", run="3"))
    time.sleep(1.1)
    config = MaintenanceConfig(artifact_days=0, keep_last=1)
    actions = list(maintenance_actions(config, place.root, dry_run=False))
    assert [action.what for action in actions if action.outcome == "removed"] == [other.origin]
    assert {manifest.recipe.key for manifest in place.store.list("names")} == {model.key, newest.key}
