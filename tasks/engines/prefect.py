"""The bridge from a stage to Prefect: its task, and its states, logs and progress there.

Prefect only watches. The store alone decides what is made, and a server that goes away costs no artifact.
"""

import contextvars
import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

import httpx
from prefect import Task, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import Abort, ObjectNotFound, TerminationSignal
from prefect.futures import PrefectFuture, PrefectWrappedFuture
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_TASKS_REFRESH_CACHE
from prefect.states import Completed

from rnn_core.errors import NamewrightError, escape_controls
from tasks.config.settings import Settings, WorkerSettings
from tasks.core.events import Event, Finished, Listener, Notice, Progress
from tasks.core.prefect_states import CACHED
from tasks.core.stage import AnyStage, StageRunner
from tasks.engines import executors, finalize
from tasks.engines.concurrent import ConcurrentRunner, run_stage
from tasks.engines.executors import WorkerPool
from tasks.engines.lease import current_run, is_deployed
from tasks.engines.removed import removal_detected
from tasks.process import signals
from tasks.process.worker_processes import sigint_blocked
from tasks.server import health
from tasks.server.errors import ServerError

_PROGRESS_SECONDS = 2.0  # between two updates in the UI, and before the first
_PATIENCE_SECONDS = (0.0, 1.0, 2.0, 4.0)  # a server that restarts is back within them
_DEPLOYED_PATIENCE_SECONDS = (*_PATIENCE_SECONDS, *[5.0] * 60)  # nobody waits at a terminal


class NotRecorded(ServerError):  # it names an outcome, as Interrupted does
    """Everything is made, and Prefect does not know."""

    exit_code = 7


@functools.cache
def as_task(stage: AnyStage) -> Task[..., Any]:
    """A Prefect task that produces the stage's artifact.

    Prefect's own cache is off: the store decides, and the state is named "Cached" when it has the artifact.
    `refresh_cache=True` on the task, or PREFECT_TASKS_REFRESH_CACHE, makes the artifact again. Submit it, do
    not call it: a called task would return the state instead of the artifact.
    """

    def label(parameters: dict[str, Any]) -> str:
        return stage.label(parameters["config"])

    @task(
        name=stage.name,
        version=str(stage.version),
        description=inspect.getdoc(stage.function),
        task_run_name=label,  # type: ignore[arg-type]  # the protocol asks for what no function has
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=0,  # what failed fails again: same stage, same inputs
    )
    def produce(settings: Settings, config: Any, on_event: Listener | None, inputs: Mapping[str, Any]) -> Any:
        refreshing = _with_refresh(settings, stage)
        with _task_reporter(stage) as report:
            result, reused = run_stage(stage, refreshing, config, on_event, inputs, run_context(), report)
        if reused:
            return Completed(name=CACHED, message=f"reused {result.artifact.origin}", data=result)
        return result

    return produce


@contextmanager
def stage_runner(
    settings: Settings, workers: WorkerSettings | None = None, on_event: Listener = lambda _event: None
) -> Iterator[StageRunner]:
    """Inside a flow: a runner that submits every stage to a task runner of Prefect.

    When it closes, all have ended, and their run is finalized.

    workers:   run the stages; without them the flow's own task runner does.
    on_event:  a listener besides that of the flow's caller.

    Raises the first error of a stage as the stage raised it, TrainingError for a worker that died,
    ConfigError and ServerError for a Dask that is unavailable, what `finalize` raises, and Abort if the
    server is gone by then.
    """
    caller = _caller.get() or _Caller(lambda _event: None)

    def emit(event: Event) -> None:
        on_event(event)
        caller.on_event(event)

    with signals.graceful_shutdown():  # Prefect has put a handler of its own in the place of ours
        try:
            with _worker_pool(workers) as pool:
                if pool.dashboard:
                    _with_log(emit)(Notice("dask", f"the dashboard of its workers: {pool.dashboard}"))
                runner = _PrefectRunner(settings, emit, pool)
                with runner.all_ended():
                    yield runner
            with removal_detected(runner.artifacts):
                finalize.finalize(settings.store, runner.finish(), _with_log(emit), run_context())
            caller.is_complete = True
        finally:
            _raise_if_server_lost()


def _with_log(on_event: Listener) -> Listener:
    """A listener that writes notices to the log of the flow as well."""
    logger = get_run_logger()

    def log(event: Event) -> None:
        on_event(event)
        if isinstance(event, Notice):
            logger.info(f"{event.stage}: {event.text}")

    return log


@contextmanager
def _worker_pool(workers: WorkerSettings | None) -> Iterator[WorkerPool]:
    if workers is not None:
        with executors.task_runner(workers) as pool:
            yield pool
        return
    context = FlowRunContext.get()
    assert context, "not inside a flow"
    yield WorkerPool(context.task_runner)


class _PrefectRunner(ConcurrentRunner):
    def __init__(self, settings: Settings, on_event: Listener, pool: WorkerPool) -> None:
        super().__init__(on_event, pool)
        self._settings = settings
        self._progress = _LiveProgress("names", get_run_logger())

    def show_progress(self, total: Progress) -> None:
        self._progress.update(total)

    def stop(self) -> None:
        super().stop()
        self._progress.end()  # its sum is whole where all shards are

    def submit(self, stage: AnyStage, config: Any, inputs: Mapping[str, Any]) -> PrefectFuture[Any]:
        on_event = None if self._pool.is_remote else self._on_event
        parameters = {"settings": self._settings, "config": config, "on_event": on_event, "inputs": inputs}
        with sigint_blocked():
            future: PrefectFuture[Any] = self._pool.pool.submit(as_task(stage), parameters)
        return future

    def cancel(self, promise: PrefectFuture[Any]) -> None:
        if isinstance(promise, PrefectWrappedFuture):
            promise.wrapped_future.cancel()


def caller_listener() -> Listener:
    """The listener of the flow's caller."""
    caller = _caller.get()
    return caller.on_event if caller else lambda _event: None


def run_recorded(flow: Callable[[], object], fallback: Callable[[], object], on_event: Listener) -> None:
    """Run the flow, whose stages emit their events to the listener.

    fallback:  does the same without Prefect, for when its server goes away before all is made.

    Raises what a stage raised, or NotRecorded once everything is made but the server has no record of it.
    """
    # Prefect would print to the terminal that a log cannot be delivered. NotRecorded says it once.
    logging.raiseExceptions = False
    caller = _Caller(on_event)
    before = _caller.set(caller)
    try:
        flow()
    except TerminationSignal as termination:  # Prefect's own handler, where ours is not in its place
        raise signals.interruption(termination.signal, "while Prefect recorded the run") from None
    except (Exception, Abort) as error:
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, NamewrightError):
                raise cause from None
        if not any(isinstance(cause, httpx.HTTPError | ObjectNotFound | Abort) for cause in causes):
            raise
        if not caller.is_complete:
            signals.raise_if_requested("when Prefect's server had gone away")
            on_event(Notice("prefect", "its server has gone away; going on without it"))
            fallback()
        raise NotRecorded(
            "server.lost",
            "everything is made, but not recorded in Prefect: its server has gone away",
            where=health.without_credentials(PREFECT_API_URL.value() or ""),
            saw=f"{type(error).__name__}: {error}",
            fix="nothing is lost. To have a record, start the server and run the same command again.",
        ) from error
    finally:
        _caller.reset(before)


@dataclass
class _Caller:
    """Who has started the flow. is_complete: every stage has ended, whatever Prefect makes of it."""

    on_event: Listener
    is_complete: bool = False


_caller: contextvars.ContextVar["_Caller | None"] = contextvars.ContextVar("caller", default=None)


def _raise_if_server_lost() -> None:
    """Raise Abort if the server is gone: Prefect then leaves the flow, and does not try to report it."""
    url = PREFECT_API_URL.value()
    if not url:
        return
    for patience in _DEPLOYED_PATIENCE_SECONDS if is_deployed() else _PATIENCE_SECONDS:
        time.sleep(patience)
        if health.is_answering(url):
            return
        if signals.requested():
            break
    raise Abort("the server does not answer")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _with_refresh(settings: Settings, stage: AnyStage) -> Settings:
    context = TaskRunContext.get()
    refresh = context.task.refresh_cache if context else None
    if refresh is None:
        refresh = PREFECT_TASKS_REFRESH_CACHE.value()
    return replace(settings, refresh=(*settings.refresh, stage.name)) if refresh else settings


def run_context() -> dict[str, str]:
    """Who asks for an artifact, for its manifest: the flow run, if there is one."""
    run = current_run()
    of_run = {"flow_run": str(run.id), "flow_run_name": run.name} if run else {}
    return {"engine": "prefect", **of_run}


@contextmanager
def _task_reporter(stage: AnyStage) -> Iterator[Listener]:
    """A listener for Prefect: it logs what happens, and the UI shows how far the stage is."""
    logger = get_run_logger()
    progress = _LiveProgress(stage.name, logger)

    def report(event: Event) -> None:
        match event:
            case Progress():
                if not stage.names:  # else the flow shows the sum of all
                    progress.update(event)
            case Notice():
                logger.info(f"{event.stage}: {event.text}")
            case Finished():
                logger.info(_log_line(event))

    try:
        yield report
    except BaseException:
        progress.end()
        raise
    progress.end(complete=True)


def _log_line(finished: Finished) -> str:
    rows = "" if finished.rows is None else f" {finished.rows:,} rows"
    what = f"reused{rows}" if finished.reused else f"made{rows} in {finished.seconds:.1f} s"
    return f"{finished.title}: {what} (key {finished.artifact.key[:8]})"


class _LiveProgress:
    """The latest progress of a run, shown by a thread of its own: no stage waits for a server."""

    def __init__(self, what: str, logger: "logging.Logger | logging.LoggerAdapter[logging.Logger]") -> None:
        self._key = f"progress-{what}"
        self._logger = logger
        self._context = contextvars.copy_context()  # Prefect finds the run in it
        self._lock = threading.Lock()
        self._latest: Progress | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def update(self, progress: Progress) -> None:
        self._latest = progress
        with self._lock:  # whichever thread comes first
            if self._thread is None:
                self._thread = threading.Thread(target=self._context.run, args=(self._show,), daemon=True)
                self._thread.start()

    def end(self, complete: bool = False) -> None:
        """Show it a last time. complete:  the stage has all that it set out for, or needs no more."""
        if complete and self._latest:
            self._latest = self._latest._replace(done=self._latest.total)
        self._ended.set()
        if self._thread:
            self._thread.join(_PROGRESS_SECONDS)

    def _show(self) -> None:
        artifact: UUID | None = None
        is_lost = False
        while True:
            is_last = self._ended.wait(_PROGRESS_SECONDS)
            if is_last and artifact is None and not is_lost:
                return  # over before there was anything to watch
            try:
                artifact = self._put(artifact)
                is_lost = False
            except Exception as error:  # whatever it is, it must not cost the stage
                if not is_lost:  # once for every outage
                    fault = f"{type(error).__name__}: {error}"
                    self._logger.warning(f"progress is not shown for a while: {fault}")
                is_lost = True
            if is_last:
                return

    def _put(self, artifact: UUID | None) -> UUID:
        latest = self._latest  # another may come meanwhile
        assert latest
        percent, text = 100.0 * latest.done / max(latest.total, 1), str(latest)
        # Either is a coroutine where an event loop runs, which is not so in a thread of ours.
        if artifact is None:
            return cast(UUID, create_progress_artifact(percent, key=self._key, description=text))
        return cast(UUID, update_progress_artifact(artifact, percent, description=text))


class _PlainErrors(logging.Filter):
    """An error of ours says all there is to say; Prefect would add a traceback and a repr."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, NamewrightError):
            record.msg, record.args, record.exc_info = str(error), (), None
        text = record.getMessage()
        if (safe := escape_controls(text)) != text:  # the log is shown on terminals, too
            record.msg, record.args = safe, ()
        return True


class _NoFinalStates(logging.Filter):
    """How a task ends is said by the stage, with what it made; by its error; or by the stage it waits for."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Finished in state")


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_PlainErrors())
logging.getLogger("prefect.task_runs").addFilter(_NoFinalStates())
