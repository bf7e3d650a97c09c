"""Lists of names in a bucket are read as files are, each version of an object fetched once."""

import gzip
import os
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from s3_server import BUCKET, Proxy, s3_environment
from small_corpora import read

from artifacts.bucket import objects
from artifacts.bucket.objects import Objects
from artifacts.errors import StoreError
from rnn_core.errors import ConfigError, DataError
from tasks.config.detect import detect
from tasks.config.sources import Source
from tasks.monitoring.source_changes import SourceMemory


@dataclass
class Lists:
    """Some lists in a bucket, behind a proxy."""

    proxy: Proxy
    address: str
    folder: Path

    def put(self, name: str, content: bytes) -> None:
        Objects(self.address).overwrite(name, content)

    def source(self, path: str, **options) -> Source:
        return Source("list", f"{self.address}/{path}".rstrip("/"), **options)

    def names(self, path: str, **options) -> list[str]:
        source = self.source(path, **options)
        return read(source.files, source.reading).names["name"].to_pylist()

    def files(self, path: str, **options) -> list[str]:
        return [file.origin.removeprefix(f"{self.address}/") for file in self.source(path, **options).files]

    def fetched(self, deed: Callable[[], object]) -> list[str]:
        """The names of the objects whose bytes were asked for meanwhile."""
        before = len(self.proxy.requests)
        deed()
        return [
            request.path.rpartition("/")[2]
            for request in self.proxy.requests[before:]
            if request.method == "GET" and "list-type" not in request.path
        ]


@pytest.fixture
def lists(s3_endpoint, tmp_path, monkeypatch) -> Iterator[Lists]:
    with Proxy(s3_endpoint) as proxy:
        for name, value in s3_environment(proxy.endpoint).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(objects, "_PAUSE", 0.01)
        objects._client.cache_clear()
        yield Lists(proxy, f"s3://{BUCKET}/{tmp_path.name}", tmp_path)


@pytest.fixture
def tree(lists) -> Lists:
    names = ["a.csv", "b b.csv", "rivers.txt", ".hidden.csv", "_temporary.csv", "notes.md"]
    for name in [*names, "sub/c.csv", "sub/deep/d.csv", ".sub/e.csv", "a/z.csv", "ü [1].csv"]:
        lists.put(name, b"name\nAna\n")
    return lists


PATTERNS = [
    *("*", "*.csv", "?.csv", "[ab]*.csv", "*/*.csv", "sub/*", "**/*.csv", "sub/**/*.csv", "**/deep/d.csv"),
    *("*/deep/*", "**/*.txt", "ü [[]1].csv", "ü [1].csv"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_gives_the_objects_that_it_would_give_of_files_in_that_order(tree, pattern):
    for info in Objects(tree.address).listing(""):
        file = tree.folder / "files" / info.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"name\nAna\n")
    files = Source("list", str(tree.folder / "files" / pattern), format="csv").files
    expected = [str(file.path.relative_to(tree.folder / "files")) for file in files]
    assert tree.files(pattern, format="csv") == expected


def test_a_folder_gives_its_lists_and_with_a_format_all_its_objects(tree):
    assert tree.files("") == ["a.csv", "b b.csv", "rivers.txt", "ü [1].csv"]
    assert tree.files("", format="text") == ["a.csv", "b b.csv", "notes.md", "rivers.txt", "ü [1].csv"]
    assert tree.files("sub") == tree.files("sub/") == ["sub/c.csv"]


def test_what_is_read_is_what_a_file_of_the_same_bytes_gives(lists):
    content = gzip.compress("name;n\nAna;3\nJosé;4\n;1\n".encode("latin-1"))
    lists.put("towns.csv.gz", content)
    path = lists.folder / "towns.csv.gz"
    path.write_bytes(content)
    options = {"encoding": "latin-1", "delimiter": ";", "counts": "n"}
    sources = Source("list", str(path), **options), lists.source("towns.csv.gz", **options)
    file, of_bucket = (read(source.files, source.reading) for source in sources)
    assert file.names.equals(of_bucket.names)
    assert file.rejected.equals(of_bucket.rejected)
    assert sources[0].files[0].digest == sources[1].files[0].digest


def test_several_objects_are_read_in_their_order_and_numbered(lists):
    for name in ("b", "a", "c"):
        lists.put(f"{name}.txt", f"{name.upper()}na\n".encode())
    source = lists.source("*.txt")
    table = read(source.files, source.reading).names
    assert table["name"].to_pylist() == ["Ana", "Bna", "Cna"]
    assert table["file"].to_pylist() == [1, 2, 3]


def test_an_object_is_fetched_once_and_again_only_when_it_has_changed(lists):
    lists.put("towns.txt", b"Bern\nBasel\n")
    assert lists.fetched(lambda: lists.names("towns.txt")) == ["towns.txt"]
    assert lists.fetched(lambda: lists.names("towns.txt")) == []
    lists.put("towns.txt", b"Bern\nBiel\n")
    assert lists.fetched(lambda: lists.names("towns.txt")) == ["towns.txt"]
    assert lists.names("towns.txt") == ["Bern", "Biel"]


def test_watching_fetches_nothing_and_notices_a_change(lists, tmp_path):
    lists.put("a/towns.txt", b"Bern\nBasel\n")
    lists.put("a/rivers.txt", b"Aare\n")
    watched = SourceMemory(tmp_path / "store")

    def changed():
        one = Source("one", f"{lists.address}/a/towns.txt")
        changes = watched.changes([one, lists.source("a/*.txt")])
        watched.remember(changes)
        return [change.source for change in changes]

    heard = []
    assert lists.fetched(lambda: heard.extend(changed() + changed())) == []
    assert heard == ["one", "list"]
    lists.put("a/rivers.txt", b"Rhein\n")
    assert lists.fetched(lambda: heard.extend(changed() + changed())) == []
    assert heard[2:] == ["list"]


def test_an_object_that_changes_after_the_run_began_is_one_clear_error(lists):
    lists.put("towns.txt", b"Bern\nBasel\n")
    source = lists.source("towns.txt")
    (file,) = source.files
    lists.put("towns.txt", b"Bern\nBiel\n")
    for deed in (lambda: file.digest, lambda: read([file], source.reading)):
        with pytest.raises(DataError) as caught:
            deed()
        assert (caught.value.code, caught.value.where) == ("corpus.changed", file.origin)
    Objects(lists.address).remove(["towns.txt"])
    with pytest.raises(DataError, match=r"corpus\.changed"):
        _ = file.digest


def test_what_was_fetched_is_read_from_here_though_the_object_changes(lists):
    lists.put("towns.txt", b"Bern\nBasel\n")
    source = lists.source("towns.txt")
    (file,) = source.files
    assert len(file.digest) == 64
    lists.put("towns.txt", b"Bern\nBiel\n")
    assert read([file], source.reading).names["name"].to_pylist() == ["Bern", "Basel"]


def test_a_copy_that_was_damaged_or_removed_is_fetched_again(lists):
    lists.put("towns.txt", b"Bern\nBasel\n")
    (file,) = lists.source("towns.txt").files
    for damage in (lambda: file.path.write_bytes(b"Bern\nBasxl\n"), file.path.unlink):
        assert lists.names("towns.txt") == ["Bern", "Basel"]
        damage()
        assert lists.fetched(lambda: lists.names("towns.txt")) == ["towns.txt"]
    file._record.write_text("no digest")
    assert lists.names("towns.txt") == ["Bern", "Basel"]


def test_a_body_that_breaks_off_is_fetched_again(lists):
    lists.put("towns.txt", b"Bern\nBasel\n" * 1000)
    broken = iter(["truncated", "truncated"])
    lists.proxy.fault = lambda request: next(broken, "") if "towns.txt" in request.path else ""
    assert len(lists.names("towns.txt")) == 2000


def test_a_list_travels_to_another_machine_by_its_address_and_digest(lists, tmp_path, monkeypatch):
    lists.put("towns.txt", b"Bern\nBasel\n")
    source = lists.source("towns.txt")
    (file,) = source.files
    assert len(file.digest) == 64
    travelling = pickle.dumps(file)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "elsewhere"))
    arrived = pickle.loads(travelling)
    assert (arrived.origin, arrived.digest) == (file.origin, file.digest)
    assert read([arrived], source.reading).names["name"].to_pylist() == ["Bern", "Basel"]
    assert arrived.path.is_relative_to(tmp_path / "elsewhere")


def test_a_list_that_changed_before_another_machine_reads_it_is_one_clear_error(lists, tmp_path, monkeypatch):
    lists.put("towns.txt", b"Bern\nBasel\n")
    source = lists.source("towns.txt")
    (file,) = source.files
    assert len(file.digest) == 64
    lists.put("towns.txt", b"Bern\nBiel\n")
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"corpus\.changed"):
        read([pickle.loads(pickle.dumps(file))], source.reading)


def test_what_is_kept_here_is_bounded_and_the_least_recently_used_goes(lists, monkeypatch):
    monkeypatch.setenv("NAMEWRIGHT_CACHE_SIZE", "250B")
    for name in "abc":
        lists.put(f"{name}.txt", name.encode() * 99 + b"\n")
    files = {name: lists.source(f"{name}.txt").files[0] for name in "abc"}
    for name in "ab":
        assert files[name].local().exists()
    yesterday = time.time() - 86_400
    for path in (files["b"].path, files["b"].path.parent):
        os.utime(path, (yesterday, yesterday))
    assert files["c"].local().exists()
    assert [name for name, file in files.items() if file.path.exists()] == ["a", "c"]
    assert lists.fetched(lambda: lists.source("b.txt").files[0].digest) == []  # its digest is known
    assert lists.names("b.txt") == ["b" * 99]  # what was used within the hour stays, beyond the bound
    assert all(file.path.exists() for file in files.values())


@pytest.mark.parametrize(
    ("path", "code", "where"),
    [
        ("nothing.txt", "corpus.no_file", "nothing.txt"),
        ("*.txt", "corpus.no_file", "*.txt"),
        ("a**/b.txt", "config.source", ""),
    ],
)
def test_no_such_object_is_one_clear_error(lists, path, code, where):
    with pytest.raises((DataError, ConfigError)) as caught:
        _ = lists.source(path).files
    assert caught.value.code == code
    assert caught.value.where.endswith(where)


def test_errors_of_a_list_name_its_address(lists):
    lists.put("towns.txt", b"Bern\nZ\xfcrich\n")
    with pytest.raises(DataError) as caught:
        lists.names("towns.txt")
    assert caught.value.where == f"{lists.address}/towns.txt, line 2, byte 2 (0xFC)"
    lists.put("towns.parquet", b"PAR1 and no more")
    with pytest.raises(DataError) as caught:
        lists.names("towns.parquet")
    assert caught.value.where == f"{lists.address}/towns.parquet"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [("AccessDenied", "403", "bucket.denied"), ("NoSuchBucket", "404", "bucket.missing")],
)
def test_a_bucket_that_may_not_be_read_is_one_clear_error(lists, error, status, code):
    lists.put("towns.txt", b"Bern\n")
    lists.proxy.error = f"<Error><Code>{error}</Code><Message>No.</Message></Error>".encode()
    lists.proxy.fault = lambda request: status if request.method == "GET" else ""
    with pytest.raises(StoreError) as caught:
        lists.names("towns.txt")
    assert caught.value.code == code
    assert caught.value.where.startswith(f"s3://{BUCKET}")


@pytest.mark.parametrize(
    "address",
    ["https://me:secret@example.org/x.csv?sig=secret", "ftp://secret/x", "hdfs://secret/x", "S4://secret/x"],
)
def test_addresses_of_other_kinds_are_refused_and_no_password_is_shown(address):
    with pytest.raises(ConfigError) as caught:
        _ = Source("list", address).files
    assert caught.value.code == "config.source"
    assert "secret" not in str(caught.value)
    assert ("unnoticed" in caught.value.what) == address.startswith(("http", "ftp"))


@pytest.mark.parametrize("name", ["a//b", "../b", "a/./b", "/a", "a\0b", "x" * 1025])
def test_an_address_that_no_object_can_have_is_refused(name):
    with pytest.raises(ConfigError) as caught:
        _ = Source("list", f"s3://{BUCKET}/{name}").files
    assert caught.value.code == "config.source"


def test_the_columns_of_a_list_in_a_bucket_are_found(lists):
    lists.put("towns.csv", b"town;inhabitants\nBern;3\nBasel;4\n")
    described, note = detect(lists.source("towns.csv"))
    assert (described.path, described.delimiter) == (f"{lists.address}/towns.csv", ";")
    assert "town" in note
