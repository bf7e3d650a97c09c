"""Stages that run beside each other, by the script many_stages.py."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from small_stages import Greeting, greeting

from rnn_core.errors import ConfigError, TrainingError
from tasks.config.settings import Settings, WorkerSettings
from tasks.engines import executors
from tasks.engines.plain import stage_runner
from tasks.server.errors import ServerError

SCRIPT = Path(__file__).parents[1] / "support" / "many_stages.py"
RUNNERS = pytest.mark.parametrize("runner", ["threads", "processes"])


@pytest.fixture
def started(environment, tmp_path):
    """The script under way, two workers by default."""

    def start(runner, speed, count, workers=2):
        words = ["plain", runner, tmp_path / "store", workers, speed, count]
        tests = str(SCRIPT.parent)
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, words)],
            env={**environment, "PYTHONPATH": f"{tests}:{SCRIPT.parents[2]}"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    return start


@RUNNERS
def test_all_are_made_whatever_their_number_and_a_second_run_makes_none(started, runner):
    for word in ("made", "reused"):
        printed, errors = started(runner, "quick", 12).communicate(timeout=120)
        assert errors == ""
        told = {line for line in printed.splitlines() if line.startswith(word)}
        assert {f"{word} greeting {place}" for place in range(12)} == told


@RUNNERS
def test_a_run_that_is_asked_to_stop_ends_its_workers_without_a_traceback(started, runner):
    run = started(runner, "slow", 40)
    assert run.stdout.readline() == "made greeting 0\n"
    # As a terminal does: the whole group hears it, the workers too.
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=60)  # ends when the last worker has closed its end
    assert run.returncode == 130
    assert errors.startswith("error[run.interrupted]: stopped by SIGINT")
    assert "Traceback" not in errors


def test_a_worker_that_dies_is_one_clear_error(started):
    run = started("processes", "slow", 40)
    assert run.stdout.readline() == "made greeting 0\n"
    (worker, *_) = children(run.pid)
    subprocess.run(["kill", "-KILL", worker], check=True)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 5
    assert errors.startswith("error[runner.worker]: a worker process ended in the middle of its work")
    assert f"process {worker}: SIGKILL" in errors
    assert "Traceback" not in errors


def two_stages(run, between):
    """The only worker is killed before the second one is asked for."""
    run.wait([run(greeting, Greeting("Ana"))])
    (worker,) = children(os.getpid())
    os.kill(int(worker), signal.SIGKILL)
    between(run)
    run.wait([run(greeting, Greeting("Bea"))])


def is_noticed(_run):
    time.sleep(1.0)  # the pool takes no stage any more


def is_forgotten(run):
    """The stage, by a pool that breaks as it takes it."""
    run.submit = lambda *_stage: Future()


@pytest.mark.parametrize("between", [is_noticed, is_forgotten])
def test_a_worker_that_dies_while_no_stage_is_under_way_is_the_same_error(tmp_path, between):
    settings, one = Settings(tmp_path / "store"), WorkerSettings("processes", 1)
    told = pytest.raises(TrainingError, match=r"(?s)runner\.worker.*SIGKILL")
    with told, stage_runner(settings, lambda _event: None, one) as run:
        two_stages(run, between)


def children(pid):
    """Worker processes of that one; the tracker of its resources is not one of them."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def test_dask_without_prefect_and_a_scheduler_that_is_not_there_are_one_clear_error_each(monkeypatch):
    with pytest.raises(ConfigError, match=r"config\.runner"), executors.executor(WorkerSettings("dask", 1)):
        pass
    monkeypatch.setattr(executors, "find_spec", lambda _name: None)
    dashboard = WorkerSettings("dask", 1, dask_dashboard=8787)
    with pytest.raises(ConfigError, match="pip install bokeh"), executors.task_runner(dashboard):
        pass
    monkeypatch.setattr(executors, "_CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:1", "no address"):
        nowhere = WorkerSettings("dask", 1, address)
        with pytest.raises(ServerError, match=r"dask\.unreachable"), executors.task_runner(nowhere):
            pass
