"""Stages that run beside each other: what was promised is waited for, and the first error stops all."""

import queue
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from artifacts.store import Artifact
from rnn_core.errors import Interrupted
from tasks.config.settings import Settings
from tasks.core.events import Event, Listener, Progress
from tasks.core.stage import AnyStage, StageRunner
from tasks.engines.executors import WorkerPool
from tasks.engines.progress import ProgressAggregator
from tasks.process import signals

# Waiting without a limit would not hear Ctrl-C once Polars is imported: its handler for SIGINT resumes the
# interrupted wait, so Python's own never gets to run.
_LISTEN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class StageResult:
    """What comes back from a stage.

    told:  what a stage in another process has for the listener, which cannot travel; no progress.
    """

    artifact: Artifact
    told: tuple[Event, ...] = ()


def run_stage(
    stage: AnyStage,
    settings: Settings,
    config: Any,
    listener: Listener | None,
    report: Listener,
    run: Mapping[str, str],
    inputs: Mapping[str, Any],
) -> tuple[StageResult, bool]:
    """The stage's artifact, and whether it was in the store already.

    listener:  of who asked; None in another process than theirs.
    report:    hears everything here.
    inputs:    artifacts, or outcomes, or lists of them.
    """
    told: list[Event] = []

    def hear(event: Event) -> None:
        if listener:
            listener(event)
        elif not isinstance(event, Progress):
            told.append(event)
        report(event)

    artifacts = {role: _artifacts(one) for role, one in inputs.items()}
    artifact, reused = stage.produce(settings, config, hear, run, **artifacts)
    return StageResult(artifact, tuple(told)), reused


def _artifacts(one: Any) -> Any:
    if isinstance(one, StageResult):
        return one.artifact
    return [_artifacts(each) for each in one] if isinstance(one, list | tuple) else one


class ConcurrentRunner(StageRunner):
    """A runner whose stages run elsewhere: in other threads, other processes, on other machines.

    A promise is the future of an Outcome, of concurrent.futures, Prefect or Dask. The first error ends the
    run: what has not begun never does, and what is under way is waited for.
    """

    def __init__(self, listener: Listener, hired: WorkerPool) -> None:
        self._hired = hired
        self._listener = ProgressAggregator(listener, self.show)
        self._promised: list[Any] = []
        self._under_way: set[Any] = set()
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._made: dict[Any, Artifact] = {}
        self._errors: dict[Any, Exception] = {}

    @abstractmethod
    def submit(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Any:
        """The promise of an Outcome."""

    @abstractmethod
    def cancel(self, promise: Any) -> None:
        """So that it never begins, if it has not begun."""

    def show(self, sums: Progress) -> None:  # there may be no such place
        """How far all runs of a stage are together, to where the listener does not reach."""

    def run(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> Any:
        """The promise of the stage's artifact. Raises the error of an earlier one as soon as it is known."""
        while self._hear(seconds=0.0):
            pass
        self._listener.expect(stage, config)
        try:
            promise = self.submit(stage, config, inputs)
        except BrokenExecutor as broken:  # since the last stage was taken: told as the errors of stages are
            promise = Future()
            promise.set_exception(broken)
        self._promised.append(promise)
        self._under_way.add(promise)
        promise.add_done_callback(self._ended.put)
        self._hired.look()  # who was started for it
        return promise

    def wait(self, promises: Sequence[Any]) -> list[Artifact]:
        """Until these are made. Raises the first error of any stage, and Interrupted, once all have ended."""
        for promise in promises:
            while promise not in self._made:
                self._hear(_LISTEN_SECONDS)
        return [self._made[promise] for promise in promises]

    def finish(self) -> list[Artifact]:
        """All that was promised, in that order."""
        return self.wait(self._promised)

    def stop(self) -> None:
        """Cancel what has not begun, and wait for what is under way."""
        for promise in list(self._under_way):
            self.cancel(promise)
        asked = False
        while self._under_way:
            if signals.requested() and not asked:
                self._hired.ask(signals.signal_number())
                asked = True
            self._take(_LISTEN_SECONDS)

    def _hear(self, seconds: float) -> bool:
        """Whether a stage ended within that time."""
        taken = self._take(seconds)
        if self._errors or signals.requested():
            self.stop()
            raise self._cause() from None
        return taken

    def _take(self, seconds: float) -> bool:
        has_gone = self._hired.look()
        try:
            promise = self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait()
        except queue.Empty:
            if has_gone and seconds:
                self._give_up()
            return False
        self._under_way.discard(promise)
        try:
            outcome: StageResult = promise.result()
        except Exception as error:
            self._errors[promise] = error
        else:
            self._made[promise] = outcome.artifact
            for event in outcome.told:
                self._listener(event)
        return True

    def _give_up(self) -> None:
        """A pool that breaks while it is given a stage may forget that one."""
        lost = BrokenProcessPool("a worker has gone, and nothing ends any more")
        self._errors |= dict.fromkeys(self._under_way, lost)
        self._under_way.clear()

    def _cause(self) -> Exception:
        """The first error in the order of submission; the stages after it only could not run."""
        errors = [self._errors[promise] for promise in self._promised if promise in self._errors]
        if signals.requested():
            between = signals.interruption(signals.signal_number(), "between two stages")
            return next((error for error in errors if isinstance(error, Interrupted)), between)
        causes = [error for error in errors if not isinstance(error, CancelledError)]
        return self._hired.explained((causes or errors)[0])
