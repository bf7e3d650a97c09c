"""The artifact store: a folder per artifact, whole or absent, verified before it is used again.

<root>/<stage>/<key>/     the artifact: its files and manifest.json
<root>/scratch/           what is being written
<root>/checkpoints/       trainings under way
<root>/quarantine/        what was damaged or refused, with the reason
<root>/locks/             one per key
<root>/registry/          what was promoted
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts import atomic_io, exports, formats, locks, manifest
from artifacts.checkpoint import Checkpoint
from artifacts.keys import Recipe
from artifacts.manifest import FileRecord, Manifest
from artifacts.registry import Reference, Registry

_NOT_STAGES = ("scratch", "checkpoints", "quarantine", "locks", "registry")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A reference small enough to travel between processes; the files stay where they are."""

    stage: str
    key: str
    digest: str
    folder: Path
    manifest_file: str = manifest.FILE_NAME

    @property
    def origin(self) -> str:
        return f"{self.stage}/{self.key}"

    @property
    def reference(self) -> Reference:
        return Reference(self.stage, self.key, self.digest)

    def input(self, role: str) -> Reference | None:
        """The artifact that it was made from, in that role. Raises DataError if the manifest is damaged."""
        made = self.manifest()
        stage, _, key = made.origins.get(role, "").partition("/")
        return Reference(stage, key, made.recipe.inputs[role]) if key else None

    def manifest(self) -> Manifest:
        """Raises DataError if it was damaged since the artifact was found."""
        path = self.folder / self.manifest_file
        with atomic_io.io_errors(path, "read the manifest"):
            content = path.read_bytes()
        try:
            return Manifest.from_json(content)
        except ValueError as fault:
            raise formats.read_error(path, "a manifest", fault) from fault

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        return formats.read_table(self.folder / name, columns)

    def group(self, name: str, number: int, columns: list[str] | None = None) -> pa.Table:
        """One row group of a table."""
        return formats.read_group(self.folder / name, number, columns)

    def arrays(self, name: str) -> formats.Arrays:
        return formats.read_arrays(self.folder / name)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


class ArtifactWriter:
    """An artifact in the making: files go into a scratch folder that nobody reads.

    refused:  the folder that `set_aside` makes of it.
    """

    def __init__(self, folder: Path, checkpoint: Checkpoint, refused: Path) -> None:
        self.folder, self.checkpoint, self._refused = folder, checkpoint, refused
        self.metadata: dict[str, Any] = {}
        self._rows: dict[str, int | None] = {}

    def order(self, *names: str) -> None:
        """These files stand first in the manifest, in this order, whichever is written first. All will be."""
        self._rows = {**dict.fromkeys(names), **self._rows}

    def write_table(self, name: str, table: pa.Table) -> None:
        self.write_parts(name, [table])

    def write_parts(self, name: str, parts: Iterable[pa.Table]) -> int:
        """As `formats.write_parts`, of a table that need never be in memory as a whole."""
        try:
            with atomic_io.io_errors(self.folder / name, "write a table"):
                self._rows[name] = rows = formats.write_parts(self.folder / name, _apart(parts))
        except _Elsewhere as fault:
            raise fault.refusal from None
        return rows

    def write_groups(self, name: str, groups: Sequence[pa.Table]) -> None:
        """One table of which each part can be read alone."""
        with atomic_io.io_errors(self.folder / name, "write a table"):
            formats.write_groups(self.folder / name, groups)
        self._rows[name] = sum(group.num_rows for group in groups)

    def write_names(
        self, name: str, table: pa.Table, format: exports.Format, metadata: Mapping[str, str]
    ) -> None:
        with atomic_io.io_errors(self.folder / name, "write names"):
            exports.write(self.folder / name, table, format, metadata)
        self._rows[name] = table.num_rows

    def write_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        with atomic_io.io_errors(self.folder / name, "write arrays"):
            formats.write_arrays(self.folder / name, arrays)
        self._rows[name] = None

    def write_text(self, name: str, text: str) -> None:
        with atomic_io.io_errors(self.folder / name, "write a text"):
            (self.folder / name).write_bytes(text.encode())
        self._rows[name] = None

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # what is left is cleared with the next writer

    def quarantine(self, reason: str) -> Path:
        """Keep what there is of an artifact that will not be made, for a person to look at.

        Returns the folder, in quarantine: the same one for every attempt to make the artifact.
        """
        with atomic_io.io_errors(self._refused, "set a refused artifact aside"):
            (self.folder / "reason.txt").write_text(reason + "\n", encoding="utf-8")
            shutil.rmtree(self._refused, ignore_errors=True)
            atomic_io.sync_folder(self.folder)
            atomic_io.publish(self.folder, self._refused)
        return self._refused

    def records(self) -> dict[str, FileRecord]:
        """Of every file: in the order that was asked for, or else in which they were written."""
        return {
            name: FileRecord((self.folder / name).stat().st_size, file_digest(self.folder / name), rows)
            for name, rows in self._rows.items()
        }


class _Elsewhere(Exception):
    """What the operating system refused to who made a part: no failure to write it."""

    def __init__(self, refusal: OSError) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def _apart(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    try:
        yield from parts
    except OSError as refusal:
        raise _Elsewhere(refusal) from refusal


class Store:
    """Find, make, verify, list and remove artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, key: str) -> Path:
        return self.root / stage / key

    def examine(self, stage: str, key: str) -> tuple[Artifact | None, str]:
        """The artifact, or what is wrong with it; neither if there is none. Touches nothing."""
        folder = self.folder(stage, key)
        with atomic_io.io_errors(folder, "read an artifact"):
            return examine_folder(folder, stage, key) if os.path.lexists(folder) else (None, "")

    def resolve(self, to: Reference) -> tuple[Artifact | None, str]:
        """As `examine`, for an artifact that has to have this content."""
        found, fault = self.examine(to.stage, to.key)
        if found and found.digest != to.digest:
            return None, "its content is another by now"
        return found, fault

    def find(self, stage: str, key: str, damaged: Callable[[str], None]) -> Artifact | None:
        """As `examine`, for the holder of the key's lock, who may set a damaged one aside.

        damaged:  told the reason when it was there and did not match; it then lies in quarantine.
        """
        found, fault = self.examine(stage, key)
        if fault:
            with atomic_io.io_errors(self.folder(stage, key), "set a damaged artifact aside"):
                damaged(f"{fault}; set aside in {self._quarantine(stage, key, fault)}")
        return found

    @contextlib.contextmanager
    def lock(self, stage: str, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Only its holder makes the artifact of this key, in this process or any other."""
        with locks.exclusive_lock(self._lock_file(stage, key), on_wait):
            yield

    def registry(self, role: str) -> Registry:
        """Of what stands in a role: `champion`, or `lists-…` for the lists of some sources."""
        return Registry(
            self.root / "registry" / f"{role}.json", lambda on_wait: self.lock("registry", role, on_wait)
        )

    def registries(self) -> Iterator[Registry]:
        """Of every role in which anything ever stood."""
        with atomic_io.io_errors(self.root, "list the registry"):
            roles = sorted(path.stem for path in (self.root / "registry").glob("*.json"))
        yield from map(self.registry, roles)

    @contextlib.contextmanager
    def try_lock(self, stage: str, key: str) -> Iterator[bool]:
        """Whether it is held now; somebody else holds it if not."""
        with locks.try_lock(self._lock_file(stage, key)) as is_held:
            yield is_held

    def writer(self, stage: str, key: str) -> ArtifactWriter:
        """A fresh scratch folder, for the holder of the key's lock; what a dead maker left is cleared."""
        folder = self.root / "scratch" / f"{stage}-{key}"
        with atomic_io.io_errors(folder, "write to the store"):
            for left in folder.parent.glob(f"{folder.name}*"):
                shutil.rmtree(left, ignore_errors=True)
            atomic_io.make_folder(folder.parent)
            folder.mkdir()
        refused = self.root / "quarantine" / f"{folder.name}-refused"
        return ArtifactWriter(folder, self.checkpoint(stage, key), refused)

    def checkpoint(self, stage: str, key: str) -> Checkpoint:
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
        """Publish a writer under its key, durably. What stood there before, if anything, is replaced."""
        with atomic_io.io_errors(self.folder(recipe.stage, recipe.key), "commit an artifact"):
            made = Manifest.now(
                recipe,
                origins=origins,
                files=writer.records(),
                metadata=writer.metadata,
                seconds=seconds,
                run=run,
            )
            (writer.folder / manifest.FILE_NAME).write_bytes(made.to_json())
            atomic_io.sync_folder(writer.folder)
            artifact = self._publish(writer.folder, made)
            writer.checkpoint.discard()  # only now: until here it was all that a killed run had
        return artifact

    def _publish(self, scratch: Path, made: Manifest) -> Artifact:
        target = self.folder(made.recipe.stage, made.recipe.key)
        # Between these two renames there is no artifact, and a reader finds none: that is all.
        old = self._set_aside(target, self.root / "scratch") if os.path.lexists(target) else None
        atomic_io.publish(scratch, target)
        if old:
            shutil.rmtree(old, ignore_errors=True)  # what is left is cleared with the next writer
        return Artifact(made.recipe.stage, made.recipe.key, made.digest, target)

    def list(self, stage: str = "*") -> Iterator[Manifest]:
        """The manifest of every artifact, or of those of a stage; a broken one is passed over, for `find` to
        report."""
        with atomic_io.io_errors(self.root, "list the store"):
            for path in sorted(self.root.glob(f"{stage}/*/{manifest.FILE_NAME}")):
                if path.parent.parent.name not in _NOT_STAGES:
                    with contextlib.suppress(ValueError):
                        yield Manifest.from_json(path.read_bytes())

    def keys(self, stage: str) -> Iterator[str]:
        """Of every artifact of a stage, damaged ones among them."""
        with atomic_io.io_errors(self.root, "list the store"):
            yield from sorted(folder.name for folder in (self.root / stage).glob("*") if folder.is_dir())

    def remove(self, artifact: Artifact) -> None:
        with atomic_io.io_errors(artifact.folder, "remove an artifact"):
            shutil.rmtree(self._set_aside(artifact.folder, self.root / "scratch"))

    def _lock_file(self, stage: str, key: str) -> Path:
        path = self.root / "locks" / f"{stage}-{key}.lock"
        with atomic_io.io_errors(path, "lock an artifact"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()  # refused here, with a name, and not within the lock
        return path

    def _quarantine(self, stage: str, key: str, fault: str) -> Path:
        aside = self._set_aside(self.folder(stage, key), self.root / "quarantine")
        (aside / "reason.txt").write_text(fault + "\n", encoding="utf-8")
        return aside

    def _set_aside(self, folder: Path, where: Path) -> Path:
        """One rename, so that a folder is never seen half removed."""
        aside = make_unique_folder(where, f"{folder.parent.name}-{folder.name}-")
        folder.rename(aside / folder.name)
        return aside


def make_unique_folder(where: Path, prefix: str) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=where))


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def examine_folder(
    folder: Path, stage: str, key: str, manifest_file: str = manifest.FILE_NAME
) -> tuple[Artifact | None, str]:
    """The artifact whose files lie in a folder that is there, or what is wrong with it."""
    try:
        made = Manifest.from_json((folder / manifest_file).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None, f"{manifest_file} is missing"
    except ValueError as fault:
        return None, f"{manifest_file} {fault}"
    if (made.recipe.stage, made.recipe.key) != (stage, key):
        return None, f"it belongs to {made.recipe.stage}/{made.recipe.key}"
    for name, record in made.files.items():
        path = folder / name
        try:
            if path.stat().st_size != record.bytes or file_digest(path) != record.sha256:
                return None, f"{name} does not match its sha256"
        except (FileNotFoundError, IsADirectoryError):
            return None, f"{name} is missing"
    return Artifact(stage, key, made.digest, folder, manifest_file), ""
