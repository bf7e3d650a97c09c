"""What stands in a role, whoever changes it at the same time and whenever they die."""

import multiprocessing
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts.registry import BY_HAND, ConflictError, Entry, Reference
from artifacts.store import Store
from rnn_core.errors import DataError

BY = {"engine": "test"}


def model(name):
    return Reference("mixture", name, f"digest of {name}")


def entry(name, against=None, why="decision/1"):
    return Entry.now(model(name), against and model(against), why, BY)


def promote(registry, name, why="decision/1"):
    """Against what stands there, whatever it is."""
    top = registry.current()
    expected = top.artifact if top else None
    registry.promote(Entry.now(model(name), expected, why, BY), expected, on_wait=lambda: None)


def roll_back(registry):
    """From what stands there, whatever it is."""
    standing = registry.current().artifact
    return registry.roll_back(standing, BY, check=lambda _: None, on_wait=lambda: None)


@pytest.fixture
def champion(store):
    return store.registry("champion")


def test_nothing_stands_in_a_role_before_the_first_promotion_and_asking_writes_nothing(champion, store):
    assert champion.current() is None
    assert champion.history() == ()
    assert champion.baseline_for("digest of a") is None
    assert not store.root.exists()


def test_what_was_promoted_stands_there_with_everything_known_of_it(champion, store):
    first, second = entry("a"), entry("b", against="a", why=BY_HAND)
    champion.promote(first, None, on_wait=lambda: None)
    champion.promote(second, model("a"), on_wait=lambda: None)
    again = Store(store.root).registry("champion")
    assert again.current() == second
    assert again.history() == (first, second)
    assert store.registry("corpus").current() is None


def test_who_is_judged_again_is_compared_with_what_it_was_compared_with_when_it_got_there(champion):
    promote(champion, "a")
    assert champion.baseline_for("digest of a") is None
    assert champion.baseline_for("digest of b") == model("a")
    promote(champion, "b")
    assert champion.baseline_for("digest of b") == model("a")
    assert champion.baseline_for("digest of c") == model("b")
    roll_back(champion)
    assert champion.baseline_for("digest of a") is None
    assert champion.baseline_for("digest of b") == model("a")


def test_a_roll_back_goes_one_step_further_back_every_time_and_ends_with_a_clear_refusal(champion):
    for name in "abc":
        promote(champion, name)
    assert roll_back(champion) == (model("c"), model("b"))
    assert roll_back(champion) == (model("b"), model("a"))
    with pytest.raises(DataError) as caught:
        roll_back(champion)
    assert caught.value.code == "registry.nothing_before"
    assert champion.current().artifact == model("a")
    assert [each.artifact.key for each in champion.history()] == list("abcba")


def test_what_was_rolled_back_stays_withdrawn_until_it_is_promoted_again(champion):
    for name in "abc":
        promote(champion, name)
    roll_back(champion)
    roll_back(champion)
    assert champion.rolled_back() == {"digest of b", "digest of c"}
    promote(champion, "c", BY_HAND)
    assert champion.rolled_back() == {"digest of b"}


def test_who_expects_something_else_to_stand_there_changes_nothing(champion):
    promote(champion, "a")
    promote(champion, "b")
    for expected in (None, model("a"), model("c")):
        with pytest.raises(ConflictError) as caught:
            champion.promote(entry("d"), expected, on_wait=lambda: None)
        assert "mixture/b" in caught.value.saw
    assert champion.current().artifact == model("b")


def test_a_roll_back_takes_nothing_back_that_was_promoted_meanwhile(champion):
    for name in "abc":
        promote(champion, name)
    with pytest.raises(ConflictError):
        champion.roll_back(model("b"), BY, check=lambda _: None, on_wait=lambda: None)
    assert champion.current().artifact == model("c")


def test_a_roll_back_that_must_not_be_changes_nothing(champion):
    def refuse(_reference):
        raise DataError("test.refused", "it is gone", fix="another")

    promote(champion, "a")
    promote(champion, "b")
    with pytest.raises(DataError, match="it is gone"):
        champion.roll_back(model("b"), BY, refuse, on_wait=lambda: None)
    assert champion.current().artifact == model("b")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), end=st.floats(0, 1, exclude_max=True))
def test_a_damaged_registry_is_one_clear_error_and_is_never_written_over(tmp_path, place, bit, end):
    registry = Store(tmp_path / "damaged").registry("champion")
    Path(registry.where).unlink(missing_ok=True)
    promote(registry, "a")
    whole = Path(registry.where).read_bytes()
    flipped = bytearray(whole)
    flipped[int(place * len(whole))] ^= 1 << bit
    for content in (bytes(flipped), whole[: int(end * len(whole))]):
        Path(registry.where).write_bytes(content)
        found, fault = read(registry)
        if fault:
            assert (fault.code, fault.where) == ("registry.damaged", registry.where)
            with pytest.raises(DataError):
                promote(registry, "b")
            assert Path(registry.where).read_bytes() == content
        else:  # it was white space
            assert [each.artifact for each in found] == [model("a")]


def read(registry):
    try:
        return registry.history(), None
    except DataError as fault:
        return (), fault


@pytest.mark.parametrize("content", [b"[]", b"null", b'{"checksum": 1}', b"\xff", b"{}"], ids=repr)
def test_what_is_no_registry_is_reported(champion, content):
    Path(champion.where).parent.mkdir(parents=True)
    Path(champion.where).write_bytes(content)
    with pytest.raises(DataError) as caught:
        champion.current()
    assert caught.value.code == "registry.damaged"


def test_the_history_of_another_role_is_not_taken_for_this_one(champion, store):
    promote(champion, "a")
    other = store.registry("corpus")
    Path(other.where).write_bytes(Path(champion.where).read_bytes())
    with pytest.raises(DataError, match="damaged"):
        other.current()


def test_a_registry_is_no_stage_of_the_store(champion, store, put_artifact, recipe):
    artifact = put_artifact(store, recipe)
    promote(champion, "a")
    assert list(store.list()) == [artifact.manifest()]


def test_an_artifact_of_another_content_is_not_the_one_that_was_referred_to(store, put_artifact, recipe):
    artifact = put_artifact(store, recipe)
    assert store.resolve(artifact.reference) == (artifact, "")
    found, fault = store.resolve(Reference(artifact.stage, artifact.key, "another digest"))
    assert found is None
    assert fault == "its content has changed"
    assert store.resolve(Reference(artifact.stage, "0" * 32, artifact.digest)) == (None, "")


PROMOTIONS = 5


def promote_many(root, who):
    registry = Store(root).registry("champion")
    for number in range(PROMOTIONS):
        while True:
            try:
                promote(registry, f"{who}{number}")
                break
            except ConflictError:
                pass


def test_promotions_of_several_processes_at_once_are_none_of_them_lost(store):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=promote_many, args=(store.root, who)) for who in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    history = store.registry("champion").history()
    assert len(history) == len({each.artifact for each in history}) == 3 * PROMOTIONS
    for before, after in pairwise(history):
        assert after.against == before.artifact


def test_a_process_killed_in_the_middle_of_promotions_leaves_a_whole_history_and_no_lock(store):
    script = textwrap.dedent(f"""
        import itertools
        from pathlib import Path
        from artifacts.registry import Entry, Reference
        from artifacts.store import Store
        registry = Store(Path({str(store.root)!r})).registry("champion")
        for number in itertools.count():
            top = registry.current()
            expected = top.artifact if top else None
            entry = Entry.now(Reference("mixture", str(number), str(number)), expected, "test", {{}})
            registry.promote(entry, expected, lambda: None)
            print(number, flush=True)
    """)
    for after in (0, 3, 11):
        killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        told = [next(killed.stdout).strip() for _ in range(after + 1)]
        killed.kill()
        told += killed.communicate()[0].split()
        assert killed.returncode == -signal.SIGKILL
        keys = [each.artifact.key for each in store.registry("champion").history()]
        assert told in (keys[-len(told) :], keys[-len(told) - 1 : -1])  # what was told is there
        promote(store.registry("champion"), f"after {after}")
