"""A run whose process is killed or asked to stop: the same command goes on, to the same bytes."""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import ready_commands
from small_runs import COMMAND, clean_environment, files_of, small_options, write_lists

KILLS = int(os.environ.get("NAMEWRIGHT_KILLS", "4"))  # each takes seconds: more of them only where asked for


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The seconds that a run takes which nobody stops, and its files."""
    folder = tmp_path_factory.mktemp("undisturbed")
    small, environment = small_options(write_lists(folder / "lists")), clean_environment(folder)
    ready_commands.run(["--version"], folder, environment, timeout=200)  # with the imports done
    began = time.monotonic()
    finished(small, folder / "store", environment)
    return time.monotonic() - began, files_of(folder / "store")


def words(small, store, epochs=200):
    epochs = ["--training.epochs", str(epochs), "--training.patience", str(epochs)]
    often = ["--checkpoint-seconds", "0.05"]
    return ["run", "--engine", "plain", *small, *epochs, *often, "--store", str(store)]


def begun(small, store, environment, *more):
    store.parent.mkdir(exist_ok=True)
    return ready_commands.start([*words(small, store), *more], store.parent, environment, store.parent)


def finished(small, store, environment, *more):
    outcome = ready_commands.run([*words(small, store), *more], store.parent, environment, timeout=200)
    assert outcome.returncode == 0, outcome.stderr
    return outcome


@pytest.mark.timeout(600)
def test_a_run_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(
    undisturbed, small, environment, tmp_path
):
    duration, expected = undisturbed
    rng = random.Random(20)

    def killed_and_resumed(number, moment):
        store = tmp_path / f"killed-{number}" / "store"
        run = begun(small, store, environment)
        if number % 2:  # in its training, and not too far from its beginning
            wait_for_a_checkpoint(store, lambda: run.exitcode)
            moment /= 20
        run.join(moment)
        run.kill()
        run.join()
        resumed = finished(small, store, environment)
        assert "damaged" not in resumed.stdout
        went_on = "going on from the checkpoint" in resumed.stdout
        return run.exitcode == -signal.SIGKILL, went_on, files_of(store) == expected

    outcomes = [
        killed_and_resumed(number, (number + rng.random()) / KILLS * duration) for number in range(KILLS)
    ]
    killed, went_on, same = zip(*outcomes, strict=True)
    assert same == (True,) * KILLS
    assert sum(killed) >= KILLS // 2, "too few were still running"
    assert sum(went_on) >= KILLS // 3, "too few were in their training"


def started_training(small, store, environment):
    run = subprocess.Popen(
        [COMMAND, *words(small, store, epochs=100_000)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_a_checkpoint(store, run.poll)
    return run


def wait_for_a_checkpoint(store, exit_code):
    """exit_code: of the run; None while it goes on."""
    checkpoints = store / "checkpoints" / "model"
    deadline = time.monotonic() + 60
    while not list(checkpoints.glob("*.npz")):
        assert exit_code() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_stop_writes_a_checkpoint_and_says_how_to_go_on(
    small, environment, tmp_path, number
):
    run = started_training(small, tmp_path / "store", environment)
    run.send_signal(number)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 128 + number
    assert errors.startswith("error[run.interrupted]: stopped by SIG")
    assert "run the same command again" in errors
    again = started_training(small, tmp_path / "store", environment)
    assert any("going on from the checkpoint of step" in line for line in again.stdout)
    again.kill()
    again.communicate()


def test_ctrl_c_on_the_terminal_ends_a_training_by_processes_with_a_checkpoint_that_one_process_goes_on_from(
    small, environment, tmp_path
):
    store = tmp_path / "store"
    long = [
        COMMAND,
        *words(small, store, epochs=100_000),
        "--training.max-steps",
        "1000000",
    ]  # worth a process

    def started(workers):
        return subprocess.Popen(
            [*long, "--workers", str(workers)], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    run = started(2)
    wait_for_a_checkpoint(store, run.poll)
    (other,) = children(run.pid)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: the whole group hears it
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    step = re.fullmatch(
        r"error\[run\.interrupted\]: stopped by SIGINT\n"
        r"  where: training, step ([\d,]+) of at most [\d,]+\n"
        r"  fix:   a checkpoint is written: run the same command again, and it goes on from there\.\n",
        errors,
    )[1]
    assert not Path(f"/proc/{other}").exists()
    again = started(1)
    assert any(f"going on from the checkpoint of step {step}\n" in line for line in again.stdout)
    again.kill()
    again.communicate()


def children(pid):
    return [
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_a_damaged_checkpoint_is_set_aside_and_the_training_starts_anew(
    undisturbed, small, environment, tmp_path
):
    store = tmp_path / "store"
    run = begun(small, store, environment)
    wait_for_a_checkpoint(store, lambda: run.exitcode)
    run.kill()
    run.join()
    (checkpoint,) = (store / "checkpoints" / "model").glob("*.npz")
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.write_bytes(content)
    resumed = finished(small, store, environment)
    assert "damaged checkpoint set aside" in resumed.stdout
    assert files_of(store) == undisturbed[1]


def test_a_refresh_that_was_stopped_goes_on_as_it_says(undisturbed, small, environment, tmp_path):
    store = tmp_path / "store"
    finished(small, store, environment)
    before = files_of(store)
    assert before == undisturbed[1]
    run = begun(small, store, environment, "--refresh", "model")
    wait_for_a_checkpoint(store, lambda: run.exitcode)
    run.terminate()
    run.join(60)
    assert run.exitcode == 128 + signal.SIGTERM
    again = finished(small, store, environment, "--refresh", "model")
    assert "going on from the checkpoint" in again.stdout
    assert files_of(store) == before
