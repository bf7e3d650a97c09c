"""What a deployed run and its slot come to when the server, or the worker with it, dies."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import held_flow
import pytest
from deployed_site import SITE, Site
from small_runs import CORPORA

from artifacts.store import Store
from tasks.models.champion import champion_registry
from tasks.monitoring.source_changes import FILE as WATCHED
from tasks.report.publish import FILE
from tasks.server import background

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def created_run() -> Iterator[Callable[..., Any]]:
    """A run of a new deployment, of which there may be one at a time; it is deleted in the end."""
    with contextlib.ExitStack() as stack:

        def create(client: Any, flow: str, parameters: Any = None, **fields: Any) -> Any:
            flow_id = client.create_flow_from_name(flow)
            deployment = client.create_deployment(flow_id, "by itself", concurrency_limit=1, **fields)
            stack.callback(_delete, str(client.api_url), deployment)
            return client.create_flow_run_from_deployment(deployment, parameters=parameters)

        yield create


def _delete(url: str, deployment: UUID) -> None:
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(url) as client:
        client.delete_deployment(deployment)


def slots(client: Any, run: Any) -> int:
    """How many are taken in the deployment of this run."""
    limit = client.read_deployment(run.deployment_id).global_concurrency_limit
    return int(client.read_global_concurrency_limit_by_name(limit.name).active_slots)


def test_a_server_that_restarts_costs_no_run_and_no_slot(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, created_run: Callable[..., Any]
) -> None:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.states import Pending

    from tasks.monitoring import dead_runs

    go, leases = tmp_path / "go", site.folder / "prefect" / "concurrency_leases"
    with SyncPrefectClient(site.url) as client:
        running = created_run(
            client,
            "held",
            {"store": str(tmp_path / "store"), "until": str(go)},
            entrypoint=f"{held_flow.__file__}:held",
            work_pool_name="namewright",
            job_variables={"env": {"PYTHONPATH": str(Path(held_flow.__file__).parent)}},
        )
        site.wait(lambda: site.run(str(running.id))["state_type"] == "RUNNING")

        left = created_run(client, "watch", job_variables={"env": {"NAMEWRIGHT_SITE": SITE}})
        client.set_flow_run_state(left.id, Pending())
        assert slots(client, left) == 1
        server = background.require_server()
        os.kill(server.pid, signal.SIGKILL)
        background.stop()
        killed = time.time()
        background.start(say=lambda _text: None)
        lease = site.run(str(running.id))["state"]["state_details"]["deployment_concurrency_lease_id"]
        site.wait(lambda: (leases / f"{lease}.json").stat().st_mtime > killed)
        go.touch()

        ended = site.ended(str(running.id))
        assert (ended["state_type"], ended["state"]["message"].partition(" in ")[0]) == (
            "COMPLETED",
            "2 computed, 0 cached",
        )
        logs = site.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [str(running.id)]}}})
        assert [line["message"] for line in logs if "lease" in line["message"]] == []

        # What `watch` and `maintain` do after 15 minutes.
        monkeypatch.setattr(dead_runs, "PENDING_SECONDS", 0.0)
        assert ("crashed", f"the run {left.name}") in {each[:2] for each in dead_runs.cleared_runs(client)}
        assert site.run(str(left.id))["state_type"] == "CRASHED"
        assert (slots(client, running), slots(client, left)) == (0, 0)


@pytest.mark.usefixtures("prefect_url")
def test_a_retraining_whose_lease_is_lost_ends_with_its_promotion_and_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, created_run: Callable[..., Any]
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.concurrency import _leases
    from prefect.flow_engine import run_flow
    from prefect.states import Pending

    from flows.retrain import retrain
    from tasks.monitoring import report

    def lose_lease(_tags: Iterable[str]) -> None:
        """As the run begins: as if the server had forgotten it."""
        client.request("POST", "/v2/concurrency_limits/decrement-with-lease", json={"lease_id": lease})
        (renewal,) = [thread for thread in threading.enumerate() if lease in thread.name]
        renewal.join(60)
        assert not renewal.is_alive()

    monkeypatch.setattr(_leases, "_RENEWAL_FRACTION", 0.0001)  # of 300 s
    monkeypatch.setattr(report, "add_tags", lose_lease)
    config = {
        "sources": [{"name": "dinosaurs", "path": str(CORPORA / "dinosaurs.txt"), "limit": 60}],
        "training": {"hidden_size": 8, "epochs": 1},
        "evaluation": {"sample_names": 50},
        "sampling": {"count": 25},
    }
    with get_client(sync_client=True) as client:
        run = created_run(client, "retrain", {"config": config, "settings": {"store": str(tmp_path)}})
        client.set_flow_run_state(run.id, Pending())
        run = client.read_flow_run(run.id)
        lease = str(run.state.state_details.deployment_concurrency_lease_id)
        state: Any = run_flow(retrain, run, return_type="state")
        assert state.is_completed(), state
        assert slots(client, run) == 0
    assert champion_registry(Store(tmp_path), ["dinosaurs"]).current()
    assert "dinosaurs" in (tmp_path / WATCHED).read_text()  # so `watch` starts no other for this list
    assert (tmp_path / FILE).exists()
