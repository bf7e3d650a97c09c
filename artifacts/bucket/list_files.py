"""A generated list in a bucket: a file is uploaded once it is whole, and `_SUCCESS` once all are there."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifacts import atomic_io, formats, locks
from artifacts.bucket import cache
from artifacts.bucket.address import mirror, mirrored_address
from artifacts.bucket.lease import hold_lease, try_lease
from artifacts.bucket.manifests import read_manifest, read_manifests
from artifacts.bucket.objects import Objects
from artifacts.bucket.store import BucketStore
from artifacts.bucket.verification import compare
from artifacts.errors import StoreError
from artifacts.inventory import INTERNAL, LEASE, LOCK
from artifacts.list_files import ListFiles
from artifacts.manifest import Manifest
from artifacts.store import Artifact
from artifacts.writer import ArtifactWriter


@dataclass(frozen=True, slots=True)
class ListedArtifact(Artifact):
    """A handle to a list, or to a shard of one, in a bucket: its files come here when they are read.

    folder:         the mirror of the list.
    manifest_file:  relative to it.
    """

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return self._objects.address

    def manifest(self) -> Manifest:
        """Its manifest. Raises DataError if it was damaged or removed since it was found."""
        place = self._objects.place(self.manifest_file)
        try:
            content = self._objects.read(self.manifest_file)
            return Manifest.from_json(content.body if content else b"")
        except ValueError as fault:
            raise formats.read_error(place, "a manifest", fault) from fault

    def mark_used(self) -> None:
        """Nothing: a list is used by whoever reads the bucket."""

    def path(self, name: str) -> Path:
        """Where a file of it can be read: in the mirror, verified by its SHA-256."""
        path, record = self.folder / name, self.manifest().files[name]
        with atomic_io.io_errors(path, "fetch a file of the list"):
            atomic_io.make_folder(self.folder)
            if fault := compare(self._objects, name, record.sha256, path):
                raise formats.read_error(self._objects.place(name), "what its manifest says", fault)
        cache.hold(path)
        cache.trim()
        return path

    def __reduce__(self) -> tuple[Any, ...]:
        return _on_this_machine, (
            mirrored_address(self.folder), self.stage, self.key, self.digest, self.manifest_file,
        )  # fmt: skip

    @property
    def _objects(self) -> Objects:
        return Objects(mirrored_address(self.folder) or "")


def _on_this_machine(address: str, stage: str, key: str, digest: str, manifest_file: str) -> ListedArtifact:
    return ListedArtifact(stage, key, digest, mirror(address), manifest_file)


class BucketFiles(ListFiles):
    """The files of a list in a bucket.

    folder:  that mirrors the list.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.where = mirrored_address(folder) or ""
        self.work = mirror(f"{self.where}/{INTERNAL}")
        self._objects = Objects(self.where)

    def names(self, folder: str = "") -> Sequence[str]:
        """The names in a folder of the list."""
        return self._objects.entries(folder)

    def exists(self, name: str) -> bool:
        """Whether there is such an object, or one below that name."""
        return self._objects.version(name) is not None or bool(self._objects.listing(name))

    def read(self, name: str) -> bytes | None:
        """A small object; None if there is none."""
        content = self._objects.read(name)
        return content.body if content else None

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a small object."""
        self._objects.overwrite(name, content)

    def remove(self, name: str) -> None:
        """Remove an object, and all below that name."""
        self._objects.remove([name, *(listed.name for listed in self._objects.listing(name))])

    @contextlib.contextmanager
    def hold(self, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the list, on this machine and on any other."""
        lock = self._folder / LOCK
        with atomic_io.io_errors(lock, "write the list"):
            atomic_io.make_folder(lock.parent)
        with locks.exclusive_lock(lock, on_wait), hold_lease(self._objects, LEASE, on_wait):
            yield

    def try_hold(self) -> contextlib.AbstractContextManager[bool]:
        """Hold the list unless somebody else does, on this machine or on any other."""
        return try_lease(self._objects, LEASE)

    def examine(self, stage: str, key: str, manifest_file: str) -> Artifact | None:
        """The whole list, if its files are there, of the sizes that its manifest says."""
        found = read_manifest(self._objects, manifest_file, stage, key)
        if isinstance(found, str):
            return None
        _, written = found
        sizes = {listed.name: listed.bytes for listed in self._objects.listing("")}
        if any(sizes.get(name) != record.bytes for name, record in written.files.items()):
            return None
        return ListedArtifact(stage, key, written.digest, self._folder, manifest_file)

    def handle(self, artifact: Artifact) -> Artifact:
        """The artifact of the whole list."""
        return ListedArtifact(
            artifact.stage, artifact.key, artifact.digest, self._folder, artifact.manifest_file
        )


class BucketShards(BucketStore):
    """The store of a list's shards, whose files are side by side in the list.

    root:  the mirror of its `__namewright__`.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._list = Objects(self.objects.address.rpartition("/")[0])

    def place(self, stage: str, key: str) -> str:  # noqa: ARG002  # one for all
        """Where the list is, for people."""
        return self._list.address

    def examine(self, stage: str, key: str) -> tuple[Artifact | None, str]:
        """The shard, if its files are there in the size that its manifest says; or what is wrong with it."""
        found = read_manifest(self._list, _shard_manifest(key), stage, key)
        if isinstance(found, str):
            return None, found
        _, written = found
        for file, record in written.files.items():
            info = self._list.info(file)
            if info is None or info.bytes != record.bytes:
                return None, f"{file} has another size" if info else f"{file} is missing"
        return self._handle(written), ""

    def writer(self, stage: str, key: str) -> ArtifactWriter:
        """A writer into a new folder of the mirror's scratch, for the holder of the key's lock."""
        self._check_conditions()
        return super(BucketStore, self).writer(stage, key)

    def _publish(self, writer: ArtifactWriter, written: Manifest) -> Artifact:
        """Upload the files, then the manifest; what is already there of this shard is of a killed run."""
        name = _shard_manifest(written.recipe.key)
        self._list.remove([name])
        versions = {file: self._list.upload(file, writer.folder / file) for file in written.files}
        self._list.overwrite(name, written.to_json())
        if any(self._list.version(file) != version for file, version in versions.items()):
            self._list.remove([name])  # the file is another's: whoever wrote last has no manifest either
            raise StoreError(
                "list.another",
                "another run writes to this list at the same moment",
                where=self._list.address,
                fix="run the same command again: it goes on from the shards that are whole.",
            )
        writer.discard()
        return self._handle(written)

    def _attempt(self) -> str:
        return ""

    def _handle(self, written: Manifest) -> Artifact:
        recipe = written.recipe
        folder = mirror(self._list.address)
        return ListedArtifact(recipe.stage, recipe.key, written.digest, folder, _shard_manifest(recipe.key))

    def _quarantine(self, stage: str, key: str, fault: str) -> str:  # noqa: ARG002
        """Remove a damaged shard's manifest, so that it is made again; its files are replaced then."""
        self._list.remove([_shard_manifest(key)])
        return self._list.address


def list_manifests(folder: Path, manifest_file: str) -> Iterator[Manifest]:
    """The manifest of every complete list below a prefix, by the folder that mirrors it."""
    objects = Objects(mirrored_address(folder) or "")
    names = [f"{name}/{manifest_file}" for name in objects.entries("")]
    yield from (written for _, written in read_manifests(objects, names))


def _shard_manifest(key: str) -> str:
    return f"{INTERNAL}/shards/{key}.json"
