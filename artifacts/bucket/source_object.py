"""Lists of names in a bucket: an object is fetched once, and then read as a file is.

<cache>/sources/<version>/<name>     the bytes of one version of an object, as they came
<cache>/sources/<version>.sha256     of these bytes, which stays when they have to go

The objects are somebody else's, so nothing in the bucket says what their bytes should be. What a run reads is
the version that it saw when it began: by its ETag, without which the bucket does not give the bytes.
"""

import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from artifacts import atomic_io
from artifacts.bucket import cache
from artifacts.bucket.address import cache_folder
from artifacts.bucket.objects import ObjectInfo, Objects
from artifacts.documents import file_digest
from artifacts.keys import sha256
from artifacts.source_file import SourceFile
from rnn_core.errors import DataError

_LONGEST_NAME = 60  # characters; the last ones tell the format
_RECORD_DAYS = 90.0  # that the digest of bytes is kept which nobody has fetched again
_HEX = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class SourceObject(SourceFile):
    """One object of a source, in the version that it had when it was listed.

    path:     where its bytes are on this machine, once they were fetched.
    address:  of the bucket, without a prefix.
    info:     what the bucket says of it.
    """

    address: str
    info: ObjectInfo

    @cached_property
    def digest(self) -> str:
        """sha256 of its bytes, which are fetched unless this machine knows it. Raises as `local` does."""
        try:
            known = self._record.read_text(encoding="ascii")
        except (OSError, ValueError):
            known = ""
        return known if _HEX.fullmatch(known) else self._fetch()

    @property
    def version(self) -> str:
        """What is another one whenever the object is, without a look at its bytes: a hash of its ETag."""
        return sha256(f"{self.origin}\n{self.info.version}".encode())

    @property
    def origin(self) -> str:
        """Its address, for the manifest and for people."""
        return f"{self.address}/{self.info.name}"

    def local(self) -> Path:
        """Where its bytes can be read: here, as they were when their digest was taken.

        Raises DataError if the object has changed, StoreError if the bucket does not give it.
        """
        digest = self.digest
        with atomic_io.io_errors(self.path, "fetch a list from the bucket"):
            if not (self.path.is_file() and file_digest(self.path) == digest) and self._fetch() != digest:
                raise self._changed()
            os.utime(self.path)  # it is in use
        return self.path

    def __reduce__(self) -> tuple[Any, ...]:
        return _on_this_machine, (self.address, self.info, self.__dict__.get("digest"))

    @property
    def _record(self) -> Path:
        return self.path.parent.with_name(f"{self.path.parent.name}.sha256")

    def _fetch(self) -> str:
        """Bring the bytes here; their sha256."""
        folder = self.path.parent
        with atomic_io.io_errors(folder, "fetch a list from the bucket"):
            folder.mkdir(parents=True, exist_ok=True)
            _forget_old(folder.parent)
            cache.trim(arriving=self.info.bytes)
            fresh = folder / f".{secrets.token_hex(8)}"
            try:
                digest = Objects(self.address).download(self.info.name, fresh, self.info.version)
                if digest is None or fresh.stat().st_size != self.info.bytes:
                    raise self._changed()
                fresh.replace(self.path)
            finally:
                fresh.unlink(missing_ok=True)
            atomic_io.write_file(self._record, digest.encode())
        return digest

    def _changed(self) -> DataError:
        return DataError(
            "corpus.changed",
            "the object was replaced or removed since the run began",
            where=self.origin,
            fix="run again when nobody writes to it.",
        )


def source_object(address: str, info: ObjectInfo) -> SourceObject:
    """An object as the input of a stage, on this machine."""
    version = sha256(f"{address}/{info.name}\n{info.version}\n{info.bytes}".encode())
    name = info.name.rpartition("/")[2][-_LONGEST_NAME:]
    return SourceObject(cache_folder() / cache.SOURCES / version / name, address, info)


def _on_this_machine(address: str, info: ObjectInfo, digest: str | None) -> SourceObject:
    """An object that came from another machine, with the digest that was taken there."""
    arrived = source_object(address, info)
    if digest is not None:
        arrived.__dict__["digest"] = digest
    return arrived


def _forget_old(sources: Path) -> None:
    """Remove the digests of bytes that nobody has fetched for long."""
    for record in sources.glob("*.sha256"):
        with suppress(OSError):  # another process was first
            if record.stat().st_mtime < time.time() - 86_400 * _RECORD_DAYS:
                record.unlink()
