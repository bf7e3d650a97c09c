"""The artifact store: a folder per artifact, whole or absent, verified before it is reused.

<root>/<stage>/<key>/     the artifact: its files and manifest.json
<root>/scratch/           artifacts being written
<root>/checkpoints/       trainings in progress
<root>/quarantine/        damaged and refused artifacts, with the reason
<root>/locks/             one per key
<root>/registry/          what is current in each role

Callers use `Store`'s methods alone and never build a path: another kind of store, of objects instead of
files, can take its place behind them.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from artifacts import atomic_io, documents, formats, locks, manifest, npz
from artifacts.checkpoint import Checkpoint
from artifacts.inventory import Inventory
from artifacts.keys import KEY_LENGTH, Recipe
from artifacts.manifest import FileRecord, Manifest, foreign
from artifacts.registry import Reference, Registry
from artifacts.shared_document import SharedDocument
from artifacts.writer import ArtifactWriter

_KEY = re.compile(f"[0-9a-f]{{{KEY_LENGTH}}}")
_ODD = (  # what opening raises for a link, a FIFO, a folder, a file of somebody else
    errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ENXIO, errno.EACCES, errno.EPERM,
)  # fmt: skip
UNREADABLE = "cannot be read"  # in the fault of an entry that no run of ours leaves
_NOT_STAGES = ("scratch", "checkpoints", "quarantine", "locks", "registry")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A handle to an artifact, small enough to travel between processes; the files stay where they are."""

    stage: str
    key: str
    digest: str
    folder: Path
    manifest_file: str = manifest.FILE_NAME

    @property
    def origin(self) -> str:
        """The artifact as `stage/key`."""
        return f"{self.stage}/{self.key}"

    @property
    def reference(self) -> Reference:
        """The artifact by key and content, without its place."""
        return Reference(self.stage, self.key, self.digest)

    def input(self, role: str) -> Reference | None:
        """The input artifact in that role, if there is one. Raises DataError if the manifest is damaged."""
        written = self.manifest()
        stage, _, key = written.origins.get(role, "").partition("/")
        return Reference(stage, key, written.recipe.inputs[role]) if key else None

    def manifest(self) -> Manifest:
        """The artifact's manifest. Raises DataError if it was damaged since the artifact was found."""
        path = self.folder / self.manifest_file
        try:
            with atomic_io.io_errors(path, "read the manifest"):
                return Manifest.read(path)
        except ValueError as fault:
            raise formats.read_error(path, "a manifest", fault) from fault

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.folder)

    def path(self, name: str) -> Path:
        """Where a file of the artifact can be read."""
        return self.folder / name

    def mark_used(self) -> None:
        """Note the time, for who has to find what was not used for long: as that of the last access."""
        path = self.folder / self.manifest_file
        with contextlib.suppress(OSError):  # a store that one may only read
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A Parquet file of the artifact. Raises DataError if it is damaged."""
        return formats.read_table(self.path(name), columns)

    def group(self, name: str, number: int, columns: list[str] | None = None) -> pa.Table:
        """One row group of a Parquet file. Raises DataError if it is damaged."""
        return formats.read_group(self.path(name), number, columns)

    def arrays(self, name: str, check: npz.Check) -> formats.Arrays:
        """The arrays of an npz file. Raises DataError if it is damaged, and what `check` raises."""
        return formats.read_arrays(self.path(name), check)

    def text(self, name: str) -> str:
        """The text of a file in UTF-8."""
        return self.path(name).read_text(encoding="utf-8")


class Store:
    """Finds, writes, verifies, lists and removes artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def where(self) -> str:
        """Where the store is, for people."""
        return str(self.root)

    def folder(self, stage: str, key: str) -> Path:
        """Where an artifact is, or would be, for other programs."""
        return self.root / stage / key

    def place(self, stage: str, key: str) -> str:
        """Where an artifact is, or would be, for people."""
        return str(self.folder(stage, key))

    def handle(self, reference: Reference) -> Artifact:
        """The artifact of a reference, whether or not it is there: nothing of it is read."""
        folder = self.folder(reference.stage, reference.key)
        return Artifact(reference.stage, reference.key, reference.digest, folder)

    def read_manifest(self, stage: str, key: str) -> Manifest | None:
        """The manifest under a key, without a look at the files; None if it is missing or damaged."""
        try:
            return Manifest.read(self.folder(stage, key) / manifest.FILE_NAME)
        except (OSError, ValueError):
            return None

    def document(self, name: str) -> SharedDocument:
        """A small document at the top of the store."""
        return SharedDocument(self.root / name, lambda on_wait: self.lock("document", name, on_wait))

    def share(self, name: str) -> None:
        """Let everybody who knows the store have a file that was written at the top of `root`."""

    def examine(self, stage: str, key: str) -> tuple[Artifact | None, str]:
        """The verified artifact, or what is wrong with it; neither if there is none. Changes nothing."""
        folder = self.folder(stage, key)
        with atomic_io.io_errors(folder, "read an artifact"):
            artifact, fault = examine_folder(folder, stage, key)
            # One that is removed at this moment is no damaged one.
            return (artifact, fault) if os.path.lexists(folder) else (None, "")

    def resolve(self, reference: Reference) -> tuple[Artifact | None, str]:
        """The verified artifact of a reference, or what is wrong; neither if there is none."""
        artifact, fault = self.examine(reference.stage, reference.key)
        if artifact and artifact.digest != reference.digest:
            return None, "its content has changed"
        return artifact, fault

    def find(self, stage: str, key: str, on_damage: Callable[[str], None]) -> Artifact | None:
        """The verified artifact, if there is one; for the holder of the key's lock.

        on_damage:  called with the reason if it is damaged; it then is in quarantine.
        """
        artifact, fault = self.examine(stage, key)
        if fault:
            on_damage(self.quarantine(stage, key, fault))
        return artifact

    def verify(self, stage: str, key: str) -> tuple[bool, str]:
        """Whether the store's own copy of an artifact is whole, or what is wrong with it. Changes nothing."""
        artifact, fault = self.examine(stage, key)
        return artifact is not None, fault

    def quarantine(self, stage: str, key: str, fault: str) -> str:
        """Set a damaged artifact aside, for the holder of the key's lock. Returns the fault, and where."""
        with atomic_io.io_errors(self.folder(stage, key), "quarantine a damaged artifact"):
            return f"{fault}; set aside in {self._quarantine(stage, key, fault)}"

    @contextlib.contextmanager
    def lock(self, stage: str, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the key's lock: only its holder makes the artifact, in this process or any other."""
        with locks.exclusive_lock(self._lock_file(stage, key), on_wait):
            yield

    def registry(self, role: str) -> Registry:
        """The registry of a role: `champion`, or `lists-…` for the lists of some sources."""
        path = self.root / "registry" / f"{role}.json"
        return Registry(role, SharedDocument(path, lambda on_wait: self.lock("registry", role, on_wait)))

    def registries(self) -> Iterator[Registry]:
        """The registry of every role that ever had a current artifact."""
        with atomic_io.io_errors(self.root, "list the registry"):
            roles = sorted(path.stem for path in (self.root / "registry").glob("*.json"))
        yield from map(self.registry, roles)

    @contextlib.contextmanager
    def try_lock(self, stage: str, key: str) -> Iterator[bool]:
        """Hold the key's lock unless another process does; gives whether it is held."""
        with locks.try_lock(self._lock_file(stage, key)) as is_held:
            yield is_held

    def writer(self, stage: str, key: str) -> ArtifactWriter:
        """A writer into a new scratch folder, for the holder of the key's lock."""
        folder = self.root / "scratch" / f"{stage}-{key}"
        with atomic_io.io_errors(folder, "write to the store"):
            for name in self.entries("scratch"):
                if name.startswith(folder.name):  # of a crashed run
                    atomic_io.remove(folder.with_name(name))
            atomic_io.make_folder(folder.parent)
            folder.mkdir()
        refused = self.root / "quarantine" / f"{folder.name}-refused"
        return ArtifactWriter(folder, self.checkpoint(stage, key), refused)

    def checkpoint(self, stage: str, key: str) -> Checkpoint:
        """The checkpoint of the training of this key."""
        return Checkpoint(self.root / "checkpoints" / stage / f"{key}.npz", self.root / "quarantine")

    def commit(
        self,
        writer: ArtifactWriter,
        recipe: Recipe,
        *,
        origins: Mapping[str, str],
        seconds: float,
        run: Mapping[str, str],
    ) -> Artifact:
        """Publish what was written under its key, durably, in place of an older artifact if there is one."""
        with atomic_io.io_errors(self.folder(recipe.stage, recipe.key), "commit an artifact"):
            written = Manifest.now(
                recipe,
                origins=origins,
                files=writer.records(),
                metadata=writer.metadata,
                seconds=seconds,
                run=run,
                attempt=self._attempt(),
            )
            (writer.folder / manifest.FILE_NAME).write_bytes(written.to_json())
            atomic_io.sync_folder(writer.folder)
            artifact = self._publish(writer, written)
            writer.checkpoint.discard()  # only now: until here it was all that a killed run would have
        return artifact

    def _attempt(self) -> str:
        """The folder of an artifact's files beside its manifest, which a folder has not."""
        return ""

    def _publish(self, writer: ArtifactWriter, written: Manifest) -> Artifact:
        return self._publish_folder(writer.folder, written)

    def _publish_folder(self, scratch: Path, written: Manifest) -> Artifact:
        target = self.folder(written.recipe.stage, written.recipe.key)
        # Between these two renames a reader finds no artifact, which is harmless.
        old = self._set_aside(target, self.root / "scratch") if os.path.lexists(target) else None
        atomic_io.publish(scratch, target)
        if old:
            shutil.rmtree(old, ignore_errors=True)  # what is left is cleared by the next writer
        return Artifact(written.recipe.stage, written.recipe.key, written.digest, target)

    def list(self, stage: str = "*") -> Iterator[Manifest]:
        """The manifest of every artifact, or of those of a stage; broken ones are left to `find`."""
        stages = [stage] if stage != "*" else [name for name in self.entries() if name not in _NOT_STAGES]
        for name in stages:
            for key in self.keys(name):
                written = self.read_manifest(name, key)
                if written and written.recipe.stage == name:
                    yield written

    def keys(self, stage: str) -> Iterator[str]:
        """The key of every artifact of a stage, damaged ones included."""
        for name in self.entries(stage):
            if _KEY.fullmatch(name) or (self.root / stage / name).is_dir():
                yield name

    def entries(self, folder: str = ".") -> Sequence[str]:
        """The names in a folder of the store, sorted; none if there is no such folder."""
        return Inventory(self.root).names(folder)

    def inventory(self) -> Inventory:
        """What the store consists of, for whoever puts it in order."""
        return Inventory(self.root)

    def remove(self, artifact: Artifact) -> None:
        """Remove an artifact; it is never seen half removed."""
        with atomic_io.io_errors(artifact.folder, "remove an artifact"):
            atomic_io.remove(self._set_aside(artifact.folder, self.root / "scratch"))

    def _lock_file(self, stage: str, key: str) -> Path:
        path = self.root / "locks" / f"{stage}-{key}.lock"
        with atomic_io.io_errors(path, "lock an artifact"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()  # fails here, with a path, and not within the lock
        return path

    def _quarantine(self, stage: str, key: str, fault: str) -> str:
        aside = self._set_aside(self.folder(stage, key), self.root / "quarantine")
        (aside / "reason.txt").write_text(fault + "\n", encoding="utf-8")
        return str(aside)

    def _set_aside(self, folder: Path, where: Path) -> Path:
        """Move a folder by one rename, so that it is never seen half removed."""
        aside = atomic_io.make_unique_folder(where, f"{folder.parent.name}-{folder.name}-")
        folder.rename(aside / folder.name)
        return aside


def _matches(path: Path, record: FileRecord) -> bool:
    with documents.open_file(path) as file:
        is_of_size = os.fstat(file.fileno()).st_size == record.bytes
        return is_of_size and hashlib.file_digest(file, "sha256").hexdigest() == record.sha256


def examine_folder(
    folder: Path, stage: str, key: str, manifest_file: str = manifest.FILE_NAME
) -> tuple[Artifact | None, str]:
    """The verified artifact in an existing folder, or what is wrong with it."""
    try:
        written = Manifest.read(folder / manifest_file)
    except FileNotFoundError:
        return None, f"{manifest_file} is missing"
    except OSError as refusal:
        return None, _unreadable(manifest_file, refusal)
    except ValueError as fault:
        return None, f"{manifest_file} {fault}"
    if other := foreign(written, stage, key):
        return None, other
    for name, record in written.files.items():
        path = folder / name
        try:
            is_whole = _matches(path, record)
        except FileNotFoundError:
            return None, f"{name} is missing"
        except OSError as refusal:
            return None, _unreadable(name, refusal)
        if not is_whole:
            return None, f"{name} does not match its sha256"
    return Artifact(stage, key, written.digest, folder, manifest_file), ""


def _unreadable(name: str, refusal: OSError) -> str:
    """The fault of an artifact with something else in the place of a file, or a file that may not be read.

    Raises the OSError if it says nothing of the artifact: another time it may be read.
    """
    if refusal.errno not in _ODD:
        raise refusal
    return f"{name} {UNREADABLE}: {refusal.strerror or refusal}"
