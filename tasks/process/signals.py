"""Ctrl-C and `kill`: a run stops at the next safe place, with a checkpoint, and says how to go on."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from rnn_core.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RESUME = "run the same command again: it goes on from the finished stages."
_requested = threading.Event()
_signal_number = 0


@contextlib.contextmanager
def graceful_shutdown() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM request a stop; a second one ends the process as ever."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = {number: signal.signal(number, _handle) for number in _SIGNALS}
    is_outermost = _handle not in before.values()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if is_outermost:  # else the request is for those outside as well
            _requested.clear()


def requested() -> bool:
    """Whether a signal has requested a stop."""
    return _requested.is_set()


def signal_number() -> int:
    """The number of the signal that requested a stop; 0 if none did."""
    return _signal_number if requested() else 0


def request(number: int) -> None:
    """Request a stop, as that signal would."""
    global _signal_number
    _signal_number = number
    _requested.set()


def raise_if_requested(at: str, fix: str = _RESUME) -> None:
    """Raise Interrupted if a stop was requested."""
    if requested():
        raise interruption(_signal_number, at, fix)


def interruption(number: int, at: str, fix: str = _RESUME) -> Interrupted:
    """The error of a run that a signal stopped, with the exit code that shells give it."""
    error = Interrupted("run.interrupted", f"stopped by {signal.Signals(number).name}", where=at, fix=fix)
    error.exit_code = 128 + number
    return error


def _handle(number: int, _frame: FrameType | None) -> None:
    request(number)
    for known in _SIGNALS:
        signal.signal(known, signal.SIG_DFL)
