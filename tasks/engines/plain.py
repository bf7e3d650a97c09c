"""The plain engine: it needs no Prefect. Stages one after another, here and now, or side by side."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from artifacts.store import Artifact
from tasks.config.settings import Settings
from tasks.core.events import Listener
from tasks.core.stage import Input, Stage, StageRunner
from tasks.engines import executors, finalize
from tasks.engines.concurrent import Outcome, SideBySide, produced
from tasks.engines.executors import Hired, Workers
from tasks.process.worker_processes import deaf_to_ctrl_c

WHO_ASKS = {"engine": "plain"}


@contextmanager
def producing(
    settings: Settings, listener: Listener, workers: Workers | None = None
) -> Iterator[StageRunner]:
    """A runner of stages; at its end all are done, and what follows from them is carried out.

    workers:  that run stages side by side; without them every stage is made at once.

    Raises what a stage raised, TrainingError for a worker that died, ConfigError for Dask, and what
    `concluding.conclude` raises.
    """
    if workers is None:
        in_order = InOrder(settings, listener)
        yield in_order
        finalize.conclude(settings.store, in_order.made, listener, WHO_ASKS)
        return
    with executors.executor(workers) as hired:
        side_by_side = _Pooled(settings, listener, hired)
        try:
            yield side_by_side
            made = side_by_side.finish()
        finally:
            side_by_side.stop()
    finalize.conclude(settings.store, made, listener, WHO_ASKS)


class InOrder:
    """Every stage at once: its promises are artifacts already. Nothing follows from them."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings, self._listener = settings, listener
        self.made: list[Artifact] = []

    def __call__(self, stage: Stage, config: Any, **inputs: Input) -> Artifact:
        artifact, _ = stage.produce(self._settings, config, self._listener, WHO_ASKS, **inputs)
        self.made.append(artifact)
        return artifact

    def wait(self, promises: Sequence[Artifact]) -> list[Artifact]:
        return list(promises)


class _Pooled(SideBySide):
    """Stages on a pool of concurrent.futures. One that needs what is not made yet waits until it is."""

    def __init__(self, settings: Settings, listener: Listener, hired: Hired) -> None:
        super().__init__(listener, hired)
        self._settings = settings

    def submit(self, stage: Stage, config: Any, inputs: Mapping[str, Any]) -> "Future[Outcome]":
        made = {role: self._made_of(one) for role, one in inputs.items()}
        pool = self._hired.pool
        if not self._hired.elsewhere:
            promise: Future[Outcome] = pool.submit(_here, stage, self._settings, config, self._listener, made)
            return promise
        import cloudpickle  # the title of a stage may be a lambda

        with deaf_to_ctrl_c():
            promise = pool.submit(_there, cloudpickle.dumps((stage, self._settings, config, None, made)))
        return promise

    def cancel(self, promise: "Future[Outcome]") -> None:
        promise.cancel()

    def _made_of(self, one: Any) -> Any:
        if isinstance(one, Future):
            return self.wait([one])[0]
        return [self._made_of(each) for each in one] if isinstance(one, list | tuple) else one


def _here(
    stage: Stage, settings: Settings, config: Any, listener: Listener | None, inputs: Mapping[str, Any]
) -> Outcome:
    return produced(stage, settings, config, listener, lambda _event: None, WHO_ASKS, inputs)[0]


def _there(packed: bytes) -> Outcome:
    import cloudpickle

    return _here(*cloudpickle.loads(packed))
