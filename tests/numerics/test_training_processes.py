"""Training by several processes: no byte differs, and however it ends, nothing is left of it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from rnn_core.errors import TrainingError
from rnn_core.text.names import EncodedNames
from rnn_core.train import processes
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train
from rnn_core.train.members import EnsembleTraining
from rnn_core.train.optimizers import BLOCK, clip_by_global_norm, squared_norm, squared_norms
from rnn_core.train.processes import usable_processes, worthwhile_processes
from rnn_core.train.state import TrainingState

VOCABULARY_SIZE = 12
SOON = 5.0  # seconds; on a quiet machine the death of a process is noticed within one


def made_up_names(seed, count):
    rng = np.random.default_rng(seed)
    return EncodedNames.from_lists(rng.integers(1, VOCABULARY_SIZE, rng.integers(1, 9)) for _ in range(count))


TRAINING, VALIDATION = made_up_names(1, 100), made_up_names(2, 20)


def small(**changes):
    """Two layers of 24 units: the parameters are several blocks."""
    settings = {
        **{"cell": "gru", "layers": 2, "hidden_size": 24, "batch_size": 32, "epochs": 2, "shards": 8},
        **{"learning_rate": 2e-3, "dropout": 0.2, "recurrent_dropout": 0.2},
    }
    return TrainingConfig(**{**settings, **changes}).resolve(TRAINING.count)


ENDLESS = small(epochs=1 << 20, max_steps=1 << 40, patience=1 << 20)


def steps(config, count, state=None):
    return train(config, VOCABULARY_SIZE, TRAINING, VALIDATION, state, count)


def the_bytes(progress):
    return {name: (array.dtype, array.tobytes()) for name, array in progress.state.arrays().items()}


def finished(config, count, state=None):
    *_, last = steps(config, count, state)
    return the_bytes(last)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started, and nothing of them left open at the end."""
    seen = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            seen.append(self)

    monkeypatch.setattr(processes.subprocess, "Popen", Recorded)
    yield seen
    assert all(process.returncode is not None for process in seen)
    assert all(pipe.closed for process in seen for pipe in (process.stdin, process.stderr))


def open_files():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def mapped_in_shared_memory():
    """The files of /dev/shm, which could stay there, in the memory of this process."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if "/dev/shm" in line]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "options",
    [
        {"batches": "packed"},
        {"batches": "shared", "optimizer": "momentum", "clip_value": 0.01, "dtype": "float64", "shards": 3},
        {"cell": "elman", "layers": 1, "hidden_size": 8, "clip_norm": 0.0},  # one block for several processes
        {"optimizer": "muon", "hidden_size": 56},  # matrices across the borders of the pieces
        {"optimizer": "muon", "cell": "elman", "hidden_size": 8},  # fewer matrices than processes
    ],
    ids=["packed", "shared", "one block", "muon", "muon, three matrices"],
)
def test_however_many_processes_share_a_training_its_bytes_are_the_same(options, started):
    config = small(**options)
    counts = (1, 2, 3, 8) if "optimizer" in options and config.shards == 8 else (1, 2, 3)
    one, *more = (finished(config, count) for count in counts)
    assert len(started) == sum(counts) - len(counts)
    assert all(each == one for each in more)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_training_goes_on_with_another_number_of_processes_and_ends_with_the_same_bytes(optimizer, started):
    config, state = small(optimizer=optimizer), None
    for count, stop in ((8, 1), (1, 2), (3, 2)):
        run = steps(config, count, state)
        kept = [progress.state.arrays() for progress in islice(run, stop)][-1]
        run.close()
        state = TrainingState.from_arrays(config, VOCABULARY_SIZE, kept)
    assert len(started) == 7 + 0 + 2
    assert state.step == 5
    assert finished(config, 2, state) == finished(config, 1)


def test_a_process_that_dies_is_soon_one_clear_error_and_what_was_kept_is_whole(started):
    run = steps(ENDLESS, 3)
    kept = [next(run).state.arrays() for _ in range(3)][-1]
    started[1].kill()
    before = time.monotonic()
    with pytest.raises(TrainingError) as caught:
        for _ in run:
            pass
    assert time.monotonic() - before < SOON
    assert caught.value.code == "training.process"
    assert caught.value.saw == f"process {started[1].pid}: SIGKILL"
    resumed = TrainingState.from_arrays(ENDLESS, VOCABULARY_SIZE, kept)
    again = the_bytes(next(steps(ENDLESS, 1, resumed)))
    *_, undisturbed = islice(steps(ENDLESS, 1), 4)
    assert again == the_bytes(undisturbed)


def test_a_process_that_dies_with_its_member_leaves_what_was_kept_of_all_members_whole(started):
    training = EnsembleTraining(replace(ENDLESS, members=3), VOCABULARY_SIZE)

    def steps_of_members(members, count):
        return training.run(TRAINING, VALIDATION, members, count)

    members = training.start()
    run = steps_of_members(members, 3)
    kept = [members.arrays() for _ in islice(run, 3)][-1]
    started[1].kill()  # the only one that trains the third
    with pytest.raises(TrainingError) as caught:
        for _ in run:
            pass
    assert caught.value.saw == f"process {started[1].pid}: SIGKILL"
    resumed, undisturbed = training.from_arrays(kept), training.start()
    for _ in islice(steps_of_members(resumed, 4), 2):
        pass
    for _ in islice(steps_of_members(undisturbed, 3), 5):
        pass
    assert [state.step for state in resumed.states] == [5, 5, 5]
    for name, array in undisturbed.arrays().items():
        assert resumed.arrays()[name].tobytes() == array.tobytes(), name


def test_a_member_that_blows_up_in_another_process_is_the_same_error():
    training = EnsembleTraining(small(members=2), VOCABULARY_SIZE)

    def error(count):
        members = training.start()
        members.states[1].vector[:] *= 1e30
        with pytest.raises(TrainingError) as caught:
            for _ in training.run(TRAINING, VALIDATION, members, count):
                pass
        return str(caught.value), members.states[0].step

    message, steps_of_the_first = error(2)
    assert "training.diverged" in message
    assert (message, steps_of_the_first) == (error(1)[0], 1)


def test_a_training_that_is_not_wanted_any_more_ends_its_processes(started):
    run = steps(ENDLESS, 2)
    next(run)
    assert is_running(started[0].pid)
    run.close()
    assert not is_running(started[0].pid)


def test_processes_end_soon_after_the_one_that_started_them_was_killed():
    program = (
        "import os, sys; sys.path[:] = eval(sys.argv[1]); import test_training_processes as here\n"
        "for step in here.steps(here.ENDLESS, 2): print(step.step, flush=True)\n"
    )
    path = [str(Path(__file__).parent), *sys.path]
    parent = subprocess.Popen([sys.executable, "-c", program, repr(path)], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout.readline() == b"1\n"
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert is_running(child)
        parent.kill()
        parent.wait()
        limit = time.monotonic() + SOON
        while is_running(child) and time.monotonic() < limit:
            time.sleep(0.01)
        assert not is_running(child)


def test_a_thread_of_a_daemon_can_train_by_processes_and_leaves_no_file(started, monkeypatch):
    """As a worker of Prefect or of Dask does."""
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    opened, mapped = open_files(), mapped_in_shared_memory()
    with ThreadPoolExecutor(1) as thread:
        run = steps(small(), 2)
        thread.submit(next, run).result()
        during = mapped_in_shared_memory()
        *_, last = thread.submit(list, run).result()
    assert (the_bytes(last), len(started)) == (finished(small(), 1), 1)
    del run, last, _
    assert during == mapped
    assert open_files() <= opened  # what a test before left open may be closed meanwhile


def test_ctrl_c_on_the_terminal_does_not_reach_the_other_processes(started):
    run = steps(ENDLESS, 2)
    next(run)
    assert os.getpgid(started[0].pid) != os.getpgid(0)
    os.kill(started[0].pid, signal.SIGTERM)  # as a system that is shut down sends it to all
    for _ in range(20):
        next(run)
    run.close()


def test_a_training_that_blows_up_is_the_same_error_by_several_processes(started):
    def error(count):
        with pytest.raises(TrainingError) as caught:
            finished(small(learning_rate=1e30, warmup=0.0, weight_decay=0.0, epochs=20), count)
        return str(caught.value)

    assert error(2) == error(1)
    assert "training.diverged" in error(1)
    assert len(started) == 1


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "#!/bin/sh\necho 'Traceback' >&2\necho 'MemoryError: too much' >&2\nexit 3\n",
            "exit code 3, MemoryError: too much",
        ),
        (None, "No such file"),
    ],
    ids=["ends", "missing"],
)
def test_a_process_that_does_not_start_is_one_clear_error(program, said, monkeypatch, tmp_path):
    executable = tmp_path / "python"
    if program:
        executable.write_text(program)
        executable.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(executable))
    with pytest.raises(TrainingError) as caught:
        next(steps(small(), 2))
    assert caught.value.code == "training.process"
    assert said in caught.value.saw


def test_no_more_processes_are_used_than_a_batch_has_parts():
    assert [usable_processes(small(shards=3), 100, most) for most in (1, 2, 8)] == [1, 2, 3]
    assert usable_processes(small(), 5, 8) == 5
    assert usable_processes(small(batch_size=4), 100, 8) == 4
    assert usable_processes(small(shards=3), 100, 8, networks=2) == 6


def test_a_training_that_ends_sooner_than_a_process_starts_is_left_to_one():
    names = made_up_names(3, 3_000)
    assert worthwhile_processes(small(), TRAINING, 4) == 1
    assert worthwhile_processes(TrainingConfig().resolve(names.count), names, 8) == 2
    assert worthwhile_processes(TrainingConfig(members=2).resolve(names.count), names, 8) == 4


def test_the_norm_of_a_vector_does_not_depend_on_who_adds_up_its_blocks():
    vector = np.random.default_rng(0).standard_normal(5 * BLOCK + 7).astype(np.float32)
    assert squared_norm(vector) == pytest.approx(float(np.sum(vector.astype(np.float64) ** 2)), rel=1e-5)
    whole = squared_norms(vector)
    for cut in range(1, 6):
        pieces = [squared_norms(vector[: cut * BLOCK]), squared_norms(vector[cut * BLOCK :])]
        assert np.concatenate(pieces).tobytes() == whole.tobytes()
    clipped = vector.copy()
    clip_by_global_norm(0.5).update(clipped, (), clipped)
    assert squared_norm(clipped) == pytest.approx(0.25)
