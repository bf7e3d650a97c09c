"""The plain engine: it needs no Prefect. Stages one after another, here and now, or side by side."""

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
    settings: Settings, listener: Listener, workers: WorkerSettings | None = None
) -> Iterator[StageRunner]:
    """A runner of stages; at its end all are done, and what follows from them is carried out.

    workers:  that run stages side by side; without them every stage is made at once.

    Raises what a stage raised, TrainingError for a worker that died, ConfigError for Dask, and what
    `concluding.conclude` raises.
    """
    if workers is None:
        in_order = SequentialRunner(settings, listener)
        yield in_order
        finalize.finalize(settings.store, in_order.made, listener, RUN_CONTEXT)
        return
    with executors.executor(workers) as hired:
        side_by_side = _PoolRunner(settings, listener, hired)
        try:
            yield side_by_side
            made = side_by_side.finish()
        finally:
            side_by_side.stop()
    finalize.finalize(settings.store, made, listener, RUN_CONTEXT)


class SequentialRunner(StageRunner):
    """Every stage at once: its promises are artifacts already. Nothing follows from them."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings, self._listener = settings, listener
        self.made: list[Artifact] = []

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Artifact:
        artifact, _ = stage.produce(self._settings, config, self._listener, RUN_CONTEXT, **inputs)
        self.made.append(artifact)
        return artifact

    def wait(self, promises: Sequence[Artifact]) -> list[Artifact]:
        return list(promises)


class _PoolRunner(ConcurrentRunner):
    """Stages on a pool of concurrent.futures. One that needs what is not made yet waits until it is."""

    def __init__(self, settings: Settings, listener: Listener, hired: WorkerPool) -> None:
        super().__init__(listener, hired)
        self._settings = settings

    def submit(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> "Future[StageResult]":
        made = {role: self._made_of(one) for role, one in inputs.items()}
        pool = self._hired.pool
        if not self._hired.elsewhere:
            promise: Future[StageResult] = pool.submit(
                _run_stage, stage, self._settings, config, self._listener, made
            )
            return promise
        with sigint_blocked():
            promise = pool.submit(_run_stage, stage, self._settings, config, None, made)
        return promise

    def cancel(self, promise: "Future[StageResult]") -> None:
        promise.cancel()

    def _made_of(self, one: Any) -> Any:
        if isinstance(one, Future):
            return self.wait([one])[0]
        return [self._made_of(each) for each in one] if isinstance(one, list | tuple) else one


def _run_stage(
    stage: AnyStage, settings: Settings, config: Any, listener: Listener | None, inputs: Mapping[str, Any]
) -> StageResult:
    return run_stage(stage, settings, config, listener, lambda _event: None, RUN_CONTEXT, inputs)[0]
