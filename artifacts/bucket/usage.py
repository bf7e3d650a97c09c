"""When an artifact of a bucket was last used: an object beside the artifacts, written at most once a day.

A bucket knows when an object was written, but not when it was read. So whoever uses an artifact writes an
object `used/<stage>/<key>` unless this machine has done so during the last day.
"""

import contextlib
import time
from pathlib import Path

from artifacts import atomic_io
from artifacts.bucket.objects import Objects
from artifacts.errors import StoreError

USED = "used"  # the folder of these objects, and of this machine's notes on them
_SECONDS = 86_400.0


def use_name(stage: str, key: str) -> str:
    """The object whose time is that of the last use."""
    return f"{USED}/{stage}/{key}"


def note_use(objects: Objects, root: Path, stage: str, key: str) -> None:
    """Note in the bucket that an artifact is used, unless this machine did so during the last day.

    root:  the folder that mirrors the bucket.

    Who may not write to the bucket, or to the mirror, notes nothing.
    """
    note = _note(root, stage, key)
    with contextlib.suppress(OSError):
        if 0 <= time.time() - note.stat().st_mtime < _SECONDS:
            return
    skip_note(root, stage, key)  # at first: a bucket that refuses is not asked again today
    with contextlib.suppress(StoreError):
        objects.overwrite(use_name(stage, key), b"used\n")


def skip_note(root: Path, stage: str, key: str) -> None:
    """Let this machine write no such object during the next day."""
    with contextlib.suppress(OSError):
        note = _note(root, stage, key)
        atomic_io.make_folder(note.parent)
        note.write_bytes(b"")


def _note(root: Path, stage: str, key: str) -> Path:
    return root / USED / f"{stage}-{key}"
