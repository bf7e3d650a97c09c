"""A generated list in a bucket: whole or not there, resumed from anywhere, readable by everyone."""

import os

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from pyarrow import fs
from s3_server import BUCKET, s3_environment
from small_artifacts import recipe_of

from artifacts.bucket.address import inside, mirror
from artifacts.bucket.objects import Objects
from artifacts.dataset import SUCCESS, Dataset, open_shards, part_file
from artifacts.errors import StoreError

LIST = recipe_of("generated", model="one")
SHARDS = 3


def never():
    pytest.fail("nobody else holds it")


@pytest.fixture
def address(s3_endpoint, tmp_path, monkeypatch):
    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
    return f"s3://{BUCKET}/{tmp_path.name}"


def put_shard(dataset, number, names=("Ana", "Bea")):
    store, recipe = open_shards(dataset.work), recipe_of("shard", number=str(number))
    found, _ = store.examine(recipe.stage, recipe.key)
    if found:
        return found
    draft = store.writer(recipe.stage, recipe.key)
    table = pa.table({"index": [2 * number, 2 * number + 1], "name": list(names)})
    draft.write_names(part_file(number, "parquet"), table, "parquet", {"namewright.key": recipe.key})
    return store.commit(draft, recipe, origins={}, seconds=0.1, run={})


def finish(dataset, shards):
    return dataset.finish(LIST, shards, metadata={"names": 6}, origins={}, seconds=1.0, run={})


@pytest.fixture
def whole(address):
    dataset = Dataset(mirror(address))
    with dataset.claim(LIST, False, never):
        finish(dataset, [put_shard(dataset, number) for number in range(SHARDS)])
    return dataset


def with_pyarrow(address):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    bucket = fs.S3FileSystem(
        endpoint_override=endpoint, access_key="test", secret_key="test", region="us-east-1"
    )
    return pa.dataset.dataset(address.removeprefix("s3://"), filesystem=bucket).to_table()


def with_polars(address):
    options = {
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    return pl.read_parquet(f"{address}/*.parquet", storage_options=options).to_arrow()


@pytest.mark.parametrize("reader", [with_pyarrow, with_polars], ids=lambda reader: reader.__name__)
@pytest.mark.usefixtures("whole")
def test_a_whole_list_is_one_table_to_everyone(address, reader):
    table = reader(address)
    assert table["index"].to_pylist() == list(range(2 * SHARDS))
    assert table["name"].to_pylist() == ["Ana", "Bea"] * SHARDS


def test_duckdb_reads_the_files_that_it_is_given(whole):
    paths = [str(whole.find(LIST).path(part_file(number, "parquet"))) for number in range(SHARDS)]
    assert len(duckdb.connect().read_parquet(paths).fetchall()) == 2 * SHARDS


def test_a_whole_list_is_found_on_every_machine_and_one_with_a_missing_or_shortened_file_is_not(
    whole, address, tmp_path, monkeypatch
):
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "elsewhere"))
    found = Dataset(mirror(address)).find(LIST)
    assert found.manifest().digest == whole.find(LIST).digest
    part, objects = part_file(1, "parquet"), Objects(address)
    content = objects.read(part).body
    objects.overwrite(part, content[:-7])
    assert whole.find(LIST) is None
    objects.remove([part])
    assert whole.find(LIST) is None


def test_a_file_that_was_changed_in_the_bucket_is_not_read(whole, address):
    part, objects = part_file(1, "parquet"), Objects(address)
    content = bytearray(objects.read(part).body)
    content[9] ^= 1
    objects.overwrite(part, bytes(content))
    with pytest.raises(Exception, match="could not be read as what its manifest says"):
        whole.find(LIST).path(part)


def test_another_machine_goes_on_from_the_shards_that_are_whole(address, tmp_path, monkeypatch):
    dataset = Dataset(mirror(address))
    with dataset.claim(LIST, False, never):
        first = put_shard(dataset, 0)
    assert dataset.find(LIST) is None
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "elsewhere"))
    elsewhere = Dataset(mirror(address))
    with elsewhere.claim(LIST, False, never):
        shards = [put_shard(elsewhere, number) for number in range(SHARDS)]
        assert shards[0].manifest() == first.manifest()
        finish(elsewhere, shards)
    assert elsewhere.find(LIST)
    assert Objects(address).version(SUCCESS)


def test_a_killed_upload_without_a_manifest_is_replaced(address):
    Objects(address).overwrite(part_file(0, "parquet"), b"half")
    dataset = Dataset(mirror(address))
    Objects(address).overwrite("__namewright__/request.json", b"{}")
    with dataset.claim(LIST, True, never):
        shard = put_shard(dataset, 0)
    assert shard.path(part_file(0, "parquet")).stat().st_size > 4


def test_only_one_at_a_time_writes_to_a_list(whole):
    class GivenUp(Exception):
        pass

    def give_up():
        raise GivenUp

    with whole.claim(LIST, False, never), pytest.raises(GivenUp), whole.claim(LIST, False, give_up):
        pass


def test_another_list_and_foreign_objects_are_not_touched(whole, address):
    other = recipe_of("generated", model="two")
    with pytest.raises(StoreError) as caught, whole.claim(other, False, never):
        pass
    assert (caught.value.code, caught.value.where) == ("list.another", address)
    Objects(address).overwrite("notes.txt", b"of somebody else")
    with pytest.raises(StoreError) as caught, whole.claim(LIST, False, never):
        pass
    assert caught.value.code == "list.foreign"
    assert "notes.txt" in caught.value.saw


def test_a_list_in_the_store_of_a_bucket_is_below_its_address(address):
    assert inside(mirror(address), "generated", "key") == mirror(f"{address}/generated/key")
