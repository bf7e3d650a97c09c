"""What a person sees of the flows that keep a site in order."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tasks.config.maintenance import MaintenanceConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source

if TYPE_CHECKING:
    from prefect.client.schemas import State

PATIENCE_SECONDS = 60.0
pytestmark = pytest.mark.usefixtures("prefect_url")


def watched(tmp_path: Path) -> tuple[str, str | None]:
    """The state in which a look at one list ends."""
    from flows.watch import watch

    towns = Source("towns", str(tmp_path / "towns.txt"))
    state = watch(RetrainConfig(sources=(towns,)), Settings(tmp_path / "store"), return_state=True)
    return state.name, state.message


def wait_for(what: Callable[[], Any]) -> Any:
    """What it gives, once that is something."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not (value := what()):
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.1)
    return value


@contextmanager
def retraining(state: "State[Any]") -> Iterator[UUID]:
    """A run of a deployed `retrain` that is in this state, until it has completed. Its id."""
    from prefect.client.orchestration import get_client
    from prefect.states import Completed

    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("retrain")
        deployment = client.create_deployment(flow, "by night")
        run = client.create_flow_run_from_deployment(deployment, state=state)
        try:
            yield run.id
        finally:
            client.set_flow_run_state(run.id, Completed(), force=True)


def test_a_look_at_the_lists_says_which_changed(tmp_path: Path) -> None:
    (tmp_path / "towns.txt").write_text("Bern\n")
    assert watched(tmp_path) == ("Changed", "changed: towns")
    assert watched(tmp_path) == ("Completed", "1 lists, none changed")


def test_a_change_that_the_server_was_not_told_of_is_told_by_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    from tasks.monitoring import events

    async def refuse(_event: object) -> None:
        raise httpx.ConnectError("nobody there")

    (tmp_path / "towns.txt").write_text("Bern\n")
    with monkeypatch.context() as patch:
        patch.setattr(events, "_post", refuse)
        name, message = watched(tmp_path)
    assert name == "Failed"
    assert "error[server.gone]: the Prefect server did not answer" in str(message)
    assert watched(tmp_path) == ("Changed", "changed: towns")


def test_what_changed_is_told_once_the_retraining_that_is_going_has_ended(tmp_path: Path) -> None:
    from prefect.states import Running

    (tmp_path / "towns.txt").write_text("Bern\n")
    with retraining(Running()):
        assert watched(tmp_path)[0] == "Deferred"
    assert watched(tmp_path) == ("Changed", "changed: towns")


def test_a_retraining_that_its_worker_never_began_hides_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.states import Pending

    from tasks.monitoring import dead_runs

    (tmp_path / "towns.txt").write_text("Bern\n")
    with retraining(Pending()):
        assert watched(tmp_path)[0] == "Deferred"
        monkeypatch.setattr(dead_runs, "PENDING_SECONDS", 0.0)
        assert watched(tmp_path)[0] == "Changed"


def test_a_retraining_without_a_heartbeat_holds_up_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.events import Event, Resource
    from prefect.states import Running

    from tasks.monitoring import dead_runs

    monkeypatch.setattr(dead_runs, "SILENT_SECONDS", 0.0)
    (tmp_path / "towns.txt").write_text("Bern\n")
    with retraining(Running()) as run, get_client(sync_client=True) as client:
        assert watched(tmp_path)[0] == "Deferred"  # its heartbeats may be turned off
        resource = Resource({"prefect.resource.id": f"prefect.flow-run.{run}"})
        heartbeat = Event(event="prefect.flow-run.heartbeat", resource=resource)
        client.request("POST", "/events", json=[heartbeat.model_dump(mode="json")])
        beats = {"event": {"name": [heartbeat.event]}, "resource": {"id": [resource.id]}}
        wait_for(lambda: client.request("POST", "/events/filter", json={"filter": beats}).json()["events"])
        assert watched(tmp_path)[0] == "Changed"


def test_a_change_whose_retraining_never_began_is_told_again(tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger
    from prefect.states import Cancelled

    from tasks.monitoring.events import CORPUS_CHANGED

    (tmp_path / "towns.txt").write_text("Bern\n")
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow_from_name("retrain"), "by event")
        trigger = EventTrigger(expect={CORPUS_CHANGED}, posture="Reactive", threshold=1, within=0)
        automation = client.create_automation(
            AutomationCore(name="begins", trigger=trigger, actions=[RunDeployment(deployment_id=deployment)])
        )
        try:
            assert watched(tmp_path)[0] == "Changed"
            of_deployment = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
            (run,) = wait_for(lambda: client.read_flow_runs(flow_run_filter=of_deployment))
            assert watched(tmp_path)[0] == "Deferred"
            client.set_flow_run_state(run.id, Cancelled(message="Deployment concurrency limit reached."))
            assert watched(tmp_path)[0] == "Changed"
        finally:
            client.delete_automation(automation)
            client.delete_deployment(deployment)


def test_a_store_that_is_put_in_order_shows_what_was_wrong(tmp_path: Path, prefect_shows: Any) -> None:
    from flows.maintain import maintain

    left = tmp_path / "scratch" / f"names-{'0' * 32}"
    left.mkdir(parents=True)
    of_flow = {"flows": {"name": {"any_": ["maintain"]}}}

    state = maintain(MaintenanceConfig(), tmp_path, dry_run=True, return_state=True)
    assert state.message == "0 artifacts whole, 0 found damaged, 1 would be removed (0.0 MB)"
    assert left.exists()
    state = maintain(MaintenanceConfig(), tmp_path, return_state=True)
    assert state.message == "0 artifacts whole, 0 set aside as damaged, 1 removed (0.0 MB)"
    assert not left.exists()

    shown = prefect_shows("artifacts", lambda found: len(found) == 2, **of_flow)
    assert [(each["key"], each["type"]) for each in shown] == [("maintenance", "table")] * 2
    assert shown[0]["description"].startswith(f"{tmp_path}: 0 artifacts whole")
    assert f"scratch/names-{'0' * 32}" in shown[0]["data"]


def test_what_dead_runs_left_on_the_server_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Pending

    from flows.maintain import maintain
    from tasks.monitoring import dead_runs

    (tmp_path / "towns.txt").write_text("Bern\n")

    monkeypatch.setattr(dead_runs, "PENDING_SECONDS", 0.0)
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("retrain")
        deployment = client.create_deployment(
            flow, "left behind", concurrency_limit=2, job_variables={"env": {"NAMEWRIGHT_SITE": "towns"}}
        )
        limit = client.read_deployment(deployment).global_concurrency_limit
        assert limit
        run = client.create_flow_run_from_deployment(deployment)
        client.set_flow_run_state(run.id, Pending())
        client.increment_concurrency_slots([limit.name], 1, "concurrency")  # as by a lease that is lost
        state = maintain(MaintenanceConfig(), tmp_path, return_state=True)
        assert str(state.message).endswith("; 1 dead runs were marked as crashed, 1 unheld slots were freed")
        assert client.read_flow_run(run.id).state_name == "Crashed"
        assert client.read_global_concurrency_limit_by_name(limit.name).active_slots == 0
        run = client.create_flow_run_from_deployment(deployment)
        client.set_flow_run_state(run.id, Pending())
        assert watched(tmp_path)[0] == "Changed"  # every look at the lists does the same
        assert client.read_flow_run(run.id).state_name == "Crashed"
        client.delete_deployment(deployment)


def test_a_dead_run_of_a_command_is_cleared_and_no_run_of_a_foreign_flow_of_that_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.events import Event, Resource
    from prefect.states import Running

    from tasks.monitoring import dead_runs

    @flow(name="retrain")
    def retrain() -> None: ...

    monkeypatch.setattr(dead_runs, "SILENT_SECONDS", 0.0)
    with get_client(sync_client=True) as client:
        runs = {
            kind: client.create_flow_run(retrain, name=kind, tags=tags, state=Running())
            for kind, tags in (("ours", ["namewright", "retrain"]), ("foreign", ["retrain"]))
        }
        ids = [f"prefect.flow-run.{run.id}" for run in runs.values()]
        beats = [
            Event(event="prefect.flow-run.heartbeat", resource=Resource({"prefect.resource.id": name}))
            for name in ids
        ]
        client.request("POST", "/events", json=[beat.model_dump(mode="json") for beat in beats])
        seen = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": ids}}
        wait_for(
            lambda: len(client.request("POST", "/events/filter", json={"filter": seen}).json()["events"]) == 2
        )
        assert [cleared.what for cleared in dead_runs.cleared_runs(client)] == ["the run ours"]
        assert client.read_flow_run(runs["ours"].id).state_name == "Crashed"
        assert client.read_flow_run(runs["foreign"].id).state_name == "Running"
