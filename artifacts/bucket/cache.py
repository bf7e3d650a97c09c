"""The bound of what this machine keeps of buckets: what was not used for the longest time goes first.

Whoever is given an artifact holds a shared lock of the operating system on its manifest until the process
ends, and nothing is removed without the exclusive one. Where there are no such locks, what was used during
the last hour stays; so do lists of names, and what was quarantined. A checkpoint stays unless the bucket has
the same one.

<cache>/<mirror>/<stage>/<key>/          an artifact: goes as a whole; the lock is on its manifest
<cache>/<mirror>/part-00000.parquet      a file of a list
<cache>/<mirror>/checkpoints/<stage>/    checkpoints, each with a note on the version that the bucket has
<cache>/<mirror>/scratch/                what is being made or fetched, under the lock of its key
<cache>/<mirror>/quarantine/             what was refused or damaged here, for a person to look at
<cache>/sources/<version>/               an object of a list of names
"""

import errno
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from artifacts import atomic_io, locks
from artifacts.bucket.address import cache_folder, mirrored_address
from artifacts.errors import StoreError
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import FILE_NAME
from artifacts.sizes import SIZE, parse_size
from rnn_core.validators import out_of_range

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SIZE_VARIABLE = "NAMEWRIGHT_CACHE_SIZE"
SOURCES = "sources"
_DEFAULT = "10GB"
_MOST_HELD = 256  # by one process: each is an open file
_RECENT_SECONDS = 3600.0
_SCRATCH_SECONDS = 86_400.0
_HALF = ".removed"  # ends the name of a folder that goes
_NOTE = ".version"  # ends the name of a note on what the bucket has
_SCRATCH = re.compile(rf"(?P<lock>(?:fetched-)?\w+-[0-9a-f]{{{KEY_LENGTH}}}).*")

_held: "OrderedDict[Path, int]" = OrderedDict()  # open files by path, the last used last
_threads = threading.Lock()


class _Entry(NamedTuple):
    """Something that may go. remove: whether it went."""

    used: float
    bytes: int
    path: Path
    remove: Callable[[], bool]


def set_limit(size: str) -> None:
    """Let this process, and those that it starts, keep to another bound."""
    os.environ[SIZE_VARIABLE] = size


def size_limit() -> float:
    """The bound in bytes. Raises ConfigError if the variable holds no size."""
    text = os.environ.get(SIZE_VARIABLE) or _DEFAULT
    size = parse_size(text)
    if size is None:
        raise out_of_range("cache_size", SIZE.words, text, where=SIZE_VARIABLE)
    return size


def hold(path: Path) -> bool:
    """Keep a file from being removed until this process ends; False if it is gone, or goes at this moment."""
    with _threads:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        with suppress(OSError):  # a cache that one may only read
            os.utime(path, ns=(time.time_ns(), os.fstat(descriptor).st_mtime_ns))
        before = _held.pop(path, None)
        if before is not None and os.path.sameopenfile(before, descriptor):
            os.close(descriptor)
            _held[path] = before
            return True
        if before is not None:
            os.close(before)  # of what was there before
        if _lock(descriptor, exclusive=False) is False:
            os.close(descriptor)
            return False
        _held[path] = descriptor
        while len(_held) > _MOST_HELD:
            os.close(_held.popitem(last=False)[1])
        return True


def trim(arriving: int = 0) -> None:
    """Remove what may go, the least recently used first, until the cache is within its bound.

    arriving:  bytes for which there has to be room as well.
    """
    excess = _bytes(cache_folder()) + arriving - size_limit()
    if excess <= 0:
        return
    for entry in sorted(_entries(cache_folder()), key=lambda entry: (entry.used, entry.path)):
        with suppress(OSError, StoreError):
            if entry.remove():
                excess -= entry.bytes
        if excess <= 0:
            return


def _entries(cache: Path) -> Iterator[_Entry]:
    for top in _children(cache):
        if top.name == SOURCES:
            for folder in _children(top):
                if folder.is_dir():
                    yield _owned_by_nobody(folder)
        elif mirrored_address(top):
            yield from _of_mirror(top)


def _of_mirror(mirror: Path) -> Iterator[_Entry]:
    for child in _children(mirror):
        if child.name.startswith("part-"):
            used = _last_use(child)
            yield _entry(child, used, partial(_remove_with_lock, child, child, used))
        elif child.name == "checkpoints":
            for path in child.glob("*/*.npz"):
                yield _entry(path, _last_use(path), partial(_remove_checkpoint, path))
        elif child.name == "scratch":
            for path in _children(child):
                used = _last_change(path)
                yield _entry(path, used, partial(_remove_scratch, path, used))
        elif child.name == "quarantine":
            for path in _children(child):
                yield _owned_by_nobody(path)
        elif child.is_dir():
            for folder in _children(child):
                if folder.name.endswith(_HALF):
                    yield _entry(folder, 0.0, partial(_remove, folder))  # whoever removed it was killed
                elif (locked := folder / FILE_NAME).is_file():
                    used = _last_use(locked)
                    yield _entry(folder, used, partial(_remove_with_lock, locked, folder, used))


def _entry(path: Path, used: float, remove: Callable[[], bool]) -> _Entry:
    return _Entry(used, _bytes(path), path, remove)


def _owned_by_nobody(path: Path) -> _Entry:
    """What no lock protects: it stays for an hour."""
    used = _last_change(path)
    return _entry(path, used, lambda: used <= time.time() - _RECENT_SECONDS and _remove(path))


def _remove(path: Path) -> bool:
    atomic_io.remove(path)
    return True


def _remove_checkpoint(path: Path) -> bool:
    """Remove a checkpoint that the bucket has as well, unless its training goes on."""
    note = path.with_name(path.name + _NOTE)
    with locks.try_lock(_lock_file(path.parents[2], f"{path.parent.name}-{path.stem}")) as is_held:
        if not is_held or path.stat().st_mtime_ns != note.stat().st_mtime_ns:
            return False
        path.unlink()
        note.unlink()
        return True


def _remove_scratch(path: Path, used: float) -> bool:
    match = _SCRATCH.fullmatch(path.name)
    if not match or used > time.time() - _SCRATCH_SECONDS:
        return False
    with locks.try_lock(_lock_file(path.parents[1], match["lock"])) as is_held:
        if is_held:
            atomic_io.remove(path)
        return is_held


def _lock_file(mirror: Path, name: str) -> Path:
    folder = mirror / "locks"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.lock"


def _remove_with_lock(locked: Path, whole: Path, used: float) -> bool:
    """Remove a file or folder if nobody holds the file; it is never seen half removed."""
    descriptor = os.open(locked, os.O_RDONLY)
    try:
        is_free = _lock(descriptor, exclusive=True)
        if is_free is False or (is_free is None and used > time.time() - _RECENT_SECONDS):
            return False
        if whole == locked:
            whole.unlink()
        else:
            aside = whole.with_name(f"{whole.name}{_HALF}")
            whole.rename(aside)
            atomic_io.remove(aside)
        return True
    finally:
        os.close(descriptor)


def _lock(descriptor: int, exclusive: bool) -> bool | None:
    """Whether the lock was free and is held now; None if there are no locks here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as refusal:
        return False if refusal.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _last_use(path: Path) -> float:
    return max((status.st_atime, status.st_mtime)) if (status := _status(path)) else 0.0


def _last_change(folder: Path) -> float:
    known = (_status(path) for path in (folder, *_children(folder)))
    return max((status.st_mtime for status in known if status), default=0.0)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:  # removed meanwhile
        return None


def _bytes(path: Path) -> int:
    if not path.is_dir():
        return _file_bytes(path)
    walk = os.walk(path)
    return sum(_file_bytes(Path(folder, file)) for folder, _, files in walk for file in files)


def _file_bytes(path: Path) -> int:
    return status.st_size if (status := _status(path)) else 0
