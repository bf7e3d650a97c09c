"""Writes that survive the death of the process and of the machine: write, fsync, rename, fsync the folder."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from artifacts.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def io_errors(path: Path, doing: str) -> Iterator[None]:
    """Turn what the operating system refuses into one clear StoreError."""
    try:
        yield
    except OSError as refusal:
        full = refusal.errno in _FULL or "No space left" in str(refusal)  # Arrow's own may lack the number
        raise StoreError(
            "store.full" if full else "store.refused",
            f"could not {doing}: {refusal.strerror or refusal}",
            where=str(refusal.filename or path),
            fix=(
                "free space on that disk, or choose another (--store, --output). What is finished is whole."
                if full
                else "check that you may write there, or choose another folder with --store or --output."
            ),
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
    """With its parents, which know of it even after a power cut."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in made:
        sync(each.parent)


def publish(scratch: Path, target: Path) -> None:
    """Make a file or folder that was forced to the disk visible under its name: whole, or not at all."""
    make_folder(target.parent)
    scratch.rename(target)
    sync(target.parent)


def write_file(path: Path, content: bytes) -> None:
    """Replace a file by new content: a reader sees the old or the new, never a part."""
    make_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        fresh.write_bytes(content)
        sync(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync(path.parent)
