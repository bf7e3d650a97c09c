"""A generated list: the same whoever makes it, without repeats or known names if asked, in any format."""

import socket

import distributed
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from blas_threads import fresh_process
from small_lists import (
    SHORT,
    TRAINING_LIST,
    always,
    asked,
    make_list,
    manifest_of,
    rows_of,
    stamps,
)

from artifacts.dataset import Dataset
from artifacts.errors import StoreError
from artifacts.keys import sha256
from flows import hints
from rnn_core.errors import ConfigError, TrainingError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from tasks.config import generate as list_config
from tasks.config.settings import ListSettings, WorkerSettings
from tasks.engines import executors
from tasks.models import open_model
from tasks.stages import lists

COUNT = 3 * NAMES_PER_BLOCK - 20_000
SHARD_SIZES = (NAMES_PER_BLOCK, 2 * NAMES_PER_BLOCK, 4 * NAMES_PER_BLOCK)
WAYS = [
    ("plain", WorkerSettings("threads", 1)),
    ("plain", WorkerSettings("threads", 4)),
    ("plain", WorkerSettings("processes", 2)),
    ("prefect", WorkerSettings("threads", 2)),
    ("prefect", WorkerSettings("processes", 2)),
    ("prefect", WorkerSettings("dask", 2)),
]


@pytest.fixture
def made(learnt, tmp_path):
    """Makes a list in a folder of that name; the folder."""

    def make(name="list", overwrite=False, **knobs):
        settings = ListSettings(store=learnt, output=tmp_path / name, overwrite=overwrite)
        make_list(asked(**knobs), settings)
        return tmp_path / name

    return make


@pytest.fixture(scope="module")
def expected(learnt):
    """The names of a list, by a model without stages around it."""
    return open_model(store=learnt).draw(COUNT, max_length=6, truncate=True)


@pytest.fixture(scope="module")
def content(learnt, tmp_path_factory):
    """Of the same list, made in one shard by one thread, of the names alone."""
    output = tmp_path_factory.mktemp("alone")
    config = asked(count=COUNT, shard_size=16 * NAMES_PER_BLOCK, format="txt")
    make_list(config, ListSettings(store=learnt, output=output, workers=WorkerSettings("threads", 1)))
    return content_of(output)


@pytest.fixture(scope="module")
def log_probabilities():
    """Digests of those of the names of that list."""
    return set()


@pytest.mark.parametrize(
    ("engine", "workers"), WAYS, ids=[f"{engine}-{each.runner}-{each.workers}" for engine, each in WAYS]
)
def test_a_list_has_the_same_content_whoever_makes_it_and_in_shards_of_any_size(
    engine, workers, learnt, expected, content, log_probabilities, tmp_path, monkeypatch, request
):
    def by_prefect(config, settings):
        from flows.generate import generate

        generate(config, settings)

    if engine == "prefect":
        request.getfixturevalue("prefect_url")
    kind = "task_runner" if engine == "prefect" else "executor"
    make = by_prefect if engine == "prefect" else make_list
    contents = set()
    with fresh_process(monkeypatch, threads=2), getattr(executors, kind)(workers) as hired:
        monkeypatch.setattr(executors, kind, always(hired))
        if workers.runner == "dask":
            check_it_is_closed(hired.pool.client.scheduler.address)
        for size in SHARD_SIZES:
            output = tmp_path / str(size)
            make(
                asked(count=COUNT, shard_size=size),
                ListSettings(store=learnt, output=output, workers=workers),
            )
            assert len(list(output.glob("part-*.parquet"))) == -(-COUNT // size)
            rows = rows_of(output)
            assert rows["index"].to_numpy().tolist() == list(range(COUNT))
            assert rows["name"].combine_chunks().equals(expected)
            contents.add(manifest_of(output).metadata["content"])
            log_probabilities.add(sha256(rows["log_probability"].to_numpy().tobytes()))
    assert contents == {content}
    assert len(log_probabilities) == 1  # of all ways so far, to the last bit


def check_it_is_closed(scheduler):
    """Only this run's certificates open it: who can connect has any code run."""
    assert scheduler.startswith("tls://127.0.0.1:")
    for address, security in (
        (scheduler.replace("tls", "tcp"), None),
        (scheduler, distributed.security.Security.temporary()),
    ):
        with pytest.raises((OSError, AssertionError)):
            distributed.Client(address, security=security, timeout=2)
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", 8787), timeout=2):
        pass  # Dask's dashboard


def content_of(folder):
    return manifest_of(folder).metadata["content"]


def test_the_same_command_again_finds_the_list_and_a_shard_that_is_gone_or_damaged_is_made_again_alone(
    made, learnt
):
    folder = made(count=COUNT)
    before, rows = stamps(folder), rows_of(folder)
    settings = ListSettings(store=learnt, output=folder)
    assert make_list(asked(count=COUNT), settings)
    (folder / "part-00000.parquet").unlink()
    content = bytearray((folder / "part-00001.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "part-00001.parquet").write_bytes(content)
    told = []
    assert not make_list(asked(count=COUNT), settings, told.append)
    after = stamps(folder)
    kept = {path for path in before if after[path] == before[path]}
    assert len(before) == len(after) == 6
    assert len(kept) == 2  # the third shard and its manifest
    assert any("part-00002" in path for path in kept)
    assert sum("damaged" in str(event) for event in told) == 2
    assert rows_of(folder).equals(rows)


def test_a_shard_is_the_same_in_a_longer_list(made):
    short, long = made("short", count=2 * NAMES_PER_BLOCK), made("long", count=3 * NAMES_PER_BLOCK)
    names = [pq.read_table(folder / "part-00001.parquet")["name"] for folder in (short, long)]
    assert names[0].equals(names[1])


def test_a_row_tells_the_length_of_a_name_whether_it_is_known_from_which_list_and_how_probable(made, learnt):
    rows = rows_of(made(count=NAMES_PER_BLOCK, max_length=3))
    assert rows.column_names == [column for column in list_config.COLUMNS if column != "style"]
    assert rows["length"].to_pylist() == [len(name) for name in rows["name"].to_pylist()]
    known = pc.is_in(rows["name"], pa.array(TRAINING_LIST))
    assert rows["in_training"].combine_chunks().equals(known.combine_chunks())
    assert set(rows.filter(known)["source"].to_pylist()) == {"people"}
    assert rows.filter(pc.invert(known))["source"].null_count == len(rows) - pc.sum(known).as_py()
    few = rows.filter(pc.less(rows["length"], 3)).slice(0, 100)  # a name of three may have been cut off
    scores = open_model(store=learnt).log_probabilities(few["name"])
    assert few["log_probability"].to_numpy() == pytest.approx(scores, abs=1e-4)


def test_no_name_of_a_unique_list_comes_twice_and_they_are_the_first_different_ones(
    made, learnt, monkeypatch
):
    monkeypatch.setattr(list_config, "NAMES_PER_PARTITION", 1 << 14)
    folder = made(count=100_000, unique=True, max_length=4, columns=("index", "name"))
    found = duckdb.sql(
        f"select count(*), count(distinct name), min(index), max(index) from '{folder}/*.parquet'"
    ).fetchall()
    assert found == [(100_000, 100_000, 0, 99_999)]
    drawn = open_model(store=learnt).draw(20 * NAMES_PER_BLOCK, max_length=4, truncate=True)
    assert rows_of(folder)["name"].to_pylist() == list(dict.fromkeys(drawn.to_pylist()))[:100_000]


def test_it_takes_several_rounds_to_find_many_different_names(learnt, tmp_path):
    told = []
    settings = ListSettings(store=learnt, output=tmp_path / "list")
    make_list(asked(count=2 * NAMES_PER_BLOCK, unique=True, max_length=4), settings, told.append)
    titles = [event.title for event in told if type(event).__name__ == "Finished"]
    assert "let_in 00000" in titles
    assert titles.count("let_in 00000") > 1
    assert sorted(path.name for path in (tmp_path / "list" / "__namewright__").iterdir()) == [
        "lock", "manifest.json", "request.json", "shards",
    ]  # fmt: skip


@pytest.mark.parametrize("capitalise", [False, True])
@pytest.mark.parametrize("distance", [0, 1])
def test_no_name_of_a_novel_list_is_in_the_training_list_or_too_near_to_one_of_it(made, distance, capitalise):
    near = f"from '{{}}/*.parquet' l, known k where levenshtein(l.name, k.name) <= {distance}"
    connection = duckdb.connect()
    connection.register("known", pa.table({"name": SHORT}))
    knobs = {"count": NAMES_PER_BLOCK, "max_length": 3, "columns": ("name",), "capitalise_first": capitalise}
    any_names, novel = made("any", **knobs), made("novel", novel=True, novel_distance=distance, **knobs)
    ((found,),) = connection.sql(f"select count(*) {near.format(any_names)}").fetchall()
    assert found > 0
    assert connection.sql(f"select count(*) {near.format(novel)}").fetchall() == [(0,)]
    assert len(rows_of(novel)) == NAMES_PER_BLOCK


def test_a_model_that_has_too_few_names_says_how_many_and_what_to_change_or_writes_those_if_asked(made):
    knobs = {"count": 5000, "unique": True, "max_length": 2, "columns": ("name",)}
    with pytest.raises(TrainingError) as few:
        made(**knobs)
    assert (few.value.code, few.value.exit_code) == ("sampling.too_few", 5)
    found = int(few.value.where.partition(" of 5,000 ")[0].replace(",", ""))
    assert "--fewer" in hints.message(few.value, "generate")
    folder = made(**knobs, fewer=True)
    assert len(rows_of(folder)) == found == manifest_of(folder).metadata["names"]
    with pytest.raises(TrainingError, match=r"sampling\.too_few"):
        made(**knobs)


def test_a_list_that_is_whole_loses_what_led_to_it_even_if_its_run_was_killed_before(made, monkeypatch):
    knobs = {"count": 500, "unique": True}
    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "remove_leftovers", lambda _self: None)
        folder = made(**knobs)
    assert (folder / "__namewright__" / "candidates").exists()
    made(**knobs)
    assert {path.name for path in (folder / "__namewright__").iterdir()} == {
        "request.json", "manifest.json", "shards", "lock",
    }  # fmt: skip


def test_the_manifest_of_a_sifted_list_tells_the_kernels_that_drew_its_names(made, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(lists, "_kernel", lambda: "another kernel")
        with pytest.raises(TrainingError, match=r"sampling\.too_few"):
            made(count=5000, unique=True, max_length=2)
    folder = made(count=5000, unique=True, max_length=2, fewer=True)
    assert manifest_of(folder).metadata["kernels"] == ["another kernel"]


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl", "txt"])
def test_a_list_of_no_names_is_whole_and_valid(made, format):
    folder = made(count=0, format=format)
    assert (folder / "_SUCCESS").exists()
    assert [path.name for path in folder.glob("part-*")] == [f"part-00000.{format}"]
    assert manifest_of(folder).metadata["names"] == 0
    if format == "parquet":
        assert rows_of(folder).column_names == [column for column in list_config.COLUMNS if column != "style"]


@pytest.mark.parametrize("format", ["csv", "jsonl", "txt"])
def test_every_format_holds_the_same_names(made, format):
    folder, parquet = made("text", count=3000, format=format), made("parquet", count=3000)
    path = folder / f"part-00000.{format}"
    names = {
        "csv": lambda: duckdb.read_csv(str(path)).select("name").fetchall(),
        "jsonl": lambda: duckdb.read_json(str(path)).select("name").fetchall(),
        "txt": lambda: [(line,) for line in path.read_text("utf-8").split("\n")[:-1]],
    }[format]()
    assert [name for (name,) in names] == rows_of(parquet)["name"].to_pylist()
    assert content_of(folder) == content_of(parquet)


def test_another_list_is_replaced_only_if_asked_and_what_is_no_list_never(made, tmp_path):
    folder = made(count=10)
    with pytest.raises(StoreError, match=r"list\.another"):
        made(count=11)
    assert len(rows_of(folder)) == 10
    assert len(rows_of(made(count=11, overwrite=True))) == 11
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-ana.txt").write_text("Dear Ana")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match=r"list\.foreign"):
            made("letters", count=10, overwrite=overwrite)
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["to-ana.txt"]


def test_a_model_file_alone_is_enough_but_for_what_needs_its_training_list(learnt, tmp_path):
    (file,) = (learnt / "mixture").glob("*/model.npz")
    alone = tmp_path / "model.npz"
    alone.write_bytes(file.read_bytes())
    settings = ListSettings(model=str(alone), store=tmp_path / "nowhere", output=tmp_path / "list")
    make_list(asked(count=100), settings)
    assert rows_of(tmp_path / "list").column_names == ["index", "name", "log_probability", "length"]
    for knobs in ({"novel": True}, {"columns": ("source",)}):
        with pytest.raises(ConfigError, match=r"config\.training_list"):
            make_list(asked(count=100, **knobs), settings)
