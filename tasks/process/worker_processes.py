"""Worker processes of a pool: they ignore Ctrl-C, stop when their parent says so, and end with it."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

from rnn_core.errors import NamewrightError, TrainingError
from tasks.process import signals

SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
_LOOK_SECONDS = 0.2
_FIX = "if the machine was short of memory, ask for fewer. The same command goes on from what is finished."


@contextmanager
def sigint_blocked() -> Iterator[None]:
    """Threads and processes that are started within it never get Ctrl-C.

    The terminal sends that to a whole group of processes.

    A worker would print a traceback, in its first second too, before any handler of ours could be in place. A
    blocked signal stays blocked in the threads and processes that are started; here it is only held back.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class WorkerProcesses:
    """The processes of one pool, as the process that starts them sees them.

    initializer, initargs:  for the pool, whose processes are to be spawned.
    """

    def __init__(self) -> None:
        self._signal_number = SPAWN.RawValue("i", 0)
        self._seen: dict[int, Any] = {}
        self._others = set(multiprocessing.active_children())
        self.initializer = _initialize_worker
        self.initargs = (self._signal_number,)

    def request_stop(self, signal_number: int) -> None:
        """Ask them to stop at the next safe place, for a signal of that number."""
        self._signal_number.value = signal_number

    def has_lost_worker(self) -> bool:
        """Whether one of them is gone. It remembers those it sees: a broken pool does not say who died."""
        self._seen |= {
            child.pid or 0: child for child in set(multiprocessing.active_children()) - self._others
        }
        return any(child.exitcode is not None for child in self._seen.values())

    def death_error(self) -> NamewrightError:
        """The error for a pool that broke, all processes of which have ended afterwards."""
        self.has_lost_worker()
        for child in self._seen.values():
            _await_exit_code(child)
        # The others get SIGTERM from the pool, once it is broken.
        usual = (None, 0, -signal.SIGTERM)
        died = [child for child in self._seen.values() if child.exitcode not in usual]
        ends = [f"process {child.pid}: {_end_text(child.exitcode)}" for child in died]
        for child in self._seen.values():
            child.kill()  # one that was started while the pool broke gets no SIGTERM
        return worker_death("; ".join(ends) or "it had ended before it was seen")


def _await_exit_code(child: Any) -> None:
    """Until it is known how it ended. Not `join`: the pool's thread may have asked the system first, which
    answers but once, and not have said so yet.
    """
    limit = time.monotonic() + _LOOK_SECONDS
    while child.exitcode is None and time.monotonic() < limit:
        time.sleep(0.005)


def worker_death(saw: str) -> NamewrightError:
    """The error for a worker process that died."""
    return TrainingError(
        "runner.worker", "a worker process ended in the middle of its work", saw=saw, fix=_FIX
    )


def _end_text(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def _initialize_worker(signal_number: Any) -> None:
    """The initializer of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    threading.Thread(target=_follow_parent, args=(signal_number,), daemon=True).start()


def _follow_parent(signal_number: Any) -> None:
    parent = multiprocessing.parent_process()
    assert parent
    while not connection.wait([parent.sentinel], timeout=_LOOK_SECONDS):
        if signal_number.value:
            signals.request(signal_number.value)
    os._exit(1)  # the parent was killed
