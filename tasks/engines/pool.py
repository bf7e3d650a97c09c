"""Stages side by side on a pool of concurrent.futures, without Prefect."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from tasks.config.settings import Settings
from tasks.core.events import Listener
from tasks.core.stage import AnyStage
from tasks.engines.concurrent import ConcurrentRunner, StageResult, run_stage
from tasks.engines.executors import WorkerPool
from tasks.process.worker_processes import sigint_blocked


class PoolRunner(ConcurrentRunner):
    """Stages on a pool of concurrent.futures. One whose inputs are not there yet waits until they are."""

    def __init__(
        self, settings: Settings, on_event: Listener, pool: WorkerPool, run: Mapping[str, str]
    ) -> None:
        super().__init__(on_event, pool)
        self._settings, self._run = settings, run

    def submit(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> "Future[StageResult]":
        """The future of the stage's result."""
        artifacts = {role: self._resolve(given) for role, given in inputs.items()}
        on_event = None if self._pool.is_remote else self._on_event
        with sigint_blocked():
            promise: Future[StageResult] = self._pool.pool.submit(
                _stage_result, stage, self._settings, config, on_event, artifacts, self._run
            )
        return promise

    def cancel(self, promise: "Future[StageResult]") -> None:
        """Keep the stage from beginning, if it has not begun."""
        promise.cancel()

    def _resolve(self, given: Any) -> Any:
        if isinstance(given, Future):
            return self.wait([given])[0]
        return [self._resolve(item) for item in given] if isinstance(given, list | tuple) else given


def _stage_result(*arguments: Any) -> StageResult:
    return run_stage(*arguments)[0]
