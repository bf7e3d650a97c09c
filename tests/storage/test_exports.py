import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import exports, formats
from artifacts.exports import Format
from rnn_core.errors import DataError

FORMATS: tuple[Format, ...] = get_args(Format)
SOURCES = pa.array(["argentina", "dinosaurs"])
PLAIN = {
    "index": pa.int64(),
    "name": pa.string(),
    "log_probability": pa.float64(),
    "length": pa.int32(),
    "in_training": pa.bool_(),
    "source": pa.string(),
}
# Arrow and pandas pass over a folder with one underscore in front, Hugging Face over one with two. Otherwise
# it takes JSON files for the list when they are more than the Parquet files, as they are here.
BESIDE = "__namewright__"
Write = Callable[..., Path]


def listed(start: int, stop: int) -> pa.Table:
    """Rows of a list as `generate` makes them; every third name has a source."""
    index = np.arange(start, stop)
    names = pa.array([f"Ñame {number}" for number in index], pa.string())
    columns = {
        "index": pa.array(index, pa.int64()),
        "name": names,
        "log_probability": pa.array(-np.sqrt(index + 2.0)),
        "length": pa.compute.utf8_length(names),
        "in_training": pa.array(index % 3 == 0),
        "source": pa.DictionaryArray.from_arrays(
            pa.array(index // 3 % 2, pa.int32(), mask=index % 3 != 0), SOURCES
        ),
    }
    described = [
        pa.field(name, column.type, metadata={"description": f"The {name}."})
        for name, column in columns.items()
    ]
    return pa.table(list(columns.values()), schema=pa.schema(described, metadata={"kept": "before"}))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(table: pa.Table, format: Format, **metadata: str) -> Path:
        path = tmp_path / f"names.{format}"
        exports.write(path, table, format, metadata)
        return path

    return written


@pytest.fixture(scope="module")
def expected() -> pa.Table:
    return listed(0, 2500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, expected: pa.Table) -> Path:
    """Three shards, and beside them what says that the list is whole and how it was made."""
    folder: Path = tmp_path_factory.mktemp("lists") / "first names"
    about = folder / BESIDE / "shard"
    about.mkdir(parents=True)
    for number in range(3):
        rows = expected.slice(1000 * number, 1000)
        exports.write(folder / f"part-{number:05}.parquet", rows, "parquet", {"run": "one"})
        (about / f"{number}.json").write_text('{"rows": [1000]}', encoding="utf-8")
    (folder / BESIDE / "manifest.json").write_text('{"rows": 2500}', encoding="utf-8")
    (folder / "_SUCCESS").touch()
    return folder


def plain(table: pa.Table) -> pa.Table:
    """Without what the readers hold differently: kinds of strings, dictionaries, descriptions."""
    return table.select(list(PLAIN)).cast(pa.schema(PLAIN)).combine_chunks()


@pytest.mark.parametrize(
    "read",
    [
        pq.read_table,
        lambda folder: pa.dataset.dataset(folder).to_table(),
        lambda folder: pa.dataset.dataset(folder).to_table(filter=pa.compute.field("index") >= 0),
    ],
    ids=["read_table", "dataset", "filtered dataset"],
)
def test_pyarrow_reads_a_folder_whole_in_order_and_with_its_types(folder, expected, read):
    table = read(folder)
    assert table.schema.equals(expected.schema)
    assert plain(table) == plain(expected)


@pytest.mark.parametrize(
    "read",
    [
        lambda folder: pl.read_parquet(folder / "*.parquet"),
        lambda folder: pl.scan_parquet(folder / "*.parquet").collect(),
        lambda folder: pl.scan_parquet(folder / "**" / "*.parquet").collect(engine="streaming"),
    ],
    ids=["read", "scan", "streaming"],
)
def test_polars_reads_the_files_of_a_folder_whole_in_order_and_with_their_types(folder, expected, read):
    frame = read(folder)
    assert frame.dtypes == [pl.Int64, pl.String, pl.Float64, pl.Int32, pl.Boolean, pl.Categorical]
    assert plain(frame.to_arrow()) == plain(expected)


def test_polars_refuses_a_folder_that_says_how_it_was_made_and_asks_for_a_pattern(folder):
    with pytest.raises(pl.exceptions.InvalidOperationError, match="glob pattern"):
        pl.read_parquet(folder)


@pytest.mark.parametrize("files", ["", "/*.parquet", "/**/*.parquet"])
def test_duckdb_reads_a_folder_whole_in_order_and_with_its_types(folder, expected, files):
    relation = duckdb.connect().from_parquet(f"{folder}{files}")
    assert relation.types == ["BIGINT", "VARCHAR", "DOUBLE", "INTEGER", "BOOLEAN", "VARCHAR"]
    assert plain(relation.to_arrow_table()) == plain(expected)


def test_duckdb_finds_a_name_by_its_number(folder):
    found = duckdb.connect().sql(f"SELECT name FROM '{folder}/*.parquet' WHERE index = 1234")
    assert found.fetchall() == [("Ñame 1234",)]


def test_pandas_reads_a_folder_whole_in_order_and_with_its_types(folder, expected):
    frame = pd.read_parquet(folder)
    assert [str(dtype) for dtype in frame.dtypes] == ["int64", "str", "float64", "int32", "bool", "category"]
    assert plain(pa.Table.from_pandas(frame)) == plain(expected)


@pytest.mark.parametrize(
    ("what", "files"),
    [(["{}"], {}), (["parquet"], {"data_files": "{}/*.parquet"})],
    ids=["folder", "files"],
)
def test_hugging_face_reads_a_folder_whole_in_order_and_with_its_types(
    folder, expected, hugging_face, what, files
):
    filled = {name: pattern.format(folder) for name, pattern in files.items()}
    dataset = hugging_face(*[each.format(folder) for each in what], **filled)
    types = {name: pa.type_for_alias(feature.dtype) for name, feature in dataset.features.items()}
    assert types == PLAIN
    assert plain(dataset.with_format("arrow")[:]) == plain(expected)


def test_hugging_face_streams_the_files_of_a_folder(folder, expected, hugging_face):
    stream = hugging_face("parquet", data_files=f"{folder}/*.parquet", streaming=True)
    assert list(stream) == plain(expected).to_pylist()


def test_a_parquet_file_says_what_was_asked_beside_what_its_columns_mean(write, expected):
    schema = pq.read_schema(write(expected, "parquet", run="one", model="ñ"))
    assert {b"kept": b"before", b"run": b"one", b"model": "ñ".encode()}.items() <= schema.metadata.items()
    assert [field.metadata[b"description"].decode() for field in schema] == [f"The {name}." for name in PLAIN]


def test_damage_to_any_column_of_a_parquet_file_is_found(write, expected):
    path = write(expected, "parquet")
    whole = path.read_bytes()
    group = pq.read_metadata(path).row_group(0)
    for number in range(group.num_columns):
        column = group.column(number)
        start = column.dictionary_page_offset or column.data_page_offset
        damaged = bytearray(whole)
        damaged[start + column.total_compressed_size - 1] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"artifact\.unreadable"):
            formats.read_table(path)


def test_a_shard_has_row_groups_that_engines_can_share_out(write):
    groups = pq.read_metadata(write(listed(0, 300_000), "parquet"))
    assert [groups.row_group(number).num_rows for number in range(3)] == [131_072, 131_072, 37_856]


@pytest.mark.parametrize("format", FORMATS)
def test_the_bytes_do_not_depend_on_how_the_rows_are_chunked(write, format):
    whole = listed(0, 150_000).combine_chunks()
    pieces = pa.concat_tables(whole.slice(start, 40_001) for start in range(0, whole.num_rows, 40_001))
    assert pieces["name"].num_chunks == 4
    assert write(pieces, format).read_bytes() == write(whole, format).read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_chosen_columns_are_written_in_the_order_they_come_in(write, format):
    path = write(listed(0, 3).select(["name", "index"]), format)
    assert {
        "parquet": lambda: pq.read_schema(path).names == ["name", "index"],
        "csv": lambda: path.read_text("utf-8") == '"name","index"\n"Ñame 0",0\n"Ñame 1",1\n"Ñame 2",2\n',
        "jsonl": lambda: path.read_text("utf-8").startswith('{"name":"Ñame 0","index":0}\n'),
        "txt": lambda: path.read_text("utf-8") == "Ñame 0\nÑame 1\nÑame 2\n",
    }[format]()


def test_an_empty_list_is_valid_in_every_format(write, expected):
    none = expected.slice(0, 0)
    assert pq.read_table(write(none, "parquet")).schema.equals(expected.schema)
    assert pa.csv.read_csv(write(none, "csv")).column_names == list(PLAIN)
    assert write(none, "jsonl").read_bytes() == b""
    assert write(none, "txt").read_bytes() == b""


def test_csv_comes_back_as_it_was(write, expected):
    options = pa.csv.ConvertOptions(
        column_types=PLAIN, strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    read = pa.csv.read_csv(write(expected, "csv"), convert_options=options)
    assert read.combine_chunks() == plain(expected)


def test_json_lines_come_back_as_they_were(write, expected):
    options = pa.json.ParseOptions(explicit_schema=pa.schema(PLAIN))
    read = pa.json.read_json(write(expected, "jsonl"), parse_options=options)
    assert read.combine_chunks() == plain(expected)
    assert plain(duckdb.connect().read_json(str(write(expected, "jsonl"))).to_arrow_table()) == plain(
        expected
    )


ANY_COLUMNS = {
    'a "name"\n': pa.string(),
    "number": pa.int64(),
    "value": pa.float64(),
    "known": pa.bool_(),
    "source": pa.dictionary(pa.int32(), pa.string()),
}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\b\n\r\t\x00\x1f\x7f/'))


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                'a "name"\n': ANY_TEXT,
                "number": st.integers(-(2**63), 2**63 - 1),
                "value": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "known": st.none() | st.booleans(),
                "source": st.none() | ANY_TEXT,
            }
        ),
        min_size=1,
    )
)
def test_every_line_of_json_says_what_its_row_holds(tmp_path_factory, rows):
    table = pa.Table.from_pylist(rows, schema=pa.schema(ANY_COLUMNS))
    path = tmp_path_factory.mktemp("lines") / "names.jsonl"
    exports.write(path, table, "jsonl", {})
    lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == rows


def test_a_number_that_json_does_not_have_is_null(write):
    path = write(pa.table({"log_probability": [math.nan, -math.inf, -1.5]}), "jsonl")
    values = [json.loads(line)["log_probability"] for line in path.read_text("utf-8").splitlines()]
    assert values == [None, None, -1.5]


@pytest.mark.parametrize("format", ["csv", "jsonl", "txt"])
def test_text_is_written_in_memory_that_does_not_grow_with_the_list(write, format):
    def peak(table: pa.Table) -> int:
        usual = pa.default_memory_pool()
        counting = pa.proxy_memory_pool(usual)
        pa.set_memory_pool(counting)
        try:
            write(table, format)
        finally:
            pa.set_memory_pool(usual)
        return counting.max_memory()

    rows = listed(0, 1 << 18).combine_chunks()
    assert peak(rows) < 1.1 * peak(rows.slice((1 << 18) - (1 << 16)))
