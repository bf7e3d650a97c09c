"""Reads columns of Parquet or Arrow files, as a process of its own whose memory the system bounds.

A small file of these formats may ask for any amount of memory: a page may claim any size, one value may stand
for a hundred million, a buffer may unpack to a thousand times itself. Arrow allocates before anyone could
count, so the limit is the operating system's, and it ends this process and not its parent.

It imports nothing of Namewright, so that it starts from its file alone. Its argument is JSON: path, format,
limit, max_row_bytes, max_bytes. It writes to standard output a line of JSON, name and kind of every column;
reads from standard input a line of JSON, the columns to read: [name, count or null, those of the row filter];
and writes an Arrow stream of `name`, `count` and the filter's columns as text. If it fails, its exit code
tells how, and the last line of standard error what was seen.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

MEMORY_BYTES = 2 << 30  # of addresses; about 300 MB of them are for code
BATCH_ROWS = 1 << 13
BATCH_BYTES = 4 << 20  # of text that is sent at once
DAMAGED, TOO_LARGE, TOO_LONG, NOT_UTF8, FEATHER_1, TOO_MANY_BYTES = 3, 4, 5, 6, 7, 8  # exit codes


class _Failure(Exception):
    """The exit code, and what was seen."""


def main() -> None:
    """Serve the columns of one file within the memory limit."""
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)  # only root may raise it
    most = MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(MEMORY_BYTES, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops at a safe place
    try:
        _serve(json.loads(sys.argv[1]))
    except BrokenPipeError:
        _exit(0, "the parent wants no more")
    except _Failure as fault:
        _exit(*fault.args)
    except MemoryError as fault:  # Arrow's own is one
        _exit(TOO_LARGE, str(fault))
    except Exception as fault:  # a file that is not what it says makes Arrow raise a dozen kinds
        _exit(DAMAGED, str(fault))
    _exit(0, "")


def _exit(exit_code: int, saw: str) -> None:
    """End at once, without waiting for Arrow's threads."""
    sys.stderr.write(" ".join(saw[:1000].split()) + "\n")
    sys.stderr.flush()
    os._exit(exit_code)


def _serve(request: dict[str, Any]) -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with pa.OSFile(os.fsencode(request["path"])) as file:
        table = (_Parquet if request["format"] == "parquet" else _Arrow)(file)
        columns = [[field.name, _kind(field.type)] for field in table.schema]
        sys.stdout.buffer.write(json.dumps(columns).encode() + b"\n")
        sys.stdout.buffer.flush()
        wanted = json.loads(sys.stdin.readline())
        filtered = [(f"where {place}", pa.string()) for place in range(len(wanted) - 2)]
        answer = pa.schema([("name", pa.string()), ("count", pa.float64()), *filtered])
        with pa.ipc.new_stream(sys.stdout.buffer, answer) as stream:
            sent = 0
            is_counted = request["limit"] is not None
            for batch in table.batches(list(dict.fromkeys(filter(None, wanted)))):
                longest = 0 if is_counted else _longest(batch, wanted[0])
                if longest <= request["max_row_bytes"] and longest * table.rows > request["max_bytes"]:
                    _check_repeated_values(table, wanted[0], request["max_bytes"])
                    is_counted = True
                left = len(batch) if request["limit"] is None else request["limit"] - sent
                for part in _parts(batch[:left], wanted, sent, request["max_row_bytes"]):
                    stream.write_batch(pa.record_batch(part, answer))
                    sys.stdout.buffer.flush()
                sent += len(batch)
                if request["limit"] is not None and sent >= request["limit"]:
                    break
        sys.stdout.buffer.flush()


class _Parquet:
    def __init__(self, file: Any) -> None:
        import pyarrow.parquet as pq

        self._file = file
        # A column chunk is read piece by piece. Its page checksums, if it has any, are compared.
        self._options = {"buffer_size": 1 << 20, "page_checksum_verification": True}
        parquet = pq.ParquetFile(file, **self._options)
        self.schema, self.rows = parquet.schema_arrow, parquet.metadata.num_rows

    def batches(self, columns: list[str]) -> Iterator[Any]:
        """The names stay a dictionary where they are one, so that a repeated value is in memory once."""
        import pyarrow.parquet as pq

        with_dictionary = pq.ParquetFile(self._file, read_dictionary=columns[:1], **self._options)
        yield from with_dictionary.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)


class _Arrow:
    """Arrow's file format, which is Feather 2, or its stream format, as Hugging Face's data sets write it."""

    def __init__(self, file: Any) -> None:
        beginning = file.read(8)
        file.seek(0)
        if beginning.startswith(b"FEA1"):
            raise _Failure(FEATHER_1, "its first bytes are FEA1")
        self._file, self._is_stream = file, not beginning.startswith(b"ARROW1")
        self.rows = 1 << 40  # it is not said at the beginning
        self.schema = self._reader().schema

    def _reader(self, **options: Any) -> Any:
        import pyarrow as pa

        self._file.seek(0)
        options = pa.ipc.IpcReadOptions(use_threads=False, **options)
        return (pa.ipc.open_stream if self._is_stream else pa.ipc.open_file)(self._file, options=options)

    def batches(self, columns: list[str]) -> Iterator[Any]:
        reader = self._reader(included_fields=sorted(self.schema.names.index(column) for column in columns))
        batches = reader if self._is_stream else map(reader.get_batch, range(reader.num_record_batches))
        for batch in batches:
            _check(batch)
            for start in range(0, len(batch), BATCH_ROWS):
                yield batch[start : start + BATCH_ROWS]


def _longest(batch: Any, names: str) -> int:
    """The bytes of the longest value that rows may share; 0 where each has its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = batch.column(names)
    if not pa.types.is_dictionary(column.type):
        return 0
    return pc.max(pc.binary_length(column.dictionary.cast(pa.large_binary()))).as_py() or 0


def _check_repeated_values(table: Any, names: str, max_bytes: int) -> None:
    """Find a few long values that are meant a million times, before they are sent a million times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text_bytes = 0
    for batch in table.batches([names]):
        column = batch.column(names)
        if not pa.types.is_dictionary(column.type):
            return
        lengths = pc.binary_length(column.dictionary.cast(pa.large_binary()))
        text_bytes += pc.sum(lengths.take(column.indices)).as_py() or 0
        if text_bytes > max_bytes:
            raise _Failure(TOO_MANY_BYTES, f"{text_bytes:,} bytes and more")


def _check(batch: Any) -> None:
    """Find offsets that point elsewhere before anything follows them."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as fault:
        raise _Failure(NOT_UTF8 if "UTF8" in str(fault) else DAMAGED, str(fault)) from fault


def _kind(type: Any) -> str:
    """`text`, `number`, or Arrow's word for another type."""
    import pyarrow as pa

    of = type.value_type if pa.types.is_dictionary(type) else type
    if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of):
        return "text"
    is_number = pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type)
    return "number" if is_number else str(type)


def _parts(batch: Any, wanted: list[str], before: int, max_row_bytes: int) -> Iterator[list[Any]]:
    """The batch in parts of bounded size, as plain text, float64, and text.

    before:  how many rows were read before these.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    names = batch.column(wanted[0])
    counts = pa.nulls(len(batch)) if wanted[1] is None else batch.column(wanted[1])
    if pa.types.is_dictionary(names.type):
        lengths = pc.binary_length(names.dictionary.cast(pa.large_binary())).take(names.indices)
    else:
        lengths = pc.binary_length(names.cast(pa.large_binary()))
    # By its buffers: fill_null, and a to_numpy that copies, import pandas where there is one, for seconds.
    is_valid, lengths = pc.is_valid(lengths).buffers()[1], lengths.cast(pa.int64()).buffers()[1]
    valid_bits = np.unpackbits(np.frombuffer(is_valid, np.uint8), bitorder="little")
    lengths = np.frombuffer(lengths, np.int64)[: len(batch)] * valid_bits[: len(batch)]
    for place in np.flatnonzero(lengths > max_row_bytes)[:1]:
        raise _Failure(TOO_LONG, f"row {before + place + 1:,}")
    begins_part = np.diff(np.cumsum(lengths) // BATCH_BYTES, prepend=-1) != 0
    starts = np.flatnonzero(begins_part).tolist()
    for start, stop in zip(starts, [*starts[1:], len(batch)], strict=True):
        text = names[start:stop]
        text = text.dictionary_decode() if pa.types.is_dictionary(text.type) else text
        text = text.cast(pa.large_binary()).cast(pa.binary())
        filtered = [batch.column(column)[start:stop].cast(pa.string()) for column in wanted[2:]]
        yield [_checked(text, before + start), counts[start:stop].cast(pa.float64(), safe=False), *filtered]


def _checked(text: Any, before: int) -> Any:
    import pyarrow as pa

    try:
        return text.cast(pa.string())
    except pa.ArrowInvalid:
        for row, value in enumerate(text.to_pylist(), start=before + 1):
            try:
                (value or b"").decode()
            except UnicodeDecodeError as fault:
                raise _Failure(NOT_UTF8, f"row {row:,}: {value[:80]!r}") from fault
        raise


if __name__ == "__main__":
    main()
