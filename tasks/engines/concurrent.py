"""Stages that run beside each other: their promises are awaited, and the first error stops the run."""

import queue
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from artifacts.store import Artifact
from rnn_core.errors import Interrupted
from tasks.config.settings import Settings
from tasks.core.events import Event, Listener, Progress
from tasks.core.stage import AnyStage, StageRunner
from tasks.engines.executors import WorkerPool
from tasks.engines.progress import ProgressAggregator
from tasks.engines.removed import removal_detected
from tasks.process import signals

# Waiting without a limit would not hear Ctrl-C once Polars is imported: its handler for SIGINT resumes the
# interrupted wait, so Python's own never gets to run.
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class StageResult:
    """What comes back from a stage.

    events:  of a stage in another process, for the listener, which cannot travel there; no progress.
    """

    artifact: Artifact
    events: tuple[Event, ...] = ()


def run_stage(
    stage: AnyStage,
    settings: Settings,
    config: Any,
    on_event: Listener | None,
    inputs: Mapping[str, Any],
    run: Mapping[str, str],
    report: Listener = lambda _event: None,
) -> tuple[StageResult, bool]:
    """The stage's artifact, and whether it was in the store already.

    on_event:  the caller's; None in another process than the caller's.
    inputs:    artifacts, or results of stages, or lists of them.
    report:    a listener in this process.
    """
    events: list[Event] = []

    def emit(event: Event) -> None:
        if on_event:
            on_event(event)
        elif not isinstance(event, Progress):
            events.append(event)
        report(event)

    artifacts = {role: _artifacts(given) for role, given in inputs.items()}
    artifact, reused = stage.produce(settings, config, emit, run, **artifacts)
    return StageResult(artifact, tuple(events)), reused


def _artifacts(given: Any) -> Any:
    if isinstance(given, StageResult):
        return given.artifact
    return [_artifacts(item) for item in given] if isinstance(given, list | tuple) else given


class ConcurrentRunner(StageRunner):
    """A runner whose stages run elsewhere: in other threads, other processes, on other machines.

    A promise is the future of a StageResult, of concurrent.futures, Prefect or Dask. The first error ends the
    run: what has not begun never does, and what is under way is waited for.
    """

    def __init__(self, on_event: Listener, pool: WorkerPool) -> None:
        self._pool = pool
        self._on_event = ProgressAggregator(on_event, self.show_progress)
        self._promises: list[Any] = []
        self._pending: set[Any] = set()
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._artifacts: dict[Any, Artifact] = {}
        self._errors: dict[Any, Exception] = {}

    @abstractmethod
    def submit(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Any:
        """The promise of a StageResult."""

    @abstractmethod
    def cancel(self, promise: Any) -> None:
        """Keep it from beginning, if it has not begun."""

    def show_progress(self, total: Progress) -> None:  # there may be no such place
        """Show how far all runs of a stage are together, where the listener does not reach."""

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Any:
        """The promise of the stage's artifact. Raises the error of an earlier one as soon as it is known."""
        while self._collect(seconds=0.0):
            pass
        self._on_event.expect(stage, config)
        try:
            promise = self.submit(stage, config, inputs)
        except BrokenExecutor as broken:  # meanwhile: reported as the errors of stages are
            promise = Future()
            promise.set_exception(broken)
        self._promises.append(promise)
        self._pending.add(promise)
        promise.add_done_callback(self._ended.put)
        self._pool.has_lost_worker()  # it remembers who was started for this stage
        return promise

    def wait(self, promises: Sequence[Any]) -> list[Artifact]:
        """Their artifacts. Raises the first error of any stage, and Interrupted, once all have ended."""
        for promise in promises:
            while promise not in self._artifacts:
                self._collect(_POLL_SECONDS)
        return [self._artifacts[promise] for promise in promises]

    def finish(self) -> list[Artifact]:
        """All artifacts that were promised, in that order."""
        return self.wait(self._promises)

    def artifacts(self) -> list[Artifact]:
        """All artifacts that are there so far."""
        return list(self._artifacts.values())

    @contextmanager
    def all_ended(self) -> Iterator[None]:
        """Within it stages are promised; after it all of them have ended, and `finish` gives their artifacts.

        Raises the first error of any stage, and RemovedError as `removal_detected` does.
        """
        with removal_detected(self.artifacts):
            try:
                yield
                self.finish()
            finally:
                self.stop()

    def stop(self) -> None:
        """Cancel what has not begun, and wait for what is under way."""
        for promise in list(self._pending):
            self.cancel(promise)
        is_requested = False
        while self._pending:
            if signals.requested() and not is_requested:
                self._pool.request_stop(signals.signal_number())
                is_requested = True
            self._take(_POLL_SECONDS)

    def _collect(self, seconds: float) -> bool:
        """Whether a stage ended within that time. Raises if one failed, or someone asked to stop."""
        has_ended = self._take(seconds)
        if self._errors or signals.requested():
            self.stop()
            raise self._first_error() from None
        return has_ended

    def _take(self, seconds: float) -> bool:
        has_lost_worker = self._pool.has_lost_worker()
        try:
            promise = self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait()
        except queue.Empty:
            if has_lost_worker and seconds:
                self._give_up()
            return False
        self._pending.discard(promise)
        try:
            result: StageResult = promise.result()
        except Exception as error:
            self._errors[promise] = error
        else:
            self._artifacts[promise] = result.artifact
            for event in result.events:
                self._on_event(event)
        return True

    def _give_up(self) -> None:
        """A pool that breaks while it is given a stage may forget that one."""
        lost = BrokenProcessPool("a worker is gone, and no stage ends any more")
        self._errors |= dict.fromkeys(self._pending, lost)
        self._pending.clear()

    def _first_error(self) -> Exception:
        """In the order of submission; the stages after it only could not run."""
        errors = [self._errors[promise] for promise in self._promises if promise in self._errors]
        if signals.requested():
            between = signals.interruption(signals.signal_number(), "between two stages")
            return next((error for error in errors if isinstance(error, Interrupted)), between)
        causes = [error for error in errors if not isinstance(error, CancelledError)]
        return self._pool.explain((causes or errors)[0])
