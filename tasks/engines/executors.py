"""Pools of workers for stages that can run side by side: threads, processes, or Dask."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from rnn_core.errors import ConfigError
from tasks.config.settings import WorkerSettings
from tasks.process import signals
from tasks.process.worker_processes import SPAWN, WorkerProcesses, sigint_blocked, worker_death
from tasks.server.errors import ServerError
from tasks.server.startup import HOST

_CONNECT_SECONDS = 5.0
_NO_PAGES: dict[str, list[str]] = {f"distributed.{kind}.http.routes": [] for kind in ("scheduler", "worker")}


@dataclass(frozen=True)
class WorkerPool:
    """Workers that stages can be given to.

    pool:             what takes the stages.
    is_remote:        whether they are other processes, where our listener cannot go.
    request_stop:     asks them to stop at the next safe place, for a signal of that number.
    has_lost_worker:  to be called now and then while they work; whether one is gone, so that what was
                      promised may never come.
    explain:          the error to report for one that is not the stage's own.
    dashboard:        the URL of a page that shows the workers; empty if there is none.
    """

    pool: Any
    is_remote: bool = False
    request_stop: Callable[[int], None] = lambda _number: None
    has_lost_worker: Callable[[], bool] = lambda: False
    explain: Callable[[Exception], Exception] = lambda error: error
    dashboard: str = ""


@contextmanager
def task_runner(settings: WorkerSettings) -> Iterator[WorkerPool]:
    """A started task runner of Prefect.

    Raises ConfigError without prefect-dask, and ServerError if no scheduler answers at the address.
    """
    match settings.runner:
        case "threads":
            from prefect.task_runners import ThreadPoolTaskRunner

            with ThreadPoolTaskRunner[Any](max_workers=settings.workers) as runner:
                yield WorkerPool(runner)
        case "processes":
            with _process_task_runner(settings.workers) as pool:
                yield pool
        case "dask":
            with _dask_task_runner(settings) as pool:
                yield pool


@contextmanager
def executor(settings: WorkerSettings) -> Iterator[WorkerPool]:
    """A pool of concurrent.futures. Raises ConfigError for Dask, which only Prefect brings us."""
    match settings.runner:
        case "threads":
            with ThreadPoolExecutor(settings.workers) as threads:
                yield WorkerPool(threads)
        case "processes":
            processes = WorkerProcesses()
            with ProcessPoolExecutor(
                settings.workers, SPAWN, initializer=processes.initializer, initargs=processes.initargs
            ) as pool:
                yield _as_worker_pool(pool, processes)
        case "dask":
            raise ConfigError(
                "config.runner",
                "Dask runs stages for Prefect only",
                where="engine = plain",
                fix="use the engine prefect, or the runner processes.",
            )


def _as_worker_pool(pool: Any, processes: WorkerProcesses) -> WorkerPool:
    def explain(error: Exception) -> Exception:
        return processes.death_error() if isinstance(error, BrokenProcessPool) else error

    return WorkerPool(pool, True, processes.request_stop, processes.has_lost_worker, explain)


@contextmanager
def _process_task_runner(count: int) -> Iterator[WorkerPool]:
    from prefect.task_runners import ProcessPoolTaskRunner

    processes = WorkerProcesses()
    with ProcessPoolTaskRunner(
        count, initializer=processes.initializer, initargs=processes.initargs
    ) as runner:
        yield _as_worker_pool(runner, processes)


@contextmanager
def _dask_task_runner(settings: WorkerSettings) -> Iterator[WorkerPool]:
    dask, distributed, runner_class = _dask()
    if port := settings.dask_dashboard:
        _require_bokeh(port)
    # Certificates of this run alone: a scheduler and workers run whatever code anyone sends who can connect.
    security = distributed.security.Security.temporary()
    here = {
        "security": security,
        "host": HOST,
        "n_workers": settings.workers,
        "threads_per_worker": 1,
        "processes": True,
        "dashboard_address": f"{HOST}:{port or 0}",  # Dask opens a port in any case: not its usual one, and
        "scheduler_kwargs": {"dashboard": bool(port)},  # there is nothing behind it (_NO_PAGES)
        "silence_logs": logging.CRITICAL,
        "memory_limit": None,  # Dask's own would pause a worker, and nobody would know why
    }
    if settings.dask_address:
        _validate_address(settings.dask_address)
        runner = runner_class(address=settings.dask_address, client_kwargs={"timeout": _CONNECT_SECONDS})
    else:
        runner = runner_class(cluster_kwargs=here, client_kwargs={"security": security})

    def request_stop(signal_number: int) -> None:
        if not settings.dask_address:  # a cluster elsewhere may work for others as well
            runner.client.run(signals.request, signal_number, on_error="ignore")

    def explain(error: Exception) -> Exception:
        if isinstance(error, distributed.KilledWorker):
            return worker_death(f"Dask's worker {error.last_worker.address}")
        if isinstance(error, distributed.CancelledError):
            return _unreachable(settings.dask_address, error)
        return error

    # A worker that was killed ends the run, as with processes: one short of memory would be so again.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0, **({} if port else _NO_PAGES)}),
        runner,
    ):
        with sigint_blocked():
            _connect(runner, settings.dask_address)
        dashboard = runner.client.dashboard_link if port else ""
        yield WorkerPool(runner, True, request_stop, explain=explain, dashboard=dashboard)


def _require_bokeh(port: int) -> None:
    """Without it, Dask's dashboard has no pages."""
    if not find_spec("bokeh"):
        raise ConfigError(
            "config.dask",
            "Dask's dashboard needs Bokeh, which is not installed",
            where=f"dask_dashboard = {port}",
            fix="pip install bokeh, or leave the dashboard out.",
        )


def _validate_address(address: str) -> None:
    """Of one that is none, Dask's client would leave a traceback behind when the process ends."""
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        parse_host_port(parse_address(address)[1])
    except ValueError as refusal:
        raise _unreachable(address, refusal) from refusal


def _dask() -> tuple[Any, Any, Any]:
    try:
        import dask
        import distributed
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as missing:
        raise ConfigError(
            "config.dask",
            "Dask is not installed",
            where="runner = dask",
            saw=str(missing),
            fix="pip install 'namewright[dask]', or use the runner processes.",
        ) from missing
    return dask, distributed, DaskTaskRunner


def _connect(runner: Any, address: str) -> None:
    """Start the cluster, or reach the one at the address, and see that its workers know our stages."""
    try:
        client = runner.client
        if address:
            client.run(_ready)
    # A timeout is an OSError; ValueError: no address at all; RuntimeError: a worker did not start.
    except (OSError, ValueError, RuntimeError) as refusal:
        raise _unreachable(address, refusal) from refusal
    except ImportError as missing:
        raise ServerError(
            "dask.worker",
            "a worker of the Dask cluster does not know our stages",
            where=address,
            saw=str(missing),
            fix="install this version of namewright, with its extra dask, where the workers run.",
        ) from missing


def _ready() -> None:
    """Sent by name: it can be run only where we are installed."""


def _unreachable(address: str, reason: Exception) -> ServerError:
    saw = f"{type(reason).__name__}: {reason}"
    if not address:
        return ServerError(
            "dask.unreachable",
            "Dask's workers are unavailable",
            where="runner = dask",
            saw=saw,
            fix="run it again, with fewer workers perhaps, or with the runner processes.",
        )
    return ServerError(
        "dask.unreachable",
        "the Dask scheduler does not answer",
        where=address,
        saw=saw,
        fix="start it (dask scheduler), correct the address, or leave it out to have workers here.",
    )
