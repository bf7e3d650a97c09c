"""Parquet and Arrow files, read by a process of its own with bounded memory."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from data.conditions import matching_rows
from data.config import CorpusConfig
from data.reading import table_process
from data.reading.columns import (
    column_error,
    column_places,
    column_type_error,
    notify_of_unused_counts,
    valid_counts,
)
from data.reading.content import Content, too_large_error
from data.reading.rows import BLANK_NAME, Rows, row_too_long_error
from rnn_core.errors import DataError

# The system's allocator, since others reserve addresses before they need them.
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

# By the exit code of the process: the error's code, what is wrong, and how to fix it.
_FAILURES = {
    table_process.NOT_UTF8: (
        "corpus.encoding", "a value is not valid UTF-8", "write the column anew as text.",
    ),
    table_process.FEATHER_1: (
        "corpus.format", "the file is in Feather's old format, version 1",
        "write it anew as Feather 2 or Parquet: pyarrow.feather.read_table reads it.",
    ),
    table_process.TOO_LARGE: (
        "corpus.too_large",
        f"reading the file takes more than {table_process.MEMORY_BYTES >> 20:,} MiB of memory",
        "write it anew with smaller row groups and pages, or as text.",
    ),
}  # fmt: skip


def rows(
    content: Content, config: CorpusConfig, limit: int | None, notify: Callable[[str], None]
) -> Iterator[Rows]:
    """The rows of a Parquet, Feather or Arrow file.

    limit:  how many rows are read; None for all.

    Raises DataError for a missing column or one of another type, for a value that is too long or not UTF-8,
    and for a file that is damaged or takes more memory than `table_process.MEMORY_BYTES` to read.
    """
    with _plain_file(content) as path, _reader(path, content.path, config, limit) as process:
        assert process.stdin
        assert process.stdout
        columns = json.loads(process.stdout.readline() or "null")
        if columns is None:
            return
        wanted = _wanted(columns, config, content.path, notify)
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        process.stdin.close()
        with contextlib.suppress(pa.ArrowInvalid, EOFError, OSError):  # the exit code tells what went wrong
            for batch in pa.ipc.open_stream(process.stdout):
                yield _as_rows(batch, config)


def _as_rows(batch: pa.RecordBatch, config: CorpusConfig) -> Rows:
    counts, reasons = (None, None) if config.counts is None else valid_counts(batch["count"])
    selected = matching_rows(batch.columns[2:], config.conditions) if config.conditions else None
    return Rows(batch["name"], reasons, counts, BLANK_NAME, partial(_raw, batch["name"]), selected)


def _raw(names: pa.StringArray, chosen: pa.BooleanArray) -> pa.BinaryArray:
    return pc.fill_null(names.filter(chosen).cast(pa.binary()), b"")


def _wanted(
    columns: list[tuple[str, str]], config: CorpusConfig, path: Path, notify: Callable[[str], None]
) -> list[str | None]:
    """The columns to ask for: of the names, of the counts, of each condition."""
    called = [column for column, _ in columns]
    places = column_places(called, config, path)
    notify_of_unused_counts(called, places, config, path, notify)
    for name in (called[place] for place in (*places[:2], *places.conditions) if place is not None):
        if called.count(name) > 1:  # in a file of these formats they are asked for by their names
            fix = "write it anew, with another name for each column"
            raise column_error(f"two columns are named {name!r}", called, fix, path)
    for place, expected in zip(places[:2], ("text", "number"), strict=True):
        if place is not None and columns[place][1] != expected:
            raise column_type_error(columns[place][0], columns[place][1], expected, path)
    count = None if places.counts is None else called[places.counts]
    return [called[places.names], count, *(called[place] for place in places.conditions)]


@contextlib.contextmanager
def _plain_file(content: Content) -> Iterator[Path]:
    """The file itself, or a temporary one that it is unpacked into: these formats need random access."""
    if content.compression is None:
        yield content.path
        return
    with tempfile.NamedTemporaryFile(prefix="namewright-") as reserved:
        unpacked = Path(reserved.name)
        try:
            with unpacked.open("wb") as file:
                file.writelines(content.blocks())
        except OSError as refusal:
            raise DataError(
                "corpus.unreadable",
                f"the corpus could not be unpacked: {refusal.strerror or refusal}",
                where=f"{content.path}, into {unpacked.parent}",
                fix="free space there, name another folder by TMPDIR, or unpack the file yourself.",
            ) from refusal
        yield unpacked


@contextlib.contextmanager
def _reader(
    path: Path, called: Path, config: CorpusConfig, limit: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """called:  the file as the user knows it, for messages."""
    asked = {
        "path": str(path),
        "format": config.format,
        "limit": limit,
        "max_row_bytes": config.max_row_bytes,
        "max_bytes": config.max_bytes,
    }
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-P", table_process.__file__, json.dumps(asked)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **_ENVIRONMENT},
        ) as process,
    ):  # fmt: skip
        try:
            yield process
            process.wait()
        finally:
            process.kill()  # of no effect on one that has ended
        if process.returncode:
            raise _failure(process.returncode, _last_line(errors), called, config)


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _failure(exit_code: int, saw: str, path: Path, config: CorpusConfig) -> DataError:
    if exit_code == table_process.TOO_LONG:
        return row_too_long_error(path, saw, "", config.max_row_bytes)
    if exit_code == table_process.TOO_MANY_BYTES:
        return too_large_error(path, config.max_bytes)
    if exit_code in _FAILURES:
        code, what, fix = _FAILURES[exit_code]
        return DataError(code, what, where=str(path), saw=saw, fix=fix)
    return DataError(
        "corpus.damaged",
        f"the file cannot be read as {config.format}",
        where=str(path),
        saw=saw if exit_code > 0 else f"its reader was killed by signal {-exit_code}",
        fix="fetch it again, or say what it is: format.",
    )
