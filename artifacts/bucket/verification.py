"""Whether what a bucket has of an artifact is whole: by the SHA-256 of every byte.

An object does not change without getting another version. So a machine notes the versions that it has seen
whole, and reads none of them again; what is read is not kept.
"""

import contextlib
import hashlib
from pathlib import Path

from artifacts import atomic_io
from artifacts.bucket.manifests import read_manifest
from artifacts.bucket.objects import ObjectInfo, Objects
from artifacts.manifest import FILE_NAME

_READINGS = 3  # of an object that does not match: it may have been truncated on its way


def verify(objects: Objects, root: Path, stage: str, key: str) -> tuple[bool, str]:
    """Whether an artifact is whole, or what is wrong with it; neither if there is none.

    root:  the folder that mirrors the bucket.

    Raises StoreError if the bucket does not answer.
    """
    folder = f"{stage}/{key}"
    listed = {info.name: info for info in objects.listing(folder)}
    if f"{folder}/{FILE_NAME}" not in listed:
        return False, ""
    found = read_manifest(objects, f"{folder}/{FILE_NAME}", stage, key)
    if isinstance(found, str):
        return False, found
    content, written = found
    places = {name: f"{folder}/{written.attempt}/{name}" for name in written.files}
    for name, place in places.items():
        if place not in listed:
            return False, f"{name} is missing"
        if listed[place].bytes != written.files[name].bytes:
            return False, f"{name} does not match its sha256"
    note = root / "verified" / f"{stage}-{key}"
    versions = _fingerprint(content.body, [listed[place] for place in places.values()])
    with contextlib.suppress(OSError):
        if note.read_text(encoding="utf-8") == versions:
            return True, ""
    for name, place in places.items():
        if fault := compare(objects, place, written.files[name].sha256):
            return False, f"{name} {fault}"
    with atomic_io.io_errors(note, "write to the mirror of the bucket"):
        atomic_io.write_file(note, versions.encode())
    return True, ""


def compare(objects: Objects, name: str, sha256: str, path: Path | None = None) -> str:
    """What is wrong with an object that should have this sha256, or an empty text.

    path:  the file that it is written to; without one nothing of it is kept.
    """
    for _ in range(_READINGS):
        came = objects.download(name, path)
        if came is None:
            return "is missing"
        if came == sha256:
            return ""
    return "does not match its sha256"


def _fingerprint(manifest: bytes, listed: list[ObjectInfo]) -> str:
    text = repr([(info.name, info.bytes, info.version, info.modified.isoformat()) for info in listed])
    return hashlib.sha256(manifest + text.encode()).hexdigest()
