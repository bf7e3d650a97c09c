"""The writer of an artifact: its files appear in a folder that nobody reads, until the store commits them."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts import atomic_io, exports, formats
from artifacts.checkpoint import Checkpoint
from artifacts.documents import file_digest
from artifacts.manifest import FileRecord


class ArtifactWriter:
    """Writes the files of an artifact into a scratch folder that nobody reads, until `Store.commit`.

    refused:  where `quarantine` moves the folder.
    """

    def __init__(self, folder: Path, checkpoint: Checkpoint, refused: Path) -> None:
        self.folder, self.checkpoint, self._refused = folder, checkpoint, refused
        self.metadata: dict[str, Any] = {}
        self.replaces: Any = None  # what a store of another kind has under the key
        self._rows: dict[str, int | None] = {}

    def order(self, *names: str) -> None:
        """List these files first in the manifest, in this order, whichever is written first."""
        self._rows = {**dict.fromkeys(names), **self._rows}

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a Parquet file."""
        self.write_parts(name, [table])

    def write_parts(self, name: str, parts: Iterable[pa.Table]) -> int:
        """Write a Parquet file part by part, as `formats.write_parts` does. Returns its rows."""
        try:
            with atomic_io.io_errors(self.folder / name, "write a table"):
                self._rows[name] = rows = formats.write_parts(self.folder / name, _with_own_errors(parts))
        except _ErrorOfParts as fault:
            raise fault.refusal from None
        return rows

    def write_groups(self, name: str, groups: Sequence[pa.Table]) -> None:
        """Write a Parquet file with one row group per table, so that each can be read alone."""
        with atomic_io.io_errors(self.folder / name, "write a table"):
            formats.write_groups(self.folder / name, groups)
        self._rows[name] = sum(group.num_rows for group in groups)

    def write_names(
        self, name: str, table: pa.Table, format: exports.Format, metadata: Mapping[str, str]
    ) -> None:
        """Write a generated list, or a shard of one, as `exports.write` does."""
        with atomic_io.io_errors(self.folder / name, "write names"):
            exports.write(self.folder / name, table, format, metadata)
        self._rows[name] = table.num_rows

    def write_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Write an npz file."""
        with atomic_io.io_errors(self.folder / name, "write arrays"):
            formats.write_arrays(self.folder / name, arrays)
        self._rows[name] = None

    def write_text(self, name: str, text: str) -> None:
        """Write a file in UTF-8."""
        with atomic_io.io_errors(self.folder / name, "write a text"):
            (self.folder / name).write_bytes(text.encode())
        self._rows[name] = None

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)  # what is left is cleared by the next writer

    def quarantine(self, reason: str) -> Path:
        """Keep what was written of a refused artifact, for a person to look at.

        Returns its folder in quarantine: the same one for every attempt to make the artifact.
        """
        with atomic_io.io_errors(self._refused, "quarantine a refused artifact"):
            (self.folder / "reason.txt").write_text(reason + "\n", encoding="utf-8")
            atomic_io.remove(self._refused)
            atomic_io.sync_folder(self.folder)
            atomic_io.publish(self.folder, self._refused)
        return self._refused

    def records(self) -> dict[str, FileRecord]:
        """A record of every file, in the order asked for, or else in which they were written."""
        return {
            name: FileRecord((self.folder / name).stat().st_size, file_digest(self.folder / name), rows)
            for name, rows in self._rows.items()
        }


class _ErrorOfParts(Exception):
    """An OSError of the iterator of parts, which is no failure to write them."""

    def __init__(self, refusal: OSError) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def _with_own_errors(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    try:
        yield from parts
    except OSError as refusal:
        raise _ErrorOfParts(refusal) from refusal
