"""What only a bucket needs to be kept in order: foreign objects, leases, and as few requests as can be."""

import threading
from dataclasses import replace

import pytest
from s3_server import BUCKET, Proxy, s3_environment
from small_artifacts import put

from artifacts.bucket import usage
from artifacts.bucket.address import mirror
from artifacts.bucket.objects import Objects
from artifacts.errors import StoreError
from artifacts.gc import GarbageCollector
from artifacts.open_store import open_store
from tasks.config.maintenance import MaintenanceConfig
from tasks.views.maintenance import maintenance_actions

DAY = 86_400.0


@pytest.fixture
def proxy(s3_endpoint):
    with Proxy(s3_endpoint) as between:
        yield between


@pytest.fixture
def store(proxy, tmp_path, monkeypatch):
    """One behind the proxy, of a machine that has nothing of it."""
    for name, value in s3_environment(proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "cache"))
    return open_store(mirror(f"s3://{BUCKET}/{tmp_path.name}"))


def elsewhere(store, folder, monkeypatch):
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(folder))
    return open_store(mirror(store.objects.address))


def verify(store):
    collector = GarbageCollector(store, store.inventory().now(), dry_run=False)
    return [action.outcome for action in collector.verify(["names"])]


def test_objects_of_another_origin_are_reported_and_never_touched(store, recipe):
    put(store, recipe)
    store.objects.overwrite("trained.json", b"{}")
    foreign = {"readme.txt": b"mine", f"names/{recipe.key}/notes.txt": b"mine", "names/x/y/z": b"mine"}
    for name, content in foreign.items():
        store.objects.overwrite(name, content)
    config = MaintenanceConfig(artifact_days=0, checkpoint_days=0, quarantine_days=0, list_days=0)
    with pytest.raises(StoreError) as caught:
        list(maintenance_actions(config, store.root, dry_run=False))
    assert caught.value.code == "store.entries"
    assert caught.value.where == store.objects.address
    assert "readme.txt: no run writes an object of that name" in caught.value.saw
    assert caught.value.saw.count("\n") == 2
    assert {name: store.objects.read(name).body for name in foreign} == foreign


def test_only_the_first_of_many_foreign_objects_are_named(store):
    for number in range(103):
        store.objects.overwrite(f"other/{number:03}.csv", b"x")
    actions = list(GarbageCollector(store, 0.0, dry_run=True).report_foreign())
    assert len(actions) == 101
    assert actions[-1].why == "3 more objects that no run writes"


def test_what_was_seen_whole_is_not_read_again_until_it_changes(store, recipe, proxy, tmp_path, monkeypatch):
    artifact = put(store, recipe)
    other = elsewhere(store, tmp_path / "elsewhere", monkeypatch)
    assert verify(other) == ["whole"]
    assert not (other.root / "names").exists()  # what is only verified is not kept

    def reads():
        return sum(request.method == "GET" and ".npz" in request.path for request in proxy.requests)

    before = reads()
    assert before == 1
    assert verify(other) == ["whole"]
    assert reads() == before
    written = artifact.manifest()
    store.objects.overwrite(
        f"{artifact.origin}/{written.attempt}/model.npz", bytes(written.files["model.npz"].bytes)
    )
    assert verify(other) == ["damaged"]


def test_manifests_are_read_several_at_a_time(store, recipe, proxy):
    made = [put(store, replace(recipe, version=version)).key for version in range(4)]
    together = threading.Barrier(len(made), timeout=20)

    def fault(request):
        if request.path.endswith("manifest.json"):
            together.wait()
        return ""

    proxy.fault = fault
    assert sorted(manifest.recipe.key for manifest in store.list()) == sorted(made)


def test_a_body_that_breaks_off_is_not_taken_for_a_damaged_artifact(store, recipe, proxy):
    put(store, recipe)
    broken = []

    def fault(request):
        if request.method == "GET" and request.path.endswith(".npz") and not broken:
            broken.append(request)
            return "truncated"
        return ""

    proxy.fault = fault
    assert verify(store) == ["whole"]
    assert len(broken) == 1


def test_a_bucket_that_does_not_answer_for_one_artifact_fails_for_it_alone(store, recipe, proxy, monkeypatch):
    monkeypatch.setattr("artifacts.bucket.objects._PAUSE", 0.01)
    artifact = put(store, recipe)
    proxy.fault = lambda request: "403" if request.path.endswith(".npz") else ""
    proxy.error = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    (action,) = GarbageCollector(store, 0.0, dry_run=False).verify(["names"])
    assert (action.outcome, action.what, action.is_odd) == ("failed", artifact.origin, True)
    assert "read" in action.why


def test_use_is_noted_in_the_bucket_at_most_once_a_day_by_a_machine(
    store, recipe, proxy, tmp_path, monkeypatch
):
    put(store, recipe).mark_used()
    name = usage.use_name(recipe.stage, recipe.key)
    assert store.objects.version(name) is None  # that it was made today says enough
    other = elsewhere(store, tmp_path / "elsewhere", monkeypatch)
    artifact, _ = other.examine(recipe.stage, recipe.key)
    before = proxy.count()
    for _ in range(3):
        artifact.mark_used()
    assert proxy.count() == before + 1
    assert store.objects.version(name) is not None
    monkeypatch.setattr(usage, "_SECONDS", 0.0)  # as if a day had passed
    artifact.mark_used()
    assert proxy.count() == before + 3


def test_who_may_only_read_uses_an_artifact_all_the_same(store, recipe, proxy, tmp_path, monkeypatch):
    put(store, recipe)
    other = elsewhere(store, tmp_path / "elsewhere", monkeypatch)
    proxy.fault = lambda request: "403" if request.method == "PUT" else ""
    proxy.error = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    artifact, _ = other.examine(recipe.stage, recipe.key)
    artifact.mark_used()
    assert artifact.table("names.parquet").num_rows == 150


def test_a_note_on_the_use_of_what_is_gone_is_removed(store, recipe):
    put(store, recipe)
    for key in (recipe.key, "0" * 32):
        store.objects.overwrite(usage.use_name("names", key), b"used\n")
    GarbageCollector(store, store.inventory().now(), dry_run=False).clear_locks()
    assert [info.name for info in store.objects.listing("used")] == [usage.use_name("names", recipe.key)]


def test_an_attempt_that_is_committed_at_the_last_moment_stays(store, recipe):
    artifact = put(store, recipe)
    name = f"{artifact.origin}/{artifact.manifest().attempt}"
    store.inventory().remove(name)
    assert store.verify(recipe.stage, recipe.key) == (True, "")


def test_a_dry_run_writes_nothing(store, recipe, proxy):
    put(store, recipe)
    Objects(store.objects.address).overwrite("readme.txt", b"mine")
    before = len(proxy.requests)
    with pytest.raises(StoreError, match="nothing that a run leaves"):
        list(maintenance_actions(MaintenanceConfig(max_size="1KB"), store.root, dry_run=True))
    assert {request.method for request in proxy.requests[before:]} <= {"GET", "HEAD"}
