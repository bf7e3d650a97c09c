"""What a person sees of the flows that keep a site in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.config.maintenance import MaintenanceConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source

if TYPE_CHECKING:
    from prefect.client.schemas import State

pytestmark = pytest.mark.usefixtures("prefect_url")


def watched(tmp_path: Path) -> tuple[str, str | None]:
    """The state in which a look at one list ends."""
    from flows.watch import watch

    towns = Source("towns", str(tmp_path / "towns.txt"))
    state = watch(RetrainConfig(sources=(towns,)), Settings(tmp_path / "store"), return_state=True)
    return state.name, state.message


@contextmanager
def retraining(state: "State[Any]") -> Iterator[None]:
    """A run of a deployed `retrain` that is in this state, until it has completed."""
    from prefect.client.orchestration import get_client
    from prefect.states import Completed

    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("retrain")
        deployment = client.create_deployment(flow, "by night")
        run = client.create_flow_run_from_deployment(deployment, state=state)
        yield
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
    from datetime import timedelta

    from prefect.states import Pending

    from tasks.monitoring import watch as prefect_watch

    (tmp_path / "towns.txt").write_text("Bern\n")
    with retraining(Pending()):
        assert watched(tmp_path)[0] == "Deferred"
        monkeypatch.setattr(prefect_watch, "_PENDING", timedelta(0))
        assert watched(tmp_path)[0] == "Changed"


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
