"""The plain engine, which needs no Prefect: stages one after another, or side by side on a pool."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from artifacts.store import Artifact
from tasks.config.settings import Settings, WorkerSettings
from tasks.core.events import Listener
from tasks.core.stage import AnyStage, StageRunner
from tasks.engines import executors, finalize
from tasks.engines.concurrent import ConcurrentRunner, StageResult, run_stage
from tasks.engines.executors import WorkerPool
from tasks.process.worker_processes import sigint_blocked

RUN_CONTEXT = {"engine": "plain"}


@contextmanager
def stage_runner(
    settings: Settings, on_event: Listener, workers: WorkerSettings | None = None
) -> Iterator[StageRunner]:
    """A runner of stages. When it closes, all have ended, and their run is finalized.

    workers:  run stages side by side; without them they run one after another.

    Raises what a stage raised, TrainingError for a worker that died, ConfigError for Dask, and what
    `finalize` raises.
    """
    if workers is None:
        sequential = SequentialRunner(settings, on_event)
        yield sequential
        artifacts = sequential.artifacts
    else:
        with executors.executor(workers) as pool:
            concurrent = _PoolRunner(settings, on_event, pool)
            try:
                yield concurrent
                artifacts = concurrent.finish()
            finally:
                concurrent.stop()
    finalize.finalize(settings.store, artifacts, on_event, RUN_CONTEXT)


class SequentialRunner(StageRunner):
    """Runs every stage at once, so its promises are artifacts already. It does not finalize the run."""

    def __init__(self, settings: Settings, on_event: Listener) -> None:
        self._settings, self._on_event = settings, on_event
        self.artifacts: list[Artifact] = []

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Artifact:
        """The stage's artifact."""
        artifact, _ = stage.produce(self._settings, config, self._on_event, RUN_CONTEXT, **inputs)
        self.artifacts.append(artifact)
        return artifact

    def wait(self, promises: Sequence[Artifact]) -> list[Artifact]:
        """The same artifacts."""
        return list(promises)


class _PoolRunner(ConcurrentRunner):
    """Stages on a pool of concurrent.futures. One whose inputs are not there yet waits until they are."""

    def __init__(self, settings: Settings, on_event: Listener, pool: WorkerPool) -> None:
        super().__init__(on_event, pool)
        self._settings = settings

    def submit(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> "Future[StageResult]":
        artifacts = {role: self._resolve(given) for role, given in inputs.items()}
        on_event = None if self._pool.is_remote else self._on_event
        with sigint_blocked():
            promise: Future[StageResult] = self._pool.pool.submit(
                _run_stage, stage, self._settings, config, on_event, artifacts
            )
        return promise

    def cancel(self, promise: "Future[StageResult]") -> None:
        promise.cancel()

    def _resolve(self, given: Any) -> Any:
        if isinstance(given, Future):
            return self.wait([given])[0]
        return [self._resolve(item) for item in given] if isinstance(given, list | tuple) else given


def _run_stage(
    stage: AnyStage, settings: Settings, config: Any, on_event: Listener | None, inputs: Mapping[str, Any]
) -> StageResult:
    return run_stage(stage, settings, config, on_event, inputs, RUN_CONTEXT)[0]
