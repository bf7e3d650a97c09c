"""Writes that survive the death of the process and of the machine: write, fsync, rename, fsync the folder."""

import contextlib
import errno
import os
import secrets
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from artifacts.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)


@contextlib.contextmanager
def io_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into a StoreError that says what could not be done, where, and how to fix it.

    doing:  completes the sentence "could not …".
    """
    try:
        yield
    except OSError as refusal:
        full = refusal.errno in _FULL or "No space left" in str(refusal)  # Arrow's own may lack the number
        fix = "check that you may write there, or choose another folder."
        if full:
            fix = "free space on that disk, or choose another. What is finished is whole."
        elif refusal.errno in _NO_FOLDER:
            fix = "there is a file where a folder should be: choose another folder."
        raise StoreError(
            "store.full" if full else "store.refused",
            f"could not {doing}: {refusal.strerror or refusal}",
            where=str(refusal.filename or path),
            fix=fix,
        ) from refusal


def sync(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Force every file of a folder, and the folder itself."""
    for path in sorted(folder.iterdir()):
        sync(path)
    sync(folder)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a power cut."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync(path.parent)


def make_unique_folder(where: Path, prefix: str) -> Path:
    """Make an empty folder with a new name after the prefix; who may enter follows umask and group."""
    folder = where / f"{prefix}{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return folder


def remove(path: Path) -> None:
    """Remove a folder with all in it, or whatever else is there, if anything: of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def publish(scratch: Path, target: Path) -> None:
    """Rename a synced file or folder to its final name: it is seen whole, or not at all."""
    make_folder(target.parent)
    scratch.rename(target)
    sync(target.parent)


def replace_link(path: Path, target: str) -> None:
    """Make a symbolic link point at this, atomically: a reader follows the old or the new one."""
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        fresh.symlink_to(target)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Replace a file's content atomically: a reader sees the old or the new, never a part."""
    make_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        fresh.write_bytes(content)
        sync(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync(path.parent)
