"""The plain engine, which needs no Prefect: stages one after another, or side by side on a pool."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from artifacts.store import Artifact
from tasks.config.settings import Settings, WorkerSettings
from tasks.core.events import Listener
from tasks.core.stage import AnyStage, StageRunner
from tasks.engines import finalize
from tasks.engines.removed import removal_detected

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
        with removal_detected(lambda: sequential.artifacts):
            yield sequential
            finalize.finalize(settings.store, sequential.artifacts, on_event, RUN_CONTEXT)
    else:
        from tasks.engines import executors  # slow to import, as is what knows of processes
        from tasks.engines.pool import PoolRunner

        with executors.executor(workers) as pool:
            concurrent = PoolRunner(settings, on_event, pool, RUN_CONTEXT)
            with concurrent.all_ended():
                yield concurrent
        with removal_detected(concurrent.artifacts):
            finalize.finalize(settings.store, concurrent.finish(), on_event, RUN_CONTEXT)


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
