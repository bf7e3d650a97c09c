"""Locks of the operating system, which are freed when their holder dies."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.errors import StoreError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_POLL_SECONDS = 0.1
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextlib.contextmanager
def exclusive_lock(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock at `path`, whose folder exists.

    on_wait:  called again and again while another process holds it; it may raise to give up.
    """
    from filelock import Timeout  # a run that is fully cached takes no lock

    lock = _lock(path)
    while True:
        try:
            with _lock_errors(path):
                _create(path)
                lock.acquire(timeout=_POLL_SECONDS)
            break
        except Timeout:
            on_wait()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold the lock at `path` if nobody else does; gives whether it is held."""
    from filelock import Timeout

    lock = _lock(path)
    try:
        with _lock_errors(path):
            _create(path)
            lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextlib.contextmanager
def _lock_errors(path: Path) -> Iterator[None]:
    """Turn what a file system without locks raises into a StoreError that says so."""
    from filelock import Timeout

    try:
        yield
    except Timeout:
        raise
    except (OSError, NotImplementedError) as refusal:
        number = getattr(refusal, "errno", None)
        if number is not None and number not in _NO_LOCKS:
            raise
        raise StoreError(
            "store.refused",
            "this file system has no locks",
            where=str(path),
            saw=str(refusal),
            fix="choose another folder, on another file system.",
        ) from refusal


def _create(path: Path) -> None:
    """Make the file as umask and group say: filelock's own 0644 would shut out others who share the store."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))


def _lock(path: Path) -> "BaseFileLock":
    from filelock import FileLock

    return FileLock(path, fallback_to_soft=False)  # a soft lock would outlive its holder
