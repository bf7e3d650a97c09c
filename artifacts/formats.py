"""The two file formats of artifacts, which anything can read: Parquet for tables, npz for arrays."""

import contextlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from artifacts import documents, npz
from rnn_core.errors import DataError

Arrays = dict[str, npt.NDArray[np.generic]]

# A dictionary, which Arrow tries first, pays where values are few: sources, lengths, flags. Without one for
# the rest a million names take 16.5 MB and 0.1 s, not 21.8 MB and 0.2 s. BYTE_STREAM_SPLIT for numbers and
# DELTA_LENGTH_BYTE_ARRAY for text would save 4 % each, and fastparquet could read neither.
_ENCODINGS = {pa.int64(): "DELTA_BINARY_PACKED", pa.float64(): "PLAIN", pa.string(): "PLAIN"}

ROWS_PER_GROUP = 1 << 17  # row groups of a size that query engines like to share out
_ROWS_AT_ONCE = 4 * ROWS_PER_GROUP  # held together: some 30 MB, beside which what each table costs is little
_BYTES_AT_ONCE = 32 << 20  # of longer rows


# Tables go through pa.OSFile. Of a path, Arrow would ask whether it is a URI; of a Python file, a thread of
# Arrow's may still hold it when the process ends, which then aborts (6 runs of 60, and 0 of 40 this way).


def write_parts(path: Path, parts: Iterable[pa.Table]) -> int:
    """Write consecutive parts of a table, at least one, to a Parquet file.

    A thread writes one part while the next is made.

    parts:  each but the last a whole number of row groups, as `whole_groups` gives them.

    Returns the number of rows.
    """
    rows, parts = 0, iter(parts)
    first = next(parts)
    with (
        pa.OSFile(str(path), "wb") as file,
        parquet_writer(file, first.schema) as parquet,
        ThreadPoolExecutor(1) as other,
    ):
        part: pa.Table | None = first
        while part is not None:
            writing = other.submit(parquet.write_table, part, row_group_size=ROWS_PER_GROUP)
            rows += len(part)
            part = next(parts, None)
            writing.result()
    return rows


def whole_groups(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of parts of any size in a few tables, each but the last a whole number of row groups.

    Each column is one chunk, since chunk ends change the bytes of a file. Rows of 256 bytes and more,
    which no names have, come in smaller groups: a table is bounded in bytes, too.
    """
    pending: list[pa.Table] = []
    rows = size = 0
    for part in parts:
        if len(part) or not pending:
            pending.append(part)
            rows, size = rows + len(part), size + part.nbytes
        if rows > 1 and (rows > _ROWS_AT_ONCE or size > _BYTES_AT_ONCE):
            # One row is kept: the last table is never empty.
            whole = (rows - 1) // ROWS_PER_GROUP * ROWS_PER_GROUP or rows - 1
            together = pa.concat_tables(pending)
            yield together.slice(0, whole).combine_chunks()
            rest = together.slice(whole)
            pending, rows, size = [rest], rows - whole, rest.nbytes
    yield pa.concat_tables(pending).combine_chunks()


def write_groups(path: Path, groups: Sequence[pa.Table]) -> None:
    """Write a Parquet file with one row group per table, at least one."""
    with pa.OSFile(str(path), "wb") as file, parquet_writer(file, groups[0].schema) as parquet:
        for group in groups:
            parquet.write_table(group, row_group_size=max(group.num_rows, 1))


def parquet_writer(file: pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of Parquet with page checksums, so that other readers notice damage too."""
    encodings = {field.name: _ENCODINGS[field.type] for field in schema if field.type in _ENCODINGS}
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=[name for name in schema.names if name not in encodings],
        column_encoding=encodings or None,
    )


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A Parquet file. Raises DataError if it is not one or a page fails its checksum."""
    with _parquet_file(path) as parquet:
        return parquet.read(columns=columns)


def read_group(path: Path, number: int, columns: list[str] | None = None) -> pa.Table:
    """One row group of a Parquet file. Raises DataError as `read_table` does."""
    with _parquet_file(path) as parquet:
        return parquet.read_row_group(number, columns=columns)


@contextlib.contextmanager
def _parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        # Not pq.read_table: it goes through the dataset layer, at several times the cost.
        with pa.OSFile(str(path)) as file, pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as refusal:
        raise read_error(path, "a Parquet file", refusal) from refusal


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write an npz file."""
    path.write_bytes(arrays_as_bytes(arrays))


def arrays_as_bytes(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """An npz whose bytes depend on the arrays alone; those of np.savez depend on the Python version too."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as members:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980-01-01
            member.create_system = 3  # as on Unix, wherever it is written
            members.writestr(member, content.getvalue())
    return buffer.getvalue()


def read_arrays(path: Path, check: npz.Check = npz.accept_any) -> Arrays:
    """An npz file. Raises DataError if it is not one of plain arrays, and what `check` raises."""
    try:
        with documents.open_file(path) as file:
            return npz.read(file, check)
    except (OSError, ValueError) as refusal:
        raise read_error(path, "an npz file of plain arrays", refusal) from refusal


def read_error(path: Path | str, expected: str, refusal: BaseException | str) -> DataError:
    """The error of an artifact's file that cannot be read as what it should be."""
    return DataError(
        "artifact.unreadable",
        f"could not be read as {expected}",
        where=str(path),
        saw=str(refusal).splitlines()[0] if str(refusal) else type(refusal).__name__,
        fix="make it again: refresh its stage.",
    )
