"""A list of names in a folder that others open as a whole: its shards, and what says that it is whole."""

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from small_artifacts import recipe_of

from artifacts import atomic_io
from artifacts.dataset import SUCCESS, Dataset, Shards, part_file
from artifacts.errors import StoreError
from artifacts.store import Artifact

LIST = recipe_of("generated", model="one")
SHARDS = 3


def never():
    pytest.fail("nobody else holds it")


def shard(dataset, number):
    """Its recipe, and the artifact if it is there."""
    recipe = recipe_of("shard", number=str(number))
    return recipe, Shards(dataset.work).examine(recipe.stage, recipe.key)[0]


def put_shard(dataset, number, names=("Ana", "Bea")):
    store, (recipe, _) = Shards(dataset.work), shard(dataset, number)
    draft = store.writer(recipe.stage, recipe.key)
    table = pa.table({"index": [2 * number, 2 * number + 1], "name": list(names)})
    draft.write_names(part_file(number, "parquet"), table, "parquet", {"namewright.key": recipe.key})
    return store.commit(draft, recipe, origins={}, seconds=0.1, run={})


def finish(dataset, shards):
    return dataset.finish(
        LIST, shards, metadata={"names": 6}, origins={}, seconds=1.0, run={"engine": "plain"}
    )


@pytest.fixture
def whole(tmp_path):
    dataset = Dataset(tmp_path / "names")
    with dataset.claim(LIST, False, never):
        finish(dataset, [put_shard(dataset, number) for number in range(SHARDS)])
    return dataset


READERS = {
    "pyarrow": lambda folder, _: pq.read_table(folder),
    "pyarrow.dataset": lambda folder, _: pa.dataset.dataset(folder).to_table(),
    "pandas": lambda folder, _: pa.Table.from_pandas(pd.read_parquet(folder), preserve_index=False),
    "duckdb": lambda folder, _: duckdb.connect().from_parquet(str(folder)).to_arrow_table(),
    "polars": lambda folder, _: pl.read_parquet(folder / "*.parquet").to_arrow(),
    "datasets": lambda folder, hugging_face: hugging_face(str(folder)).with_format("arrow")[:],
}


@pytest.mark.parametrize("reader", READERS)
def test_a_whole_list_is_one_table_to_everyone(whole, hugging_face, reader):
    table = READERS[reader](whole.folder, hugging_face)
    assert table["index"].to_pylist() == list(range(2 * SHARDS))
    assert table["name"].to_pylist() == ["Ana", "Bea"] * SHARDS


def test_a_manifest_beside_the_files_would_be_taken_for_one_of_them(whole):
    (whole.work / "manifest.json").rename(whole.folder / "manifest.json")
    with pytest.raises(pa.ArrowInvalid, match=r"manifest\.json"):
        pq.read_table(whole.folder)


def test_that_a_list_is_whole_is_said_last(tmp_path, monkeypatch):
    written = []

    def seen(path, content, write=atomic_io.write_file):
        written.append(path.name)
        write(path, content)

    dataset = Dataset(tmp_path / "names")
    with dataset.claim(LIST, False, never):
        shards = [put_shard(dataset, number) for number in range(SHARDS)]
        assert dataset.find(LIST) is None
        monkeypatch.setattr(atomic_io, "write_file", seen)
        finish(dataset, shards)
    assert written == ["manifest.json", SUCCESS]


def test_a_whole_list_is_found_and_one_with_a_damaged_or_missing_file_is_not(whole):
    found = whole.find(LIST)
    assert isinstance(found, Artifact)
    assert list(found.manifest().files) == [part_file(number, "parquet") for number in range(SHARDS)]
    path = whole.folder / part_file(1, "parquet")
    content = bytearray(path.read_bytes())
    content[9] ^= 1
    path.write_bytes(content)
    assert whole.find(LIST) is None
    path.unlink()
    assert whole.find(LIST) is None


def test_a_list_that_is_reopened_is_not_whole_until_it_is_finished_again(whole):
    with whole.claim(LIST, False, never):
        whole.mark_incomplete()
        assert not (whole.folder / SUCCESS).exists()
        assert whole.find(LIST) is None
        finish(whole, [shard(whole, number)[1] for number in range(SHARDS)])
    assert whole.find(LIST)


def test_a_file_without_its_manifest_is_no_shard(whole):
    (path,) = [path for path in (whole.work / "shards").iterdir() if "part-00001" in path.read_text()]
    path.unlink()
    assert [shard(whole, number)[1] is None for number in range(SHARDS)] == [False, True, False]
    put_shard(whole, 1)
    assert all(shard(whole, number)[1] for number in range(SHARDS))


def test_a_damaged_shard_is_quarantined_with_its_manifest_and_the_reason(whole):
    recipe, _ = shard(whole, 1)
    (whole.folder / part_file(1, "parquet")).write_bytes(b"no names")
    told = []
    assert Shards(whole.work).find(recipe.stage, recipe.key, told.append) is None
    (aside,) = (whole.work / "quarantine").iterdir()
    assert {path.name for path in aside.iterdir()} == {
        "part-00001.parquet", f"{recipe.key}.json", "reason.txt",
    }  # fmt: skip
    assert "does not match its sha256" in told[0]
    assert shard(whole, 0)[1]


def test_another_list_is_refused_unless_it_may_be_replaced_and_then_nothing_of_it_is_left(whole):
    another = recipe_of("generated", model="two")
    with pytest.raises(StoreError, match=r"list\.another"), whole.claim(another, False, never):
        pass
    assert whole.find(LIST)
    with whole.claim(another, True, never):
        assert [path.name for path in whole.folder.iterdir()] == ["__namewright__"]
        assert not (whole.work / "shards").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"stage": "generated", "of_a_later_version": 1}', None])
def test_a_list_that_does_not_say_which_it_is_is_replaced_only_if_asked(whole, content):
    request = whole.work / "request.json"
    request.unlink()
    if content is not None:
        request.write_bytes(content)
    with pytest.raises(StoreError, match=r"list\.another"), whole.claim(LIST, False, never):
        pass
    assert len(list(whole.folder.glob("part-*"))) == SHARDS
    with whole.claim(LIST, True, never):
        assert not list(whole.folder.glob("part-*"))


@pytest.mark.parametrize("name", ["notes.txt", "part-00007.parquet", "part-00000.csv"])
def test_a_file_that_is_not_of_the_list_is_refused_and_left_where_it_is(whole, name):
    (whole.folder / name).write_bytes(b"mine")
    (whole.folder / ".hidden").touch()
    for request, overwrite in ((LIST, False), (recipe_of("generated", model="two"), True)):
        with (
            pytest.raises(StoreError, match=rf"(?s)list\.foreign.*saw: +{name}"),
            whole.claim(request, overwrite, never),
        ):
            pass
    assert (whole.folder / name).read_bytes() == b"mine"
    assert len(list(whole.folder.glob("part-*.parquet"))) >= SHARDS


def test_the_same_list_is_gone_on_from(tmp_path):
    dataset = Dataset(tmp_path / "names")
    with dataset.claim(LIST, False, never):
        put_shard(dataset, 0)
    with dataset.claim(LIST, False, never):
        assert [shard(dataset, number)[1] is not None for number in range(2)] == [True, False]


def test_a_folder_with_anything_else_in_it_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "part-00000.parquet").write_text("of somebody else")
    for overwrite in (False, True):
        refused = pytest.raises(StoreError, match=r"list\.foreign")
        with refused, Dataset(tmp_path / "names").claim(LIST, overwrite, never):
            pass
    assert [path.name for path in (tmp_path / "names").iterdir()] == ["part-00000.parquet"]
