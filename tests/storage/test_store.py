import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from artifacts.errors import StoreError
from artifacts.store import Store

TESTS = Path(__file__).parents[1] / "support"
FILES = ["names.parquet", "model.npz", "report.html", "manifest.json"]


def found(store, recipe):
    reasons = []
    artifact = store.find(recipe.stage, recipe.key, reasons.append)
    return artifact, reasons


def test_an_artifact_is_found_again_with_everything_in_its_manifest(store, put_artifact, recipe):
    artifact = put_artifact(store, recipe)
    assert found(store, recipe) == (artifact, [])
    manifest = artifact.manifest()
    assert manifest.recipe == recipe
    assert manifest.digest == artifact.digest
    assert manifest.rows == 150
    assert set(manifest.libraries) >= {"numpy", "pyarrow", "unicode"}
    assert list(store.list()) == [manifest]


def test_the_same_content_has_the_same_bytes_and_digest_wherever_and_whenever(tmp_path, put_artifact, recipe):
    one, two = (put_artifact(Store(tmp_path / name), recipe) for name in ("one", "two"))
    assert one.digest == two.digest
    for name in FILES[:3]:
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0b100
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-7])


def empty(path):
    path.write_bytes(b"")


def swap(path):
    """With the file of the same name in another artifact of the same stage."""
    shutil.copyfile(path.parent.parent / "other" / path.name, path)


@pytest.mark.parametrize("damage", [flip_a_bit, truncate, empty, Path.unlink, swap], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_found_and_quarantined_and_never_read(store, put_artifact, recipe, name, damage):
    artifact = put_artifact(store, recipe)
    other = put_artifact(store, replace(recipe, version=9))
    (other.folder / "names.parquet").write_bytes(b"another table")
    (other.folder / "model.npz").write_bytes(b"other arrays")
    (other.folder / "report.html").write_text("another page")
    other.folder.rename(artifact.folder.parent / "other")
    damage(artifact.folder / name)

    again, reasons = found(store, recipe)

    assert again is None
    assert name in reasons[0] or "belongs to" in reasons[0]
    assert not artifact.folder.exists()
    (aside,) = (store.root / "quarantine").iterdir()
    assert (aside / "reason.txt").read_text().strip() in reasons[0]
    assert put_artifact(store, recipe).digest == artifact.digest
    assert found(store, recipe)[1] == []


def test_a_flipped_bit_anywhere_in_a_manifest_is_found_or_says_nothing_else(store, put_artifact, recipe):
    artifact = put_artifact(store, recipe)
    path = artifact.folder / "manifest.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), 5):
        content = bytearray(whole)
        content[position] ^= 1
        path.write_bytes(content)
        again, fault = store.examine(recipe.stage, recipe.key)
        assert fault or again == artifact, "read wrongly, without a word"
        if not fault:  # white space between two values: nothing that it says has changed
            assert json.loads(content) == json.loads(whole)


def test_an_artifact_under_a_foreign_key_is_refused(store, put_artifact, recipe):
    artifact = put_artifact(store, recipe)
    artifact.folder.rename(artifact.folder.with_name("0" * 32))
    found_there, fault = store.examine(recipe.stage, "0" * 32)
    assert found_there is None
    assert "belongs to" in fault


KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    import numpy
    from small_artifacts import put, recipe_of
    from artifacts.store import Store

    store, recipe = Store(Path({root!r})), recipe_of("names")
    {before}

    # Die at the n-th call of any of the calls that make a commit durable, before or after it is done.
    steps = iter(range(1000))
    def deadly(call):
        def wrapped(*args, **kwargs):
            if next(steps) == {step}:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*args, **kwargs)
            if next(steps) == {step}:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return wrapped
    os.fsync = deadly(os.fsync)
    os.rename = deadly(os.rename)
    os.replace = deadly(os.replace)
    os.mkdir = deadly(os.mkdir)
    os.unlink = deadly(os.unlink)
    {deed}
    print(next(steps))
"""


PUT = "put(store, recipe)"
WRITE = "store.checkpoint('model', 'key').write({'step': numpy.array(%d)})"


def do_and_die(root: Path, step: int, deed: str, before: str = "") -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(KILLED).format(
        tests=str(TESTS), root=str(root), step=step, deed=deed, before=before
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("before", ["", PUT], ids=["nothing there", "over an older one"])
def test_a_commit_killed_at_any_step_leaves_a_whole_artifact_or_none(tmp_path, put_artifact, recipe, before):
    undisturbed = do_and_die(tmp_path / "undisturbed", -1, PUT, before)
    assert undisturbed.returncode == 0, undisturbed.stderr
    expected = Store(tmp_path / "undisturbed").examine(recipe.stage, recipe.key)[0]
    steps = int(undisturbed.stdout)
    assert steps > 16  # mkdir, fsync of four files and two folders, rename: before and after each
    whole = []
    for step in range(steps):
        store = Store(tmp_path / str(step))
        assert do_and_die(store.root, step, PUT, before).returncode == -signal.SIGKILL
        artifact, fault = store.examine(recipe.stage, recipe.key)
        assert fault == ""
        whole.append(artifact is not None)
        assert put_artifact(store, recipe).digest == expected.digest
        assert not list((store.root / "scratch").iterdir())
    if before:
        assert whole.count(False) <= 4, "there is none between two renames, and at no other time"
    else:
        assert 0 < sum(whole) < steps


def test_a_checkpoint_killed_at_any_step_leaves_the_old_one_or_the_new_one(tmp_path):
    steps = int(do_and_die(tmp_path / "undisturbed", -1, WRITE % 2, WRITE % 1).stdout)
    seen = set()
    for step in range(steps):
        store = Store(tmp_path / str(step))
        assert do_and_die(store.root, step, WRITE % 2, WRITE % 1).returncode == -signal.SIGKILL
        checkpoint = store.checkpoint("model", "key")
        seen.add(int(checkpoint.read()["step"]))
        checkpoint.discard()
        assert not list(checkpoint.path.parent.iterdir())
    assert seen == {1, 2}


def test_a_checkpoint_outlives_its_artifact_being_written_and_no_longer(store, recipe):
    checkpoint = store.checkpoint(recipe.stage, recipe.key)
    checkpoint.write({"step": np.array(1)})
    draft = store.writer(recipe.stage, recipe.key)
    draft.write_text("report.html", "<p>")
    (store.root / recipe.stage).write_text("in the way of the folder")
    with pytest.raises(StoreError):
        store.commit(draft, recipe, origins={}, seconds=0.0, run={})
    assert checkpoint.read() == {"step": 1}
    (store.root / recipe.stage).unlink()
    store.commit(draft, recipe, origins={}, seconds=0.0, run={})
    assert checkpoint.read() is None


def hold_the_lock(root, key, held, log):
    store = Store(root)
    with store.lock("names", key, on_wait=lambda: None):
        log.append("in")
        held.wait(0.2)
        log.append("out")


def test_only_one_process_at_a_time_holds_the_lock_of_a_key(store, recipe):
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        log, held = manager.list(), manager.Event()
        makers = [
            context.Process(target=hold_the_lock, args=(store.root, recipe.key, held, log)) for _ in range(3)
        ]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        assert list(log) == ["in", "out"] * 3


def test_the_death_of_its_holder_frees_a_lock(store, recipe):
    script = (
        "import os, signal; from pathlib import Path; from artifacts.store import Store\n"
        f"with Store(Path({str(store.root)!r})).lock('names', {recipe.key!r}, on_wait=lambda: None):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    waited = []
    with store.lock("names", recipe.key, on_wait=lambda: waited.append(1)):
        assert waited == []


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path, put_artifact, recipe):
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StoreError) as refusal:
        put_artifact(Store(tmp_path / "store"), recipe)
    assert refusal.value.code == "store.refused"
    assert "choose another folder" in refusal.value.fix  # which option that is, the command line adds


FILL = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from small_artifacts import put, recipe_of
    from artifacts.store import Store
    from artifacts.errors import StoreError

    store = Store(Path({disk!r}, "store"))
    try:
        for number in range(1000):
            put(store, recipe_of("names", number=str(number)))
    except StoreError as full:
        print(full.code, len(list(store.list())), number)
"""


def test_a_full_disk_is_one_clear_error_and_what_was_finished_stays(tmp_path):
    script, disk = tmp_path / "fill.py", tmp_path / "disk"
    script.write_text(textwrap.dedent(FILL.format(tests=str(TESTS), disk=str(disk))))
    disk.mkdir()
    mounted = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec "$2" "$3"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]
    outcome = subprocess.run(
        [*command, str(disk), sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    code, listed, number = outcome.stdout.split()
    assert code == "store.full"
    assert int(listed) == int(number) > 0


def test_a_table_can_be_read_by_other_libraries(store, put_artifact, recipe):
    import duckdb
    import numpy
    import pandas
    import polars

    folder = put_artifact(store, recipe).folder
    path = folder / "names.parquet"
    expected = pq.read_table(path)["name"].to_pylist()
    assert pandas.read_parquet(path)["name"].tolist() == expected
    assert polars.read_parquet(path)["name"].to_list() == expected
    assert [row[0] for row in duckdb.sql(f"select name from '{path}'").fetchall()] == expected
    assert numpy.load(folder / "model.npz")["W_hh"].shape == (8, 8)


def test_what_the_system_refuses_to_who_makes_a_table_is_no_failure_to_write_it(store, recipe):
    def parts():
        yield pa.table({"row": [1]})
        raise OSError(errno.EIO, "Input/output error", "list.txt")

    with store.lock(recipe.stage, recipe.key, on_wait=pytest.fail):
        draft = store.writer(recipe.stage, recipe.key)
        with pytest.raises(OSError, match=r"list\.txt"):
            draft.write_parts("names.parquet", parts())


def test_the_files_of_an_artifact_stand_in_the_order_that_was_asked_for(store, recipe):
    with store.lock(recipe.stage, recipe.key, on_wait=pytest.fail):
        draft = store.writer(recipe.stage, recipe.key)
        draft.order("names.parquet", "rejected.parquet")
        for rows, name in enumerate(("rejected.parquet", "names.parquet", "more.parquet")):
            draft.write_table(name, pa.table({"row": range(rows)}))
        made = store.commit(draft, recipe, origins={}, seconds=0.0, run={}).manifest()
    assert list(made.files) == ["names.parquet", "rejected.parquet", "more.parquet"]
    assert made.rows == 1


def test_removing_an_artifact_takes_it_out_of_the_store(store, put_artifact, recipe):
    artifact = put_artifact(store, recipe)
    store.remove(artifact)
    assert list(store.list()) == []
    assert list((store.root / "scratch").iterdir()) == []


def test_what_a_store_makes_beside_its_artifacts_is_open_to_the_group_if_umask_says_so(store, recipe):
    before = os.umask(0o002)
    try:
        with store.lock(recipe.stage, recipe.key, lambda: None):
            modes = {
                path.name: path.stat().st_mode & 0o777 for path in (store.root / "locks").rglob("*.lock")
            }
        assert set(modes.values()) == {0o664}
        checkpoint = store.checkpoint(recipe.stage, recipe.key)
        checkpoint.write({"step": np.array(1)})
        assert checkpoint.quarantine().parent.stat().st_mode & 0o777 == 0o775
    finally:
        os.umask(before)
