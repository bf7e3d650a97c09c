"""Files that unpack to far more than they are: one error each, and no more memory than is said."""

import bz2
import gzip
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from data.reading.table_process import MEMORY_BYTES

MIB = 1 << 20
SPARE = 512 * MIB  # what Python, Arrow and a few blocks take
READ = """
import json, re, resource, sys
from pathlib import Path
from rnn_core.errors import DataError
from tasks import stages
from tasks.config.settings import Settings
from tasks.config.sources import Source
source, settings = Source("list", sys.argv[1], **json.loads(sys.argv[2])), Settings(store=Path(sys.argv[3]))
try:
    made, _ = stages.corpus.produce(settings, source.reading, lambda event: None, {}, file=source.files)
    outcome = made.manifest().rows
except DataError as refusal:
    outcome = refusal.code
# Its own peak, since RUSAGE_SELF begins with that of the process that started it.
own = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
peaks = [own << 10, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10]
print(json.dumps([outcome, *peaks]))
"""
COMPRESS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda text: pa.compress(text, "zstd", asbytes=True),
}


def read(path, **knobs):
    """How many names are in the artifact, or the error's code; and the peak memory of the stage and its
    children."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), json.dumps(knobs), str(path.with_name("store"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_line_of_a_gigabyte_ends_in_one_error_and_little_memory(tmp_path):
    path = tmp_path / "list.txt"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # a hole, which reads as NUL
    outcome, peak, _ = read(path)
    assert outcome == "corpus.row_too_long"
    assert peak < SPARE


def test_memory_does_not_grow_with_the_number_of_names(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"Anastasia Maria Konstantinova\n" * 8_000_000)  # 540 MB as a table
    count, peak, _ = read(path)
    assert count == 8_000_000
    assert peak < SPARE


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\0" * 1000, "corpus.row_too_long"),
        (b"\n" * 1000, "corpus.too_large"),
        (b"Ana\n" * 250, "corpus.too_large"),
    ],
    ids=["one line", "blank lines", "names"],
)
def test_a_compressed_bomb_ends_in_one_error_and_little_memory(tmp_path, suffix, text, code):
    """A thousand parts that unpack to a gigabyte."""
    path = tmp_path / f"list.txt.{suffix}"
    path.write_bytes(COMPRESS[suffix](text * 1000) * 1000)
    outcome, peak, _ = read(path, max_bytes=64 * MIB)
    assert outcome == code
    assert peak < SPARE


@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_one_huge_value_that_is_meant_a_million_times_ends_in_one_error_and_little_memory(tmp_path, format):
    path = tmp_path / f"list.{format}"
    indices = pa.repeat(pa.scalar(0, pa.int8()), 1_000_000)
    table = pa.table({"name": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 1_000_000]))})
    if format == "parquet":
        pq.write_table(table, path, write_statistics=False)  # which compare a million values of a megabyte
    else:
        pyarrow.feather.write_feather(table, path)
    assert path.stat().st_size < 3 * MIB
    outcome, peak, peak_of_reader = read(path, max_bytes=64 * MIB)
    assert outcome == "corpus.too_large"
    assert peak < SPARE
    assert peak_of_reader < MEMORY_BYTES
    assert read(path, max_row_bytes=1000)[0] == "corpus.row_too_long"


def test_a_value_that_each_row_repeats_by_reference_ends_in_one_error_and_bounded_memory(tmp_path):
    """Parquet's DELTA_BYTE_ARRAY says of a value how much of the one before it repeats: all of it, here."""
    path = tmp_path / "list.parquet"
    batch = pa.table({"name": ["x" * 1_000_000] * 64})
    knobs = {"use_dictionary": False, "column_encoding": {"name": "DELTA_BYTE_ARRAY"}, "compression": "zstd"}
    with pq.ParquetWriter(path, batch.schema, write_statistics=False, **knobs) as writer:
        for _ in range(40):
            writer.write_batch(batch.to_batches()[0])
    outcome, peak, peak_of_reader = read(path)
    assert outcome in ("corpus.too_large", "corpus.damaged")  # Arrow may find itself that it is too much
    assert peak < SPARE
    assert peak_of_reader < MEMORY_BYTES


def test_a_table_that_lies_about_its_size_ends_in_one_error_and_bounded_memory(tmp_path):
    path = tmp_path / "list.feather"
    pyarrow.feather.write_feather(pa.table({"name": ["x" * 1_234_567]}), path, compression="zstd")
    honest = (1_234_567).to_bytes(8, "little")
    assert honest in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(honest, (1 << 40).to_bytes(8, "little")))
    outcome, peak, peak_of_reader = read(path)
    assert outcome in ("corpus.too_large", "corpus.damaged")
    assert max(peak, peak_of_reader) < MEMORY_BYTES


@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_a_table_with_a_damaged_byte_is_read_or_refused_and_never_crashes(tmp_path, format):
    path = tmp_path / f"list.{format}"
    table = pa.table({"name": [f"Ana {number}" for number in range(50)]})
    if format == "parquet":
        pq.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, path)
    whole = path.read_bytes()
    for place in range(5, len(whole), len(whole) // 6):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        assert read(path)[0] in (50, "corpus.damaged", "corpus.encoding", "corpus.too_large", "corpus.column")
