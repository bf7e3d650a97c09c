"""A run on a spot machine: whatever ends it, another machine goes on from the bucket, to the same bytes."""

import os
import random
import signal
import time

import pytest
import ready_commands
from machines import Machine, kill_and_resume, wait_for_a_checkpoint
from s3_server import BUCKET
from small_runs import files_of, small_options, write_lists

KILLS = int(os.environ.get("NAMEWRIGHT_KILLS", "3"))  # `make torture` makes more of them


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """Options of a run that trains for a while."""
    lists = write_lists(tmp_path_factory.mktemp("long") / "lists")
    epochs = ["--training.epochs", "200", "--training.patience", "200"]
    return [*small_options(lists), *epochs, "--checkpoint-seconds", "0.05"]


@pytest.fixture(scope="module")
def undisturbed(long_run, tmp_path_factory):
    """The seconds that the run takes in a folder, and its files."""
    folder = tmp_path_factory.mktemp("undisturbed")
    machine = Machine("http://127.0.0.1:9", folder / "machine", long_run, str(folder / "store"))
    ready_commands.run(["--version"], folder, machine.environment, timeout=200)  # with the imports done
    began = time.monotonic()
    machine.run()
    return time.monotonic() - began, files_of(folder / "store")


@pytest.fixture
def machine(s3_endpoint, tmp_path, long_run):
    made = iter(range(100))

    def make() -> Machine:
        address = f"s3://{BUCKET}/{tmp_path.name}"
        return Machine(s3_endpoint, tmp_path / f"machine-{next(made)}", long_run, address)

    return make


@pytest.mark.timeout(600)
def test_a_run_that_is_asked_to_stop_leaves_its_checkpoint_in_the_bucket_for_another_machine(
    machine, undisturbed
):
    first, second = machine(), machine()
    process = first.start()
    wait_for_a_checkpoint(first, process)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in (first.folder / "streams" / "stderr").read_text()
    ended = second.ended()
    assert ended.returncode == 0, ended.stderr
    assert "going on from the checkpoint" in ended.stdout
    assert second.files == undisturbed[1]


@pytest.mark.timeout(900)
def test_a_run_killed_again_and_again_on_another_machine_each_time_ends_with_the_same_bytes(
    machine, undisturbed
):
    seconds, expected = undisturbed
    killed, last = kill_and_resume(random.Random(19), machine, seconds, KILLS)
    assert killed
    assert last.files == expected
