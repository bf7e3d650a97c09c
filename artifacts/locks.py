"""One maker per artifact: an operating-system lock that its holder's death sets free."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def exclusive(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at `path`, in a folder that is there.

    waiting:  called again and again while someone else holds it; it may raise to give up.
    """
    lock = _lock(path)
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


@contextlib.contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold the lock at `path` if nobody else does, and say whether."""
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _lock(path: Path) -> BaseFileLock:
    return FileLock(path, fallback_to_soft=False)  # a soft lock would outlive its holder
