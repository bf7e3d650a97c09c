"""Somebody removes artifacts while a run uses them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from small_stages import Greeting, greeting, reading

from artifacts.store import Artifact
from tasks.config.settings import Settings, WorkerSettings
from tasks.core.events import Event, Notice
from tasks.core.stage import StageRunner
from tasks.engines.plain import stage_runner
from tasks.engines.removed import RemovedError, repeat_if_removed


def run_and_remove(
    store: Path, events: list[Event], workers: WorkerSettings | None, times: int
) -> list[Artifact]:
    """Run two stages, and as often remove what the first has made before the second reads it."""
    left = [None] * times

    def compose(run: StageRunner) -> Any:
        (first,) = run.wait([run(greeting, Greeting())])
        if left:
            left.pop()
            shutil.rmtree(first.folder)
        return run.wait([run(reading, Greeting(), greeting=first)])

    def run_once() -> Any:
        with stage_runner(Settings(store=store), events.append, workers) as run:
            return compose(run)

    found: list[Artifact] = repeat_if_removed(run_once, events.append)
    return found


@pytest.mark.parametrize("workers", [None, WorkerSettings(workers=2, runner="threads")], ids=["one", "two"])
def test_an_artifact_that_is_removed_before_it_is_read_is_made_again(
    tmp_path: Path, workers: WorkerSettings | None
) -> None:
    events: list[Event] = []
    (artifact,) = run_and_remove(tmp_path / "store", events, workers, times=2)
    assert artifact.text("read.txt") == "hello Ana"
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 2
    assert all("removed meanwhile" in text for text in notices)


def test_a_store_that_is_emptied_again_and_again_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RemovedError, match=r"store\.removed"):
        run_and_remove(tmp_path / "store", [], None, times=9)
