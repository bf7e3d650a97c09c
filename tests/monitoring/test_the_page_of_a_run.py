"""What a run leaves behind in Prefect beside its tasks: a page, tags, a state that says something, events."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_artifacts import recipe_of
from small_stages import Greeting, greeting, refusing

from artifacts.registry import Reference
from artifacts.store import Store
from rnn_core.errors import DataError
from tasks.config.settings import Settings
from tasks.core.events import Decided
from tasks.core.stage import StageRunner
from tasks.models.champion import Outcome

Compose = Callable[[StageRunner], Any]
PAGES = {"artifacts": {"key": {"any_": ["retrain-report"]}}}
pytestmark = pytest.mark.usefixtures("prefect_url")


def run_flow(name: str, store: Path, compose: Compose) -> None:
    from prefect import flow

    from tasks.monitoring.report import run_with_report

    def body() -> Any:
        return run_with_report(Settings(store), ["towns", "rivers"], compose)

    flow(name=name)(body)()


def of_flow(name: str) -> dict[str, Any]:
    return {"flows": {"name": {"any_": [name]}}}


def greet(run: StageRunner) -> None:
    run(greeting, Greeting("<b>Ana</b>"))


def ended(count: int) -> Callable[[list[Any]], bool]:
    return lambda runs: sum(run["state_type"] in ("COMPLETED", "FAILED") for run in runs) == count


def test_the_state_of_a_run_says_what_was_made_and_that_all_was_cached(
    tmp_path: Path, prefect_shows: Any
) -> None:
    for _ in range(2):
        run_flow("stated", tmp_path, greet)
    runs = prefect_shows("flow_runs", ended(2), sort="START_TIME_ASC", **of_flow("stated"))
    assert [run["state_name"] for run in runs] == ["Completed", "Cached"]
    made, cached = (run["state"]["message"].partition(" in ")[0] for run in runs)
    assert (made, cached) == ("1 computed, 0 cached", "0 computed, 1 cached")


def test_a_run_is_found_by_the_tags_of_its_lists(tmp_path: Path, prefect_shows: Any) -> None:
    from prefect import tags

    with tags("nightly"):
        run_flow("tagged", tmp_path, greet)
    (run,) = prefect_shows("flow_runs", ended(1), **of_flow("tagged"))
    assert set(run["tags"]) == {"nightly", "towns", "rivers"}


def test_every_run_has_a_page_under_one_key(tmp_path: Path, prefect_shows: Any) -> None:
    run_flow("shown", tmp_path, greet)
    (page,) = prefect_shows("artifacts", **PAGES, **of_flow("shown"))
    assert page["type"] == "markdown"
    assert r"| greeting \<b\>Ana\<\/b\> | computed |" in page["data"]
    assert "the store" in page["data"]


def test_a_run_that_failed_has_a_page_that_says_why_and_what_was_made(
    tmp_path: Path, prefect_shows: Any
) -> None:
    def refuse(run: StageRunner) -> None:
        run(refusing, Greeting(), before=run(greeting, Greeting("Bea")))

    with pytest.raises(DataError):
        run_flow("failed", tmp_path, refuse)
    (page,) = prefect_shows("artifacts", **PAGES, **of_flow("failed"))
    assert r"## Failed\: test\.refused" in page["data"]
    assert r"- fix\: greet somebody" in page["data"]
    assert "| greeting Bea | computed |" in page["data"]


def test_a_page_that_cannot_be_made_costs_no_run(
    tmp_path: Path, prefect_shows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    from tasks.monitoring import report, run_tags

    def refuse(*_: object, **__: object) -> None:
        raise httpx.ConnectError("nobody is there")

    monkeypatch.setattr(report, "create_markdown_artifact", refuse)
    monkeypatch.setattr(run_tags, "get_client", refuse)
    run_flow("unseen", tmp_path, greet)
    (run,) = prefect_shows("flow_runs", ended(1), **of_flow("unseen"))
    assert run["state_type"] == "COMPLETED"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from tasks.monitoring import events as prefect_events

    events: list[Any] = []
    monkeypatch.setattr(prefect_events, "emit", lambda *event: events.append(event))
    return events


@pytest.mark.parametrize(
    ("kind", "is_new", "event"),
    [
        ("promoted", True, "namewright.model.promoted"),
        ("promoted", False, "namewright.model.promoted"),
        ("refused", True, "namewright.model.refused"),
        ("refused", False, None),
        ("manual", True, "namewright.model.proposed"),
        ("stands", True, None),
    ],
)
def test_what_came_of_a_decision_is_told_once(
    kind: Any, is_new: bool, event: str | None, tmp_path: Path, told: list[Any]
) -> None:
    from tasks.monitoring.events import emit_decision

    decision = decided_on(Store(tmp_path))
    outcome = Outcome(kind, Reference("mixture", "1" * 32, "2" * 64), None, "mixture/111 did well")
    emit_decision(Decided("decision", decision, outcome), is_new)
    assert [one[0] for one in told] == ([event] if event else [])
    for _, resource, name, payload in told:
        assert resource == f"namewright.model.{'1' * 32}"
        assert name == payload["model"] == f"mixture/{'1' * 32}"
        assert payload["reasons"] == ["it is better"]


def test_a_promotion_is_told_even_if_the_run_fails_after_it(
    tmp_path: Path, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.engines import finalize

    decision = decided_on(Store(tmp_path))
    outcome = Outcome("promoted", Reference("mixture", "1" * 32, "2" * 64), None, "mixture/111 did well")

    def promote_and_fail(_root: Path, _made: object, listener: Any, _by: object) -> None:
        listener(Decided("decision", decision, outcome))
        raise DataError("test.full", "no room for the report", fix="make room")

    monkeypatch.setattr(finalize, "finalize", promote_and_fail)
    with pytest.raises(DataError):
        run_flow("promoted", tmp_path, greet)
    assert [event for event, *_ in told] == ["namewright.model.promoted"]


def decided_on(store: Store) -> Any:
    recipe = recipe_of("decision")
    draft = store.writer(recipe.stage, recipe.key)
    draft.write_text("decision.txt", "")
    draft.metadata.update(promote=True, reasons=["it is better"])
    return store.commit(draft, recipe, origins={}, seconds=0.1, run={})
