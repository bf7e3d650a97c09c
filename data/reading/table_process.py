"""A process of its own that reads a column of Parquet or Feather, in memory that the system bounds.

A small file of these formats may ask for any amount of memory: a page may claim any size, one value may be
meant a hundred million times, a buffer may unpack to a thousand times itself. Arrow allocates before anyone
could count, so the limit is the operating system's, and what ends there is this process and not its parent.

It imports nothing of ours, so that it starts from its file alone. Its argument is JSON: path, format, limit,
max_row_bytes. It answers on standard output with a line of JSON, name and kind of every column; is told on
standard input by a line of JSON which to read, as [name, count or null]; and answers with an Arrow stream of
`name` and `count`. If it fails, its exit code tells how, and the last line of standard error what was seen.
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
DAMAGED, TOO_LARGE, TOO_LONG, NOT_UTF8 = 3, 4, 5, 6  # exit codes


class _Failed(Exception):
    """exit_code, and what was seen."""


def main() -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)  # to raise it is not for everyone
    most = MEMORY_BYTES if allowed == resource.RLIM_INFINITY else min(MEMORY_BYTES, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops at a safe place
    try:
        _answer(json.loads(sys.argv[1]))
    except BrokenPipeError:
        _leave(0, "the parent has had enough")
    except _Failed as fault:
        _leave(*fault.args)
    except MemoryError as fault:  # Arrow's own is one
        _leave(TOO_LARGE, str(fault))
    except Exception as fault:  # a file that is not what it says makes Arrow raise a dozen kinds
        _leave(DAMAGED, str(fault))
    _leave(0, "")


def _leave(exit_code: int, saw: str) -> None:
    """At once: no thread of Arrow's is waited for."""
    sys.stderr.write(" ".join(saw[:1000].split()) + "\n")
    sys.stderr.flush()
    os._exit(exit_code)


def _answer(asked: dict[str, Any]) -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with pa.OSFile(os.fsencode(asked["path"])) as file:
        table = (_Parquet if asked["format"] == "parquet" else _Feather)(file)
        columns = [[field.name, _kind(field.type)] for field in table.schema]
        sys.stdout.buffer.write(json.dumps(columns).encode() + b"\n")
        sys.stdout.buffer.flush()
        wanted = json.loads(sys.stdin.readline())
        answer = pa.schema([("name", pa.string()), ("count", pa.float64())])
        with pa.ipc.new_stream(sys.stdout.buffer, answer) as stream:
            sent = 0
            for batch in table.batches([column for column in wanted if column is not None]):
                left = len(batch) if asked["limit"] is None else asked["limit"] - sent
                for part in _parts(batch[:left], wanted, sent, asked["max_row_bytes"]):
                    stream.write_batch(pa.record_batch(part, answer))
                    sys.stdout.buffer.flush()
                sent += len(batch)
                if asked["limit"] is not None and sent >= asked["limit"]:
                    break
        sys.stdout.buffer.flush()


class _Parquet:
    def __init__(self, file: Any) -> None:
        import pyarrow.parquet as pq

        self._file = file
        # A column chunk is read piece by piece. Its page checksums, if it has any, are compared.
        self._knobs = {"buffer_size": 1 << 20, "page_checksum_verification": True}
        self._opened = pq.ParquetFile(file, **self._knobs)
        self.schema = self._opened.schema_arrow

    def batches(self, columns: list[str]) -> Iterator[Any]:
        """The names stay a dictionary where they are one: a value that is meant often is there once."""
        import pyarrow.parquet as pq

        with_dictionary = pq.ParquetFile(self._file, read_dictionary=columns[:1], **self._knobs)
        yield from with_dictionary.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)


class _Feather:
    def __init__(self, file: Any) -> None:
        import pyarrow as pa

        self._file = file
        self.schema = pa.ipc.open_file(file).schema

    def batches(self, columns: list[str]) -> Iterator[Any]:
        import pyarrow as pa

        fields = sorted(self.schema.names.index(column) for column in columns)
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)
        opened = pa.ipc.open_file(self._file, options=options)
        for number in range(opened.num_record_batches):
            batch = opened.get_batch(number)
            _check(batch)
            for start in range(0, len(batch), BATCH_ROWS):
                yield batch[start : start + BATCH_ROWS]


def _check(batch: Any) -> None:
    """Offsets that point elsewhere are found before anyone follows them."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as fault:
        raise _Failed(NOT_UTF8 if "UTF8" in str(fault) else DAMAGED, str(fault)) from fault


def _kind(type: Any) -> str:
    """`text`, `number`, or how Arrow calls another type."""
    import pyarrow as pa

    of = type.value_type if pa.types.is_dictionary(type) else type
    if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of):
        return "text"
    is_number = pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type)
    return "number" if is_number else str(type)


def _parts(batch: Any, wanted: list[str], before: int, max_row_bytes: int) -> Iterator[list[Any]]:
    """The batch in parts of bounded size, as plain text and float64.

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
    # Nulls make it floats. Not pc.fill_null: that imports pandas where there is one, which takes a second.
    lengths = np.nan_to_num(lengths.to_numpy(zero_copy_only=False)).astype(np.int64)
    for place in np.flatnonzero(lengths > max_row_bytes)[:1]:
        raise _Failed(TOO_LONG, f"row {before + place + 1:,}")
    begins_part = np.diff(np.cumsum(lengths) // BATCH_BYTES, prepend=-1) != 0
    starts = np.flatnonzero(begins_part).tolist()
    for start, stop in zip(starts, [*starts[1:], len(batch)], strict=True):
        text = names[start:stop]
        text = text.dictionary_decode() if pa.types.is_dictionary(text.type) else text
        text = text.cast(pa.large_binary()).cast(pa.binary())
        yield [_checked(text, before + start), counts[start:stop].cast(pa.float64(), safe=False)]


def _checked(text: Any, before: int) -> Any:
    import pyarrow as pa

    try:
        return text.cast(pa.string())
    except pa.ArrowInvalid:
        for row, value in enumerate(text.to_pylist(), start=before + 1):
            try:
                (value or b"").decode()
            except UnicodeDecodeError as fault:
                raise _Failed(NOT_UTF8, f"row {row:,}: {value[:80]!r}") from fault
        raise


if __name__ == "__main__":
    main()
