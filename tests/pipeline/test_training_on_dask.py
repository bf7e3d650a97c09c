"""Dask's workers: one trains by processes of its own, and one that does not start is one clear error."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dask
import pytest
from small_runs import files_of

from flows.pipeline import lists as input_lists
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.core.stage import EmptyConfig, StageRunner
from tasks.engines import executors, plain
from tasks.server.errors import ServerError

# It is worth another process, in a worker too, where no test can change what is.
LONG_ENOUGH = TrainingConfig(cell="gru", hidden_size=128, epochs=60, patience=60)
STARTED_BY_US = b"rnn_core.train import processes"


@pytest.mark.usefixtures("prefect_url")
def test_a_dask_worker_trains_by_processes_to_the_same_bytes(lists, tmp_path):
    from prefect import flow

    from tasks.engines import prefect

    config = RetrainConfig(sources=(Source("people", str(lists[0])),), training=LONG_ENOUGH)

    @flow(name="trained by Dask")
    def by_dask(settings: Settings) -> None:
        with prefect.stage_runner(settings, WorkerSettings("dask", 1)) as run:
            train(config, run)

    with trainings_in_workers() as helpers:
        by_dask(Settings(tmp_path / "dask", workers=2))
    (helper,) = helpers
    assert not Path(f"/proc/{helper}").exists()

    with plain.stage_runner(Settings(tmp_path / "alone", workers=1), lambda _event: None) as run:
        train(config, run)
    assert files_of(tmp_path / "dask") == files_of(tmp_path / "alone")


def train(config: RetrainConfig, run: StageRunner) -> None:
    """The stages up to the model."""
    validated = input_lists(config, run).validated
    vocabulary = run(stages.vocabulary, EmptyConfig(), validated=validated)
    examples = run(stages.examples, config.examples_config, validated=validated, vocabulary=vocabulary)
    run(stages.model, config.model_config, examples=examples, vocabulary=vocabulary)


def test_a_dask_worker_that_does_not_start_is_one_clear_error():
    with (
        dask.config.set({"distributed.worker.preload": ["no_such_module"]}),
        pytest.raises(ServerError, match=r"(?s)dask\.unreachable.*failed to start"),
        executors.task_runner(WorkerSettings("dask", 1)),
    ):
        pass


@contextmanager
def trainings_in_workers() -> Iterator[set[int]]:
    """Processes that are seen within it to train together with a child of this process."""
    seen: set[int] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # it has ended meanwhile
                    is_helper = STARTED_BY_US in (folder / "cmdline").read_bytes()
                    if is_helper and parent_of(parent_of(int(folder.name))) == os.getpid():
                        seen.add(int(folder.name))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
