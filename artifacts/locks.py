"""One maker per artifact: an operating-system lock that its holder's death sets free."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at `path`, in a folder that is there.

    waiting:  called again and again while someone else holds it; it may raise to give up.
    """
    lock = FileLock(path, fallback_to_soft=False)  # a soft lock would outlive its holder
    while True:
        try:
            lock.acquire(timeout=_POLL_SECONDS)
            break
        except Timeout:
            waiting()
    try:
        yield
    finally:
        lock.release()
