"""Runs whose store is a bucket: the digests of a folder, from any machine, whatever the bucket does."""

import pytest
import ready_commands
from machines import Machine
from s3_server import BUCKET, Proxy
from small_runs import files_of, outcomes


@pytest.fixture
def machine(s3_endpoint, tmp_path, small):
    """Makes machines, of this endpoint or another, on one address."""
    made = iter(range(100))

    def make(endpoint: str = s3_endpoint) -> Machine:
        options = [*small, "--training.epochs", "4"]
        return Machine(
            endpoint, tmp_path / f"machine-{next(made)}", options, f"s3://{BUCKET}/{tmp_path.name}"
        )

    return make


def test_a_run_has_the_same_bytes_in_a_bucket_as_in_a_folder_and_computes_nothing_elsewhere(
    machine, plain, tmp_path
):
    first, second = machine(), machine()
    assert set(first.run().values()) == {"computed"}
    assert set(second.run().values()) == {"cached"}
    assert set(plain().values()) == {"computed"}
    assert first.files == second.files == files_of(tmp_path / "store")


def test_an_unchanged_run_asks_at_most_twice_a_stage_and_brings_nothing_that_is_there(machine, s3_endpoint):
    with Proxy(s3_endpoint) as proxy:
        warm = machine(proxy.endpoint)
        stages = len(warm.run())
        proxy.requests.clear()
        proxy.bytes.clear()
        assert set(warm.run().values()) == {"cached"}
        assert proxy.count() <= 2 * stages
        assert not [request for request in proxy.requests if request.path.endswith((".parquet", ".npz"))]


def test_two_runs_at_once_on_two_machines_compute_each_stage_once(machine, tmp_path):
    machines = [machine() for _ in range(2)]
    processes = []
    for number, each in enumerate(machines):
        streams = tmp_path / f"streams-{number}"
        streams.mkdir()
        processes.append(ready_commands.start(each.words, each.folder, each.environment, streams))
    for process in processes:
        process.join(280)
        assert process.exitcode == 0
    both = [outcomes((tmp_path / f"streams-{number}" / "stdout").read_text()) for number in range(2)]
    assert both[0].keys() == both[1].keys()
    for stage in both[0]:
        assert sorted(each[stage] for each in both) == ["cached", "computed"], stage
    assert machines[0].files == machines[1].files


def test_a_run_is_whole_though_one_request_in_20_fails_and_one_in_50_breaks_off(machine, s3_endpoint):
    def fault(request):
        if request.number % 20 == 0:
            return "500"
        return "truncated" if request.method == "GET" and request.number % 50 == 7 else ""

    with Proxy(s3_endpoint, fault) as proxy:
        assert set(machine(proxy.endpoint).run().values()) == {"computed"}
        assert set(machine(proxy.endpoint).run().values()) == {"cached"}
    assert set(machine().run().values()) == {"cached"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "--store", "s3://no-such-bucket/x"], 4, "error[bucket.missing]: there is no such bucket"),
        (["run", "--store", "https://example.org/x"], 2, "error[config.store]"),
        (["models", "list", "--store", "s3://no-such-bucket/x"], 4, "error[bucket.missing]"),
        (["preview", "--store", "s3://no-such-bucket/x"], 4, "error[bucket.missing]"),
        (["generate", "--output", "ftp://example.org/x"], 2, "error[config.store]"),
        (["generate", "--output", f"s3://{BUCKET}/names.csv"], 2, "a list in a bucket is a data set"),
    ],
)
def test_an_address_where_nothing_can_be_is_one_error(machine, words, code, message):
    there = machine()
    ended = ready_commands.run(words, there.folder, there.environment, timeout=280)
    assert ended.returncode == code, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
