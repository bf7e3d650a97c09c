"""What this machine keeps of buckets has a bound, and what is in use stays."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_server import BUCKET, s3_environment
from small_artifacts import put, recipe_of

from artifacts.bucket import cache
from artifacts.bucket.address import mirror
from artifacts.open_store import open_store
from rnn_core.errors import ConfigError
from tasks.config.settings import ListSettings, Settings

MIRROR = "s3%3A%2F%2Fnames%2Fstore"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache of the test's own, with the default bound."""
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NAMEWRIGHT_CACHE_SIZE", "10GB")
    yield tmp_path / "cache"
    end_of_process()


def end_of_process():
    """What the end of this process would do: let go of everything."""
    for descriptor in cache._held.values():
        os.close(descriptor)
    cache._held.clear()


def write(path: Path, size: int, age: float = 0.0) -> Path:
    """A file of so many bytes that was used so many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def artifact(folder: Path, number: int, size: int, age: float) -> Path:
    """A copy of an artifact of so many bytes."""
    place = folder / MIRROR / "names" / f"{number:032x}"
    write(place / "names.parquet", size - 10, age)
    return write(place / "manifest.json", 10, age).parent


def limit(monkeypatch, size: int) -> None:
    monkeypatch.setenv("NAMEWRIGHT_CACHE_SIZE", f"{size}B")
    cache.trim()


def test_what_was_not_used_for_the_longest_time_goes_until_the_rest_is_within_the_bound(folder, monkeypatch):
    old, oldest, new = (artifact(folder, number, 100, age) for number, age in enumerate((50, 60, 40)))
    limit(monkeypatch, 300)
    assert all(place.exists() for place in (old, oldest, new))
    limit(monkeypatch, 299)
    assert [place.exists() for place in (old, oldest, new)] == [True, False, True]
    assert cache.hold(old / "manifest.json")  # is a use of it
    end_of_process()
    limit(monkeypatch, 100)
    assert [place.exists() for place in (old, new)] == [True, False]
    cache.trim(arriving=1)
    assert not old.exists()


@settings(max_examples=30, deadline=None)
@given(
    things=st.lists(st.tuples(st.integers(20, 200), st.integers(1, 10_000), st.booleans()), max_size=8),
    bound=st.integers(0, 1000),
)
def test_whatever_goes_is_older_than_whatever_could_have_gone(tmp_path_factory, things, bound):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NAMEWRIGHT_CACHE", str(folder))
        places = [artifact(folder, number, size, age) for number, (size, age, _) in enumerate(things)]
        for place, (_, age, is_held) in zip(places, things, strict=True):
            if is_held:
                assert cache.hold(place / "manifest.json")
                os.utime(place / "manifest.json", (time.time() - age, time.time() - age))
        limit(environment, bound)
        left = [place.exists() for place in places]
        end_of_process()
    assert all(left[number] for number, (_, _, is_held) in enumerate(things) if is_held)
    gone = [age for (_, age, _), stays in zip(things, left, strict=True) if not stays]
    free = [age for (_, age, is_held), stays in zip(things, left, strict=True) if stays and not is_held]
    assert min(gone, default=10_000) >= max(free, default=0)
    size = sum(size for (size, _, _), stays in zip(things, left, strict=True) if stays)
    assert size <= bound or not free


USER = """
import sys
from pathlib import Path
from artifacts.bucket import cache
assert cache.hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_process_uses_stays_until_that_process_ends(folder, monkeypatch):
    used, other = artifact(folder, 1, 100, 100_000), artifact(folder, 2, 100, 0)
    command = [sys.executable, "-c", USER, str(used / "manifest.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout.readline() == b"held\n"
        limit(monkeypatch, 0)
        assert [place.exists() for place in (used, other)] == [True, False]
        user.kill()
        user.wait()
        cache.trim()
    assert not used.exists()


def test_a_process_holds_no_more_files_than_it_may_open(folder, monkeypatch):
    monkeypatch.setattr(cache, "_MOST_HELD", 3)
    places = [artifact(folder, number, 100, 0) for number in range(5)]
    for place in places:
        assert cache.hold(place / "manifest.json")
        assert cache.hold(place / "manifest.json")
    assert len(cache._held) == 3
    limit(monkeypatch, 0)
    assert [place.exists() for place in places] == [False, False, True, True, True]


def test_what_is_gone_is_not_held(folder):
    assert not cache.hold(folder / "nothing")


def test_without_locks_what_was_used_in_the_last_hour_stays(folder, monkeypatch):
    monkeypatch.setattr(cache, "fcntl", None)
    recent, old = artifact(folder, 1, 100, 60), artifact(folder, 2, 100, 7200)
    limit(monkeypatch, 0)
    assert [place.exists() for place in (recent, old)] == [True, False]


def test_lists_and_leftovers_go_and_nothing_else_does(folder, monkeypatch):
    day = 86_400
    shard = write(folder / "s3%3A%2F%2Fnames%2Flist" / "part-00000.parquet", 100, 10)
    source = write(folder / "sources" / "1a" / "towns.csv", 100, 2 * day)
    read_now = write(folder / "sources" / "2b" / "towns.csv", 100, 10)
    digest = write(folder / "sources" / "1a.sha256", 64, 2 * day)
    fetched = write(folder / MIRROR / "scratch" / f"fetched-names-{'0' * 32}-ab12" / "half", 100, 2 * day)
    begun = write(folder / MIRROR / "scratch" / f"names-{'1' * 32}" / "half", 100, 10)
    for path in (fetched.parent, source.parent):
        os.utime(path, (time.time() - 2 * day, time.time() - 2 * day))
    refused = write(folder / MIRROR / "quarantine" / f"model-{'3' * 32}-refused" / "model.npz", 100, 2 * day)
    os.utime(refused.parent, (time.time() - 2 * day, time.time() - 2 * day))
    refused_now = write(folder / MIRROR / "quarantine" / f"model-{'4' * 32}-refused" / "model.npz", 100)
    half = write(folder / MIRROR / "names" / f"{'2' * 32}.removed" / "names.parquet", 100)
    foreign = write(folder / "mine" / "names" / "0" / "manifest.json", 100, 2 * day)
    limit(monkeypatch, 0)
    assert not any(path.exists() for path in (shard, source, fetched, refused, half))
    assert all(path.exists() for path in (read_now, digest, begun, refused_now, foreign))


@pytest.mark.parametrize("text", ["much", "-1", "1 PB", "1e9"])
def test_a_bound_that_is_no_size_is_one_clear_error(monkeypatch, text):
    monkeypatch.setenv("NAMEWRIGHT_CACHE_SIZE", text)
    with pytest.raises(ConfigError) as caught:
        cache.trim()
    assert (caught.value.code, caught.value.where) == ("config.range", "NAMEWRIGHT_CACHE_SIZE")
    for kind in (Settings, ListSettings):
        with pytest.raises(ConfigError):
            kind(cache_size=text)


@pytest.mark.parametrize("kind", [Settings, ListSettings])
def test_the_option_is_the_bound_of_the_process(kind):
    kind(cache_size="1.5 MB")
    assert cache.size_limit() == 1.5e6
    kind()
    assert cache.size_limit() == 1.5e6


@pytest.fixture
def store(s3_endpoint, tmp_path, monkeypatch):
    """One in a bucket."""
    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return open_store(mirror(f"s3://{BUCKET}/{tmp_path.name}"))


def test_what_has_gone_is_fetched_again_when_it_is_read(store, recipe, monkeypatch):
    made = put(store, recipe)
    limit(monkeypatch, 0)
    assert made.folder.exists()  # this process made it, and may read it
    end_of_process()
    cache.trim()
    assert not made.folder.exists()
    assert made.table("names.parquet").num_rows == 150
    cache.trim()
    assert made.folder.exists()
    end_of_process()
    cache.trim()
    assert store.examine(recipe.stage, recipe.key) == (made, "")


def test_a_small_bound_holds_while_artifacts_are_made_and_every_one_is_whole(store, monkeypatch):
    size = sum(file.stat().st_size for file in put(store, recipe_of("first")).folder.iterdir())
    monkeypatch.setenv("NAMEWRIGHT_CACHE_SIZE", f"{3 * size}B")
    made = []
    for number in range(6):
        end_of_process()  # as if each were made by another
        made.append(put(store, recipe_of("names", run=str(number))))
        assert sum(each.folder.exists() for each in made) <= 3
    assert made[-1].folder.exists()
    assert not made[0].folder.exists()
    assert [store.examine(each.stage, each.key) for each in made] == [(each, "") for each in made]


def test_a_checkpoint_stays_until_the_bucket_has_the_same_one(store, monkeypatch):
    checkpoint = store.checkpoint("model", "0" * 32)
    checkpoint.write({"step": np.array(7)})
    limit(monkeypatch, 0)
    assert checkpoint.path.exists()
    checkpoint.flush()
    checkpoint.write({"step": np.array(8)})  # of which the bucket knows nothing yet
    cache.trim()
    assert checkpoint.path.exists()
    checkpoint.flush()
    with store.lock("model", "0" * 32, on_wait=lambda: None):  # the training goes on
        cache.trim()
        assert checkpoint.path.exists()
    cache.trim()
    assert not checkpoint.path.exists()
    assert checkpoint.read()["step"] == 8
    cache.trim()  # fetched, and the same as in the bucket
    assert not checkpoint.path.exists()
