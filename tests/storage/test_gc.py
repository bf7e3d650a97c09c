"""A store is put in order, and nothing that anyone uses is touched."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_artifacts import put, recipe_of

from artifacts.dataset import Dataset
from artifacts.gc import GarbageCollector, MaintenanceAction, unreferenced_artifacts
from artifacts.keys import Recipe
from artifacts.store import Artifact, Store
from rnn_core.errors import ConfigError
from tasks.config.maintenance import MaintenanceConfig

DAY = 86_400.0


@dataclass(frozen=True)
class NoKnobs:
    pass


def upkeep(store: Store, days_later: float = 0.0, dry_run: bool = False) -> GarbageCollector:
    return GarbageCollector(store, time.time() + days_later * DAY, dry_run)


def told(acts: list[MaintenanceAction]) -> list[tuple[str, str]]:
    return [(act.outcome, act.what) for act in acts]


def files(store: Store) -> set[Path]:
    return {path for path in store.root.rglob("*") if path.parent.name != "locks"}


def damage(artifact: Artifact) -> None:
    (artifact.folder / "report.html").write_text("<p>Eve</p>")


def test_a_damaged_artifact_is_quarantined_and_a_whole_one_stays(store: Store) -> None:
    whole, damaged = (put(store, recipe_of(stage)) for stage in ("names", "report"))
    damage(damaged)
    acts = list(upkeep(store).verify(["names", "report"]))
    assert told(acts) == [("whole", whole.origin), ("damaged", damaged.origin)]
    assert "report.html does not match its sha256" in acts[1].why
    assert store.examine("names", whole.key)[0] == whole
    assert not damaged.folder.exists()
    assert [path.name for path in (store.root / "quarantine").glob("*/*/report.html")] == ["report.html"]


def test_what_a_dead_run_left_is_cleared(store: Store) -> None:
    recipe = recipe_of("names")
    store.writer(recipe.stage, recipe.key).write_text("half.txt", "half")
    (act,) = upkeep(store).clear_scratch()
    assert told([act]) == [("removed", f"scratch/names-{recipe.key}")]
    assert not list((store.root / "scratch").iterdir())


def test_what_somebody_writes_at_this_moment_is_left_alone(store: Store) -> None:
    recipe = recipe_of("names")
    artifact = put(store, recipe)
    damage(artifact)
    with store.lock(recipe.stage, recipe.key, on_wait=lambda: None):
        draft = store.writer(recipe.stage, recipe.key)
        checkpoint = draft.checkpoint
        checkpoint.write({})
        before = files(store)
        busy = upkeep(store, days_later=1000)
        acts = [
            *busy.verify(["names"]),
            *busy.clear_scratch(),
            *busy.clear_checkpoints(1),
            *busy.remove([artifact.manifest()]),
        ]
    assert [act.outcome for act in acts] == ["in use"] * 4
    assert files(store) == before


@pytest.mark.parametrize(("days", "left"), [(6, 1), (8, 0)])
def test_a_checkpoint_that_nobody_goes_on_with_is_removed_in_time(store: Store, days: int, left: int) -> None:
    recipe = recipe_of("model")
    store.checkpoint(recipe.stage, recipe.key).write({})
    list(upkeep(store, days_later=days).clear_checkpoints(7))
    assert len(list(store.root.glob("checkpoints/model/*.npz"))) == left


def test_a_checkpoint_whose_model_is_there_is_of_no_use(store: Store) -> None:
    recipe = recipe_of("model")
    put(store, recipe)
    store.checkpoint(recipe.stage, recipe.key).write({})
    (act,) = upkeep(store).clear_checkpoints(7)
    assert (act.outcome, act.why) == ("removed", "its model exists")


@pytest.mark.parametrize(("days", "left"), [(6, 1), (8, 0)])
def test_quarantine_is_emptied_in_time(store: Store, days: int, left: int) -> None:
    damage(put(store, recipe_of("names")))
    list(upkeep(store).verify(["names"]))
    list(upkeep(store, days_later=days).clear_quarantine(7))
    assert len(list((store.root / "quarantine").iterdir())) == left


def test_a_dry_run_says_the_same_and_touches_nothing(store: Store) -> None:
    names, report = recipe_of("names"), recipe_of("report")
    old, damaged = put(store, names), put(store, report)
    damage(damaged)
    store.writer("names", "0" * 32)
    store.checkpoint("model", "1" * 32).write({})

    def acts(dry_run: bool) -> list[MaintenanceAction]:
        order = upkeep(store, days_later=99, dry_run=dry_run)
        return [
            *order.verify(["report"]),
            *order.clear_scratch(),
            *order.clear_checkpoints(7),
            *order.remove([made for made in store.list() if made.recipe == names]),
        ]

    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    said = acts(dry_run=True)
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before
    assert told(said) == told(acts(dry_run=False))
    assert not old.folder.exists()


def chained(store: Store, parents: list[list[int]]) -> list[str]:
    """Artifacts of which each was made from earlier ones; their origins."""
    origins: list[str] = []
    for number, inputs in enumerate(parents):
        made_from = {str(each): origins[each] for each in inputs}
        recipe = Recipe.for_stage(f"stage{number % 3}", number, NoKnobs(), made_from)
        draft = store.writer(recipe.stage, recipe.key)
        draft.write_text("number.txt", str(number))
        origins.append(
            store.commit(draft, recipe, origins=made_from, seconds=0.0, run={"engine": "plain"}).origin
        )
    return origins


TREES = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        *[
            st.lists(st.integers(0, max(at - 1, 0)), max_size=2 if at else 0, unique=True)
            for at in range(size)
        ]
    )
)


@settings(max_examples=15)  # every artifact is forced to the disk
@given(parents=TREES, data=st.data())
def test_nothing_that_is_kept_loses_what_it_was_made_from(
    tmp_path_factory: pytest.TempPathFactory, parents: tuple[list[int], ...], data: st.DataObject
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    origins = chained(store, list(parents))
    roots = data.draw(st.lists(st.sampled_from(origins), unique=True))
    keep_last = data.draw(st.integers(1, 3))
    stages = ["stage0", "stage1", "stage2"]
    gone = unreferenced_artifacts(store, stages, roots, keep_last, datetime.now(UTC) + timedelta(days=1))
    removed = {f"{made.recipe.stage}/{made.recipe.key}" for made in gone}
    assert not removed & set(roots)
    kept = [made for made in store.list() if f"{made.recipe.stage}/{made.recipe.key}" not in removed]
    for made in kept:
        assert not removed & set(made.origins.values())
    for stage in stages:
        of_stage = sum(origin.startswith(stage) for origin in origins)
        assert sum(made.recipe.stage == stage for made in kept) >= min(keep_last, of_stage)


def test_what_is_young_is_kept(store: Store) -> None:
    chained(store, [[], [], [], [], []])
    stages = ["stage0", "stage1"]
    assert not unreferenced_artifacts(store, stages, [], 1, datetime.now(UTC) - timedelta(days=1))
    assert len(unreferenced_artifacts(store, stages, [], 1, datetime.now(UTC) + timedelta(days=1))) == 2


def test_an_artifact_that_nothing_refers_to_is_removed(store: Store) -> None:
    artifact = put(store, recipe_of("names"))
    (act,) = upkeep(store).remove([artifact.manifest()])
    assert told([act]) == [("removed", artifact.origin)]
    assert act.bytes > 0
    assert not artifact.folder.exists()
    assert not list((store.root / "scratch").glob("*/*"))


def test_a_store_that_is_too_large_loses_what_was_not_used_for_the_longest_time(store: Store) -> None:
    artifacts = [put(store, recipe_of("names", run=str(number))) for number in range(4)]
    for age, artifact in enumerate(artifacts):
        os.utime(artifact.folder / "manifest.json", (1000 - age, 1000 - age))
    list(upkeep(store).verify(["names"]))  # which is no use
    artifacts[3].mark_used()  # the oldest until now
    size = sum(path.stat().st_size for path in store.root.rglob("*") if path.is_file())
    removable = [artifact.manifest() for artifact in artifacts]
    planned = list(upkeep(store, dry_run=True).shrink(removable, size * 0.6))
    acts = list(upkeep(store).shrink(removable, size * 0.6))
    assert told(acts) == told(planned) == [("removed", artifacts[2].origin), ("removed", artifacts[1].origin)]
    (act,) = upkeep(store).shrink([], 1.0)
    assert (act.outcome, act.what) == ("kept", ".")
    assert {written.recipe.key for written in store.list()} == {artifacts[0].key, artifacts[3].key}


def test_lists_that_nobody_asked_for_are_removed_in_time_but_for_the_latest(store: Store) -> None:
    for name in ("a", "b", "c"):
        (store.root / "generated" / name / "__namewright__").mkdir(parents=True)
        (store.root / "generated" / name / "__namewright__" / "lock").touch()
        (store.root / "generated" / name / "part-00000.parquet").write_bytes(bytes(1000))
    (store.root / "generated" / "latest").symlink_to("b")
    (store.root / "generated" / "mine").mkdir()
    with Dataset(store.root / "generated" / "c").try_claim():
        acts = list(upkeep(store, days_later=9).clear_lists("generated", 8, "latest"))
    assert told(acts) == [("removed", "generated/a"), ("in use", "generated/c")]
    assert sorted(path.name for path in (store.root / "generated").iterdir()) == ["b", "c", "latest", "mine"]
    assert not list(upkeep(store, days_later=7).clear_lists("generated", 8, "latest"))


def test_a_lock_file_goes_with_its_artifact_unless_somebody_holds_it(store: Store) -> None:
    there, gone, held = (put(store, recipe_of("names", run=name)) for name in ("there", "gone", "held"))
    for artifact in (gone, held):
        store.remove(artifact)
    with store.lock("registry", "champion", on_wait=lambda: None):
        pass
    with store.lock("names", held.key, on_wait=lambda: None):
        upkeep(store).clear_locks()
    assert {path.stem.partition("-")[2] for path in (store.root / "locks").iterdir()} == {
        there.key, held.key, "champion",
    }  # fmt: skip


@pytest.mark.parametrize(("text", "size"), [("20GB", 20e9), ("1.5 mb", 1.5e6), ("7", 7.0)])
def test_a_size_is_a_number_with_a_unit(text: str, size: float) -> None:
    assert MaintenanceConfig(max_size=text).max_bytes == size
    with pytest.raises(ConfigError):
        MaintenanceConfig(max_size=f"{text} or so")
