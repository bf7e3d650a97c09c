"""What a person sees in Prefect of a run, and what a run owes to Prefect: nothing."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_stages import STEPS, Greeting, counting, greeting, reading, refusing, stumbling

from rnn_core.errors import DataError
from tasks.config.settings import Settings
from tasks.core.events import Event, Finished, Notice, Progress
from tasks.core.stage import StageRunner

Compose = Callable[[StageRunner], Any]
pytestmark = pytest.mark.usefixtures("prefect_url")


def run_flow(name: str, store: Path, compose: Compose) -> list[Event]:
    """One run of a flow of that name, as the command starts it; what its stages told."""
    from prefect import flow

    from tasks.engines.prefect import run_recorded, stage_runner

    def body() -> None:
        with stage_runner(Settings(store)) as run:
            compose(run)

    def never() -> None:
        pytest.fail("the server was there")

    told: list[Event] = []
    run_recorded(flow(name=name)(body), never, told.append)
    return told


def of_flow(name: str) -> dict[str, dict[str, list[str]]]:
    return {"name": {"any_": [name]}}


def both_ended(runs: list[Any]) -> bool:
    return [run["state_type"] for run in runs] == ["COMPLETED", "COMPLETED"]


def greet_twice(run: StageRunner) -> None:
    first = run(greeting, Greeting("Ana"))
    run(greeting, Greeting("Bea"), before=[first])


def test_a_reused_stage_shows_as_cached_in_prefect(tmp_path: Path, prefect_shows: Any) -> None:
    run_flow("first", tmp_path, greet_twice)
    run_flow("second", tmp_path, greet_twice)

    made = prefect_shows("task_runs", both_ended, flows=of_flow("first"))
    assert [run["state_name"] for run in made] == ["Completed", "Completed"]
    reused = prefect_shows("task_runs", both_ended, flows=of_flow("second"))
    assert [run["state_name"] for run in reused] == ["Cached", "Cached"]


def test_an_artifact_removed_between_its_finding_and_its_reading_is_made_again_in_prefect(
    tmp_path: Path, prefect_shows: Any
) -> None:
    from prefect import flow

    from tasks.engines.prefect import run_recorded
    from tasks.monitoring.report import run_with_report

    run_flow("made", tmp_path, lambda run: run(greeting, Greeting("Ana")))
    removed: list[Path] = []

    def compose(run: StageRunner) -> None:
        (first,) = run.wait([run(greeting, Greeting("Ana"))])
        if not removed:
            removed.append(first.folder)
            shutil.rmtree(first.folder)
        run(reading, Greeting(), greeting=first)

    def body() -> Any:
        return run_with_report(Settings(tmp_path), (), compose)

    told: list[Event] = []
    run_recorded(flow(name="removed")(body), lambda: pytest.fail("the server was there"), told.append)
    assert [event.reused for event in told if isinstance(event, Finished)] == [True, False, False]
    (notice,) = (event.text for event in told if isinstance(event, Notice))
    assert notice == f"{removed[0]} was removed meanwhile: it is made again"
    assert (removed[0] / "greeting.txt").read_text() == "hello Ana"
    (run,) = prefect_shows(
        "flow_runs", lambda runs: runs[0]["state_type"] == "COMPLETED", flows=of_flow("removed")
    )
    assert run["state_name"] == "Completed"


def test_runs_in_prefect_are_named_for_what_they_do(tmp_path: Path, prefect_shows: Any) -> None:
    run_flow("named", tmp_path, greet_twice)
    runs = prefect_shows("task_runs", both_ended, flows=of_flow("named"))
    assert {run["name"] for run in runs} == {"greeting Ana", "greeting Bea"}


def test_the_log_in_prefect_says_what_was_made_and_what_was_reused(
    tmp_path: Path, prefect_shows: Any
) -> None:
    run_flow("logged", tmp_path, greet_twice)
    run_flow("logged", tmp_path, greet_twice)
    flow_runs = prefect_shows("flow_runs", lambda runs: len(runs) == 2, flows=of_flow("logged"))
    filters = {"logs": {"flow_run_id": {"any_": [run["id"] for run in flow_runs]}}}

    def lines(logs: list[Any]) -> list[str]:
        return sorted(log["message"] for log in logs if log["message"].startswith("greeting "))

    found = lines(prefect_shows("logs", lambda logs: len(lines(logs)) == 4, **filters))
    assert [re.sub(r"\d+\.\d s", "0.0 s", line.partition(" (key ")[0]) for line in found] == [
        "greeting Ana: made in 0.0 s",
        "greeting Ana: reused",
        "greeting Bea: made in 0.0 s",
        "greeting Bea: reused",
    ]


def test_an_artifact_tells_which_flow_run_made_it(tmp_path: Path, prefect_shows: Any) -> None:
    told = run_flow("lineage", tmp_path, lambda run: run(greeting, Greeting()))
    (finished,) = [event for event in told if isinstance(event, Finished)]
    (flow_run,) = prefect_shows("flow_runs", flows=of_flow("lineage"))
    assert finished.artifact.manifest().run == {
        "engine": "prefect",
        "flow_run": flow_run["id"],
        "flow_run_name": flow_run["name"],
    }


def test_progress_of_a_long_stage_is_visible_in_prefect(
    tmp_path: Path, prefect_shows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.engines import prefect

    monkeypatch.setattr(prefect, "_PROGRESS_SECONDS", 0.05)
    told = run_flow("counted", tmp_path, lambda run: run(counting, Greeting()))
    assert sum(isinstance(event, Progress) for event in told) == STEPS
    (shown,) = prefect_shows("artifacts", flows=of_flow("counted"))
    assert (shown["type"], shown["key"], shown["data"]) == ("progress", "progress-counting", 100.0)
    assert shown["description"] == "counting: 20 of 20  greeting Ana"


def test_an_error_of_ours_reaches_the_caller_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody is greeted") as caught:
        run_flow("refused", tmp_path, lambda run: run(greeting, Greeting(), before=run(refusing, Greeting())))
    assert (caught.value.code, caught.value.exit_code) == ("test.refused", 3)
    assert not (tmp_path / "greeting").exists()


def test_an_error_of_ours_is_logged_as_its_plain_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DataError):
        run_flow("logged refusal", tmp_path, lambda run: run(refusing, Greeting()))
    assert "error[test.refused]: nobody is greeted\n  where: greeting.txt" in caplog.text
    assert "Traceback" not in caplog.text


def test_an_error_that_nobody_expected_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="nobody expected this"):
        run_flow("stumbled", tmp_path, lambda run: run(stumbling, Greeting()))


def test_prefects_own_setting_makes_a_stage_again(tmp_path: Path) -> None:
    from prefect.settings import PREFECT_TASKS_REFRESH_CACHE, temporary_settings

    def reused() -> bool:
        told = run_flow("refreshed", tmp_path, lambda run: run(greeting, Greeting()))
        return next(event.reused for event in told if isinstance(event, Finished))

    assert [reused(), reused()] == [False, True]
    with temporary_settings({PREFECT_TASKS_REFRESH_CACHE: True}):
        assert not reused()


def test_the_flow_is_loaded_as_prefect_loads_it() -> None:
    from prefect.flows import load_flow_from_entrypoint

    import flows.retrain

    retrain = load_flow_from_entrypoint(f"{flows.retrain.__file__}:retrain")
    assert retrain.name == "retrain"
    assert set(retrain.parameters.properties) == {"config", "settings"}
