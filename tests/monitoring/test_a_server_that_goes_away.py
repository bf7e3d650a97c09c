"""A run outlives the Prefect server it began with."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import small_flow

from artifacts.store import Store
from tasks.server import background


@contextmanager
def counting_run(store: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A run in the middle of its stage `counting`."""
    with subprocess.Popen(
        [sys.executable, small_flow.__file__, str(store), *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        for line in run.stdout:
            if line.startswith("Progress"):
                break
        yield run


def killed_in_the_middle(home: Path, store: Path, *arguments: str) -> tuple[int, str, float]:
    """Exit code and errors of a run whose server is killed while it counts, and the seconds it then took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        started = background.start(port, say=lambda _text: None)
        with counting_run(store, *arguments) as run:
            os.kill(started.pid, signal.SIGKILL)
            killed = time.monotonic()
            _, errors = run.communicate(timeout=100)
        background.stop()
    return run.returncode, errors, time.monotonic() - killed


def test_a_server_that_dies_mid_run_costs_no_artifact(tmp_path: Path) -> None:
    code, errors, seconds = killed_in_the_middle(tmp_path / "prefect", tmp_path / "store")
    assert code == 7, errors
    assert errors.startswith("error[server.lost]: everything is made, but not recorded in Prefect")
    assert "Traceback" not in errors
    made = Store(tmp_path / "store").list()
    assert {manifest.recipe.stage for manifest in made} == {"greeting", "counting"}
    assert seconds < 30  # Prefect alone would take more than two minutes


def test_a_stage_that_fails_is_the_error_even_if_the_server_died_as_well(tmp_path: Path) -> None:
    code, errors, _ = killed_in_the_middle(tmp_path / "prefect", tmp_path / "store", "refuse")
    assert code == 3, errors
    assert errors.startswith("error[test.refused]: nobody is greeted")
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_in_prefect_hears_who_asks_it_to_stop(
    number: signal.Signals, tmp_path: Path, prefect_url: str
) -> None:
    with counting_run(tmp_path, PREFECT_API_URL=prefect_url) as run:
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert errors.startswith(f"error[run.interrupted]: stopped by {number.name}\n  where: counting")
