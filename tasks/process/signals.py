"""Ctrl-C and `kill`: a run stops at the next safe place, with a checkpoint, and says how to go on."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from rnn_core.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GO_ON = "run the same command again: it goes on from the finished stages."
_asked = threading.Event()
_signal_number = 0


@contextlib.contextmanager
def graceful_shutdown() -> Iterator[None]:
    """While it lasts, the first SIGINT or SIGTERM asks; a second one ends the process as it always did."""
    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = {number: signal.signal(number, _handle) for number in _SIGNALS}
    outermost = _handle not in before.values()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if outermost:  # else whoever asked has asked all of us
            _asked.clear()


def requested() -> bool:
    return _asked.is_set()


def signal_number() -> int:
    """Of the signal that asked; 0 if none did."""
    return _signal_number if requested() else 0


def request(number: int) -> None:
    """As that signal would."""
    global _signal_number
    _signal_number = number
    _asked.set()


def raise_if_requested(at: str, fix: str = _GO_ON) -> None:
    """Raise Interrupted if someone asked."""
    if requested():
        raise interruption(_signal_number, at, fix)


def interruption(number: int, at: str, fix: str = _GO_ON) -> Interrupted:
    error = Interrupted("run.interrupted", f"stopped by {signal.Signals(number).name}", where=at, fix=fix)
    error.exit_code = 128 + number
    return error


def _handle(number: int, _frame: FrameType | None) -> None:
    request(number)
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_DFL)
