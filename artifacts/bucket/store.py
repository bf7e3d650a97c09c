"""The artifact store in a bucket, for workers that share nothing but its address.

<address>/<stage>/<key>/manifest.json         the commit point: the first one wins
<address>/<stage>/<key>/<attempt>/…           the files of an artifact, under a name that only its maker has
<address>/leases/<stage>-<key>.json           who makes it
<address>/checkpoints/<stage>/<key>.npz       trainings in progress
<address>/registry/<role>.json                what is current in each role
<address>/quarantine/<stage>-<key>-…/         damaged manifests, with the reason

The mirror is a folder like that of any store. Artifacts are written and read there; each is verified by its
SHA-256 on its way in, and again whenever it is found. What counts is the bucket: an artifact whose manifest
is not there is none.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifacts import atomic_io, locks, manifest
from artifacts.bucket import cache
from artifacts.bucket.address import mirror, mirrored_address
from artifacts.bucket.checkpoint import BucketCheckpoint
from artifacts.bucket.inventory import BucketInventory
from artifacts.bucket.lease import hold_lease, lease_name, try_lease
from artifacts.bucket.manifests import read_manifest, read_manifests
from artifacts.bucket.objects import Content, Objects
from artifacts.bucket.shared_object import SharedObject
from artifacts.bucket.usage import note_use, skip_note, use_name
from artifacts.bucket.verification import compare, verify
from artifacts.checkpoint import Checkpoint
from artifacts.errors import StoreError
from artifacts.inventory import Inventory
from artifacts.manifest import Manifest
from artifacts.registry import Reference, Registry
from artifacts.shared_document import SharedDocument
from artifacts.store import Artifact, Store, examine_folder
from artifacts.writer import ArtifactWriter


@dataclass(frozen=True, slots=True)
class BucketArtifact(Artifact):
    """A handle to an artifact of a bucket; on another machine it is one in the mirror there."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self._address}/{self.stage}/{self.key}"

    def path(self, name: str) -> Path:
        """Where a file of the artifact can be read: in the mirror, into which it comes if it is not there."""
        return self._present().folder / name

    def manifest(self) -> Manifest:
        """The artifact's manifest. Raises DataError if it was damaged or removed since it was found."""
        return Artifact.manifest(self._present())

    def mark_used(self) -> None:
        """Note the time: here at once, and in the bucket once a day."""
        Artifact.mark_used(self)
        note_use(Objects(self._address), self.folder.parents[1], self.stage, self.key)

    @property
    def _address(self) -> str:
        return mirrored_address(self.folder.parents[1]) or ""

    def _present(self) -> Artifact:
        """Itself, in the mirror."""
        if cache.hold(self.folder / manifest.FILE_NAME):
            return self
        return _fetched(self._address, self.stage, self.key, self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return _fetched, (self._address, self.stage, self.key, self.digest)


def _fetched(address: str, stage: str, key: str, digest: str) -> Artifact:
    artifact, fault = BucketStore(mirror(address)).examine(stage, key)
    if not artifact or digest not in ("", artifact.digest):
        raise StoreError(
            "store.removed",
            "an artifact was removed or replaced while the run used it",
            where=f"{address}/{stage}/{key}",
            saw=fault or ("another content" if artifact else "nothing"),
            fix="run the same command again when nobody removes artifacts: it makes them again.",
        )
    return artifact


class BucketStore(Store):
    """Finds, writes, verifies, lists and removes artifacts in a bucket.

    root:  the folder that mirrors it.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        address = mirrored_address(root)
        assert address
        self.objects = Objects(address)

    @property
    def where(self) -> str:
        """Where the store is, for people."""
        return self.objects.address

    def place(self, stage: str, key: str) -> str:
        """Where an artifact is, or would be, for people."""
        return self.objects.place(f"{stage}/{key}")

    def handle(self, reference: Reference) -> Artifact:
        """The artifact of a reference, whether or not it is there: nothing of it is read."""
        folder = self.folder(reference.stage, reference.key)
        return BucketArtifact(reference.stage, reference.key, reference.digest, folder)

    def read_manifest(self, stage: str, key: str) -> Manifest | None:
        """The manifest under a key, as the mirror has it if it does; None if it is missing or damaged.

        Whoever reads it compares its digest with what is asked for, so one that is old misleads nobody.
        """
        if mirrored := super().read_manifest(stage, key):
            return mirrored
        found = read_manifest(self.objects, _manifest(stage, key), stage, key)
        return None if isinstance(found, str) else found[1]

    def document(self, name: str) -> SharedDocument:
        """A small document at the top of the store."""
        return SharedObject(self.objects, name)

    def share(self, name: str) -> None:
        """Copy a file at the top of the mirror into the bucket."""
        self.objects.upload(name, self.root / name)

    def examine(self, stage: str, key: str) -> tuple[Artifact | None, str]:
        """The verified artifact, which is then in the mirror; or what is wrong with it."""
        found = read_manifest(self.objects, _manifest(stage, key), stage, key)
        if isinstance(found, str):
            return None, found
        content, written = found
        artifact = self._in_mirror(content, stage, key)
        return (artifact, "") if artifact else self._fetch(content, written)

    @contextlib.contextmanager
    def lock(self, stage: str, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the key: only its holder makes the artifact, on this machine or any other."""
        with super().lock(stage, key, on_wait), hold_lease(self.objects, lease_name(stage, key), on_wait):
            yield

    @contextlib.contextmanager
    def try_lock(self, stage: str, key: str) -> Iterator[bool]:
        """Hold the key unless somebody else does; gives whether it is held."""
        with super().try_lock(stage, key) as is_held:
            if not is_held:
                yield False
                return
            with try_lease(self.objects, lease_name(stage, key)) as is_leased:
                yield is_leased

    def registry(self, role: str) -> Registry:
        """The registry of a role."""
        return Registry(role, SharedObject(self.objects, f"registry/{role}.json"))

    def registries(self) -> Iterator[Registry]:
        """The registry of every role that ever had a current artifact."""
        for name in self.objects.entries("registry"):
            yield self.registry(name.removesuffix(".json"))

    def writer(self, stage: str, key: str) -> ArtifactWriter:
        """A writer into a new folder of the mirror's scratch, for the holder of the key's lock."""
        self._check_conditions()
        writer = super().writer(stage, key)
        writer.replaces = self.objects.read(_manifest(stage, key))
        return writer

    def checkpoint(self, stage: str, key: str) -> Checkpoint:
        """The checkpoint of the training of this key."""
        name = f"checkpoints/{stage}/{key}.npz"
        return BucketCheckpoint(self.root / name, self.root / "quarantine", self.objects, name)

    def list(self, stage: str = "*") -> Iterator[Manifest]:
        """The manifest of every artifact, or of those of a stage; broken ones are left to `find`."""
        listing = self.objects.listing("" if stage == "*" else stage)
        names = [info.name for info in listing if info.name.split("/")[2:] == [manifest.FILE_NAME]]
        for name, written in read_manifests(self.objects, names):
            if name == _manifest(written.recipe.stage, written.recipe.key):
                yield written

    def entries(self, folder: str = ".") -> Sequence[str]:
        """The names in a folder of the store, sorted; none if there is no such folder."""
        return self.objects.entries("" if folder == "." else folder)

    def keys(self, stage: str) -> Iterator[str]:
        """The key of every artifact of a stage, damaged ones included."""
        yield from self.entries(stage)

    def inventory(self) -> Inventory:
        """What the store consists of, for whoever puts it in order."""
        return BucketInventory(self.objects, self.root)

    def verify(self, stage: str, key: str) -> tuple[bool, str]:
        """Whether what the bucket has is whole: objects that this machine has not seen whole are read."""
        return verify(self.objects, self.root, stage, key)

    def remove(self, artifact: Artifact) -> None:
        """Remove an artifact, or a list: first what says that it is whole, so that no half is ever seen."""
        folder = f"{artifact.stage}/{artifact.key}"
        names = [listed.name for listed in self.objects.listing(folder)]
        self.objects.remove([*sorted(names, key=_order_of_removal), use_name(artifact.stage, artifact.key)])
        if artifact.folder.exists():
            super().remove(artifact)

    def _attempt(self) -> str:
        return secrets.token_hex(8)

    def _publish(self, writer: ArtifactWriter, written: Manifest) -> Artifact:
        stage, key = written.recipe.stage, written.recipe.key
        for name in written.files:
            self.objects.upload(_file(stage, key, written.attempt, name), writer.folder / name)
        body, before = written.to_json(), writer.replaces
        if before is None:
            is_first = self.objects.create(_manifest(stage, key), body)
        else:
            is_first = self.objects.replace(_manifest(stage, key), body, before.version)
        if is_first is None:
            return self._adopt(writer, written)
        if before is not None:
            self._remove_other_attempts(stage, key, written.attempt)
        with self._fetching(stage, key):
            local = super()._publish(writer, written)
            cache.hold(local.folder / manifest.FILE_NAME)
        cache.trim()
        skip_note(self.root, stage, key)  # that it was made says when it was used
        return BucketArtifact(local.stage, local.key, local.digest, local.folder)

    def _adopt(self, writer: ArtifactWriter, written: Manifest) -> Artifact:
        """The artifact of another maker, who was first; what was written here is removed."""
        stage, key = written.recipe.stage, written.recipe.key
        self.objects.remove([_file(stage, key, written.attempt, name) for name in written.files])
        writer.discard()
        artifact, fault = self.examine(stage, key)
        if not artifact:
            raise StoreError(
                "store.refused",
                "another machine made the same artifact at this moment, and what it left cannot be used",
                where=self.place(stage, key),
                saw=fault or "nothing",
                fix="run the same command again.",
            )
        return artifact

    def _remove_other_attempts(self, stage: str, key: str, attempt: str) -> None:
        folder = f"{stage}/{key}"
        kept = (f"{folder}/{manifest.FILE_NAME}", f"{folder}/{attempt}/")
        self.objects.remove(
            [listed.name for listed in self.objects.listing(folder) if not listed.name.startswith(kept)]
        )

    def _in_mirror(self, content: Content, stage: str, key: str) -> Artifact | None:
        """The artifact, if the mirror has that of this manifest, whole."""
        folder = self.folder(stage, key)
        with contextlib.suppress(OSError):
            if (folder / manifest.FILE_NAME).read_bytes() == content.body:
                artifact, _ = examine_folder(folder, stage, key)
                if artifact and cache.hold(folder / manifest.FILE_NAME):
                    return BucketArtifact(stage, key, artifact.digest, folder)
        return None

    def _fetch(self, content: Content, written: Manifest) -> tuple[Artifact | None, str]:
        """Bring the files of an artifact into the mirror; the artifact, or what is wrong with it."""
        stage, key = written.recipe.stage, written.recipe.key
        with self._fetching(stage, key), atomic_io.io_errors(self.folder(stage, key), "fetch an artifact"):
            if artifact := self._in_mirror(content, stage, key):  # another process was first
                return artifact, ""
            atomic_io.make_folder(self.root / "scratch")
            scratch = atomic_io.make_unique_folder(self.root / "scratch", f"fetched-{stage}-{key}-")
            try:
                for name, record in written.files.items():
                    place = _file(stage, key, written.attempt, name)
                    if fault := compare(self.objects, place, record.sha256, scratch / name):
                        return None, f"{name} {fault}"
                (scratch / manifest.FILE_NAME).write_bytes(content.body)
                atomic_io.sync_folder(scratch)
                local = self._publish_folder(scratch, written)
                cache.hold(local.folder / manifest.FILE_NAME)
            finally:
                if scratch.exists():
                    atomic_io.remove(scratch)
        cache.trim()
        return BucketArtifact(local.stage, local.key, local.digest, local.folder), ""

    def _fetching(self, stage: str, key: str) -> contextlib.AbstractContextManager[None]:
        """One process of this machine at a time changes an artifact of the mirror."""
        return locks.exclusive_lock(self._lock_file("fetched", f"{stage}-{key}"), on_wait=lambda: None)

    def _quarantine(self, stage: str, key: str, fault: str) -> str:
        aside = f"quarantine/{stage}-{key}-{secrets.token_hex(4)}"
        content = self.objects.read(_manifest(stage, key), most=1 << 30)
        if content:
            self.objects.overwrite(f"{aside}/{manifest.FILE_NAME}", content.body)
        self.objects.overwrite(f"{aside}/reason.txt", f"{fault}\n".encode())
        self.objects.remove([_manifest(stage, key)])
        return self.objects.place(aside)

    def _check_conditions(self) -> None:
        """Raise StoreError for a bucket that ignores conditions; asked once by a machine."""
        probed = self.root / "conditions"
        if not probed.exists():
            check_conditions(self.objects)
            with atomic_io.io_errors(probed, "write to the mirror of the bucket"):
                atomic_io.write_file(probed, b"kept\n")


def check_conditions(objects: Objects) -> None:
    """Raise StoreError unless the bucket refuses to create what exists, and to replace another version."""
    name = f"probe/{secrets.token_hex(8)}"
    try:
        version = objects.create(name, b"first")
        other = objects.create(name, b"second")
        replaced = objects.replace(name, b"third", version)
        again = objects.replace(name, b"fourth", version)
    finally:
        objects.remove([name])
    if other is not None or replaced is None or again is not None:
        raise StoreError(
            "bucket.conditions",
            "the bucket ignores conditional writes, so that two runs could overwrite each other's work",
            where=objects.address,
            fix="use a service that knows If-None-Match and If-Match: S3, GCS, Azure, MinIO; or a folder.",
        )


def _order_of_removal(name: str) -> int:
    """What says that a thing is whole goes first, and what says that somebody has it goes last."""
    return {manifest.FILE_NAME: 0, "_SUCCESS": 0, "lease.json": 2}.get(name.rpartition("/")[2], 1)


def _manifest(stage: str, key: str) -> str:
    return f"{stage}/{key}/{manifest.FILE_NAME}"


def _file(stage: str, key: str, attempt: str, name: str) -> str:
    return f"{stage}/{key}/{attempt}/{name}"
