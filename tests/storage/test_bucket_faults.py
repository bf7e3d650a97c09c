"""A bucket that fails, lies, forgets, or is somebody else's: one clear error, or the whole artifact."""

import http.client
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest
from s3_server import BUCKET, Proxy, in_environment, s3_environment
from small_artifacts import put, recipe_of

from artifacts.bucket import lease, objects
from artifacts.bucket.address import bucket_address, mirror
from artifacts.bucket.objects import Objects
from artifacts.errors import StoreError
from artifacts.open_store import open_store
from artifacts.registry import Entry, Reference
from rnn_core.errors import ConfigError

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[Proxy]:
    with Proxy(s3_endpoint) as between:
        yield between


@pytest.fixture
def address(proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of an empty prefix, behind the proxy, for a machine that has nothing of it."""
    for name, value in s3_environment(proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(objects, "_PAUSE", 0.01)
    objects._client.cache_clear()
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(objects._RETRIES, "max_retries", 1)


def every(count: int, fault: str, method: str = ""):
    """The fault for every so many requests of a method."""
    seen = 0

    def of(request):
        nonlocal seen
        seen += method in ("", request.method)
        return fault if method in ("", request.method) and seen % count == 0 else ""

    return of


def test_one_request_in_20_fails_and_one_in_50_is_truncated_and_every_artifact_is_whole(
    proxy, address, tmp_path, monkeypatch
):
    fails, breaks_off = every(20, "500"), every(50, "truncated", "GET")
    proxy.fault = lambda request: fails(request) or breaks_off(request)
    made = [put(open_store(mirror(address)), recipe_of(f"stage{number}")) for number in range(20)]
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "elsewhere"))
    store = open_store(mirror(address))
    found = [store.examine(artifact.stage, artifact.key) for artifact in made]
    assert [fault for _, fault in found] == [""] * 20
    assert [artifact.digest for artifact, _ in found] == [artifact.digest for artifact in made]
    assert proxy.count() > 200


def test_an_answer_that_is_lost_after_the_bucket_has_acted_changes_nothing_twice(proxy, address):
    proxy.fault = every(2, "lost", "PUT")
    store = open_store(mirror(address))
    artifact = put(store, recipe := recipe_of("names"))
    assert store.examine(recipe.stage, recipe.key) == (artifact, "")
    champion = store.registry("champion")
    expected = None
    for name in "abcde":
        reference = Reference("mixture", name, f"digest of {name}")
        champion.promote(Entry.now(reference, None, "decision/1", {}), expected, on_wait=lambda: None)
        expected = reference
    assert [entry.artifact.key for entry in champion.history()] == list("abcde")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("method", "status", "error", "code", "saw"),
    [
        ("GET", "403", "AccessDenied", "bucket.denied", "AccessDenied"),
        ("PUT", "403", "AccessDenied", "bucket.denied", "AccessDenied"),
        ("PUT", "400", "ExpiredToken", "bucket.denied", "ExpiredToken"),
        ("GET", "404", "NoSuchBucket", "bucket.missing", ""),
        ("GET", "500", "InternalError", "bucket.unreachable", ""),
        ("PUT", "503", "SlowDown", "bucket.unreachable", ""),
    ],
)
def test_what_the_bucket_refuses_is_one_clear_error_without_a_secret(
    proxy, address, method, status, error, code, saw
):
    proxy.error = (
        f"<Error><Code>{error}</Code><Message>No.</Message><AWSAccessKeyId>secret</AWSAccessKeyId></Error>"
    ).encode()
    proxy.fault = lambda request: status if request.method == method else ""
    with pytest.raises(StoreError) as caught:
        put(open_store(mirror(address)), recipe_of("names"))
    assert caught.value.code == code
    assert saw in caught.value.saw
    assert "secret" not in str(caught.value)
    assert caught.value.where.startswith("s3://")
    proxy.fault = lambda _: ""
    assert put(open_store(mirror(address)), recipe_of("names")).table("names.parquet").num_rows == 150


@pytest.mark.usefixtures("address")
def test_a_bucket_that_does_not_exist_is_named():
    nowhere = mirror("s3://no-such-bucket/prefix")
    with pytest.raises(StoreError) as caught:
        open_store(nowhere).examine("names", "0" * 32)
    assert (caught.value.code, caught.value.where) == ("bucket.missing", "s3://no-such-bucket/prefix")


def test_an_object_whose_name_has_an_empty_part_is_one_clear_error_at_once(proxy, address):
    objects = open_store(mirror(address)).objects
    connection = http.client.HTTPConnection(proxy.endpoint.removeprefix("http://"), timeout=30)
    connection.request("PUT", f"/{address.removeprefix('s3://')}/lists//towns.txt", body=b"Bern\n")
    assert connection.getresponse().status == 200
    before = proxy.count()
    with pytest.raises(StoreError) as caught:
        objects.listing("lists")
    assert (caught.value.code, caught.value.where) == ("bucket.name", f"{address}/lists")
    assert "lists//towns.txt" in caught.value.saw
    assert proxy.count() == before + 1


@pytest.mark.parametrize("dropped", ["if-none-match", "if-match"])
def test_a_bucket_that_ignores_conditions_is_refused_before_anything_is_written(proxy, address, dropped):
    proxy.dropped_headers = (dropped,)
    store = open_store(mirror(address))
    with pytest.raises(StoreError) as caught:
        store.writer("names", "0" * 32)
    assert caught.value.code == "bucket.conditions"
    assert not store.objects.listing("")


def test_two_makers_at_once_after_a_lost_lease_the_first_wins_and_the_second_adopts_it(address):
    """Their files differ, as those of two kernels would."""
    stores = [open_store(mirror(address)) for _ in range(2)]
    recipe = recipe_of("names")
    drafts = []
    for number, store in enumerate(stores):
        draft = store.writer(recipe.stage, recipe.key)
        draft.folder = draft.folder.rename(draft.folder.with_name(f"of-{number}"))
        draft.write_text("report.html", f"by maker {number}")
        drafts.append(draft)
    commits = [
        store.commit(draft, recipe, origins={}, seconds=0, run={})
        for store, draft in zip(stores, drafts, strict=True)
    ]
    assert commits[0] == commits[1]
    assert commits[1].text("report.html") == "by maker 0"
    names = [listed.name for listed in stores[0].objects.listing(recipe.stage)]
    assert len(names) == 2  # a manifest and a page


def test_an_endpoint_that_answers_too_late_now_and_then_is_asked_again(proxy, address, monkeypatch):
    monkeypatch.setitem(objects._CLIENT, "read_timeout", "0.4s")
    objects._client.cache_clear()
    proxy.fault = every(15, "late", "GET")
    artifact = put(open_store(mirror(address)), recipe := recipe_of("names"))
    assert open_store(mirror(address)).examine(recipe.stage, recipe.key) == (artifact, "")


@pytest.mark.usefixtures("impatient")
def test_an_endpoint_that_never_answers_in_time_is_one_clear_error(proxy, address, monkeypatch):
    monkeypatch.setitem(objects._CLIENT, "read_timeout", "0.2s")
    objects._client.cache_clear()
    proxy.fault = lambda _: "late"
    with pytest.raises(StoreError) as caught:
        open_store(mirror(address)).examine("names", "0" * 32)
    assert caught.value.code == "bucket.unreachable"


def test_an_endpoint_whose_etags_are_wrong_changes_nothing_and_is_found_out(proxy, address):
    champion = open_store(mirror(address)).registry("champion")
    entries = [Entry.now(Reference("mixture", name, f"digest of {name}"), None, "x/1", {}) for name in "ab"]
    champion.promote(entries[0], None, on_wait=lambda: None)
    proxy.alter = lambda headers: headers.update(ETag='"0123456789abcdef0123456789abcdef"')
    with pytest.raises(StoreError) as caught:
        champion.promote(entries[1], entries[0].artifact, on_wait=lambda: None)
    assert caught.value.code == "bucket.conditions"
    proxy.alter = lambda _: None
    assert champion.history() == (entries[0],)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_lease_that_is_renewed_is_nobody_else_s_though_the_bucket_s_clock_is_an_hour_off(
    proxy, address, hours, monkeypatch
):
    def shifted(headers):
        for name in headers.keys() & {"Last-Modified", "last-modified"}:
            moment = parsedate_to_datetime(headers[name]) + timedelta(hours=hours)
            headers[name] = format_datetime(moment, usegmt=True)

    proxy.alter = shifted
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", 4.0)
    recipe = recipe_of("names")
    with open_store(mirror(address)).lock(recipe.stage, recipe.key, on_wait=lambda: None):
        time.sleep(5)
        with lease.try_lease(Objects(address), lease.lease_name(recipe.stage, recipe.key)) as is_held:
            assert not is_held
    with lease.try_lease(Objects(address), lease.lease_name(recipe.stage, recipe.key)) as is_held:
        assert is_held


HOLDER = """
    import sys, time
    sys.path.insert(0, {support!r})
    from pathlib import Path
    from small_artifacts import recipe_of
    from artifacts.bucket import lease
    from artifacts.bucket.address import mirror
    from artifacts.open_store import open_store
    lease.EXPIRY_SECONDS = 2.0
    recipe = recipe_of("names")
    with open_store(mirror({address!r})).lock(recipe.stage, recipe.key, on_wait=lambda: None):
        print("held", flush=True)
        time.sleep(60)
"""


def test_who_finds_a_lease_waits_and_takes_over_what_a_killed_holder_left(
    proxy, address, tmp_path, monkeypatch
):
    monkeypatch.setattr(lease, "EXPIRY_SECONDS", 2.0)
    monkeypatch.setattr(lease, "_POLL_SECONDS", 0.2)
    script = textwrap.dedent(HOLDER).format(support=str(SUPPORT), address=address)
    environment = in_environment(proxy.endpoint, tmp_path / "other")
    command = [sys.executable, "-c", script]
    waits: list[float] = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        threading.Timer(4.0, os.kill, (holder.pid, signal.SIGKILL)).start()
        began = time.monotonic()
        recipe = recipe_of("names")
        with open_store(mirror(address)).lock(recipe.stage, recipe.key, lambda: waits.append(1.0)):
            seconds = time.monotonic() - began
    assert waits
    assert 4.0 < seconds < 30.0  # it is renewed as long as its holder lives


def test_foreign_objects_below_the_prefix_disturb_nobody(address):
    store = open_store(mirror(address))
    bucket = Objects(address)
    for name in ("names/readme.txt", "names/x/y/z", "towns", "registry/other.txt", "0/0/manifest.json"):
        bucket.overwrite(name, b"of somebody else")
    artifact = put(store, recipe_of("names"))
    assert [manifest.digest for manifest in store.list()] == [artifact.digest]
    assert list(store.list("towns")) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/x",
        "ftp://x/y",
        "s3://",
        "s3://a/../b",
        "s3://a/b c",
        "s3://" + "a" * 300,
        "s3://a//b",
    ],
)
def test_an_address_of_another_kind_is_refused_with_the_reason(address):
    with pytest.raises(ConfigError) as caught:
        bucket_address(address)
    assert caught.value.code == "config.store"


@pytest.mark.parametrize("path", ["store", "/a/store", "C:/store", "./s3/x", "s3", "a:b"])
def test_a_path_is_no_address(path):
    assert bucket_address(path) is None


def test_an_unchanged_stage_on_a_warm_cache_is_one_request(proxy, address):
    store = open_store(mirror(address))
    artifact = put(store, recipe := recipe_of("names"))
    before = proxy.count()
    assert open_store(mirror(address)).examine(recipe.stage, recipe.key) == (artifact, "")
    assert proxy.count() - before == 1
