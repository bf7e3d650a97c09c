"""What a person sees in Prefect of a generated list."""

from pathlib import Path
from typing import Any

import pytest
from small_lists import asked, manifest_of, trained

from rnn_core.errors import ConfigError, TrainingError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from tasks.config.settings import ListSettings, WorkerSettings

pytestmark = pytest.mark.usefixtures("prefect_url")
COUNT = 2 * NAMES_PER_BLOCK


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("trained"))


def test_a_list_is_a_flow_run_with_a_task_run_for_every_shard_one_progress_and_a_page(
    store: Path, tmp_path: Path, prefect_shows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.generate import generate
    from tasks.engines import prefect

    monkeypatch.setattr(prefect, "_PROGRESS_SECONDS", 0.05)
    settings = ListSettings(store=store, output=tmp_path / "list", workers=WorkerSettings("threads", 2))
    generate(asked(count=COUNT), settings)
    made = manifest_of(tmp_path / "list")
    of_run = {"flow_runs": {"id": {"any_": [made.run["flow_run"]]}}}

    (flow_run,) = prefect_shows("flow_runs", lambda runs: runs[0]["state_type"] == "COMPLETED", **of_run)
    assert flow_run["name"] == f"generate {COUNT}"
    task_runs = prefect_shows("task_runs", lambda runs: len(runs) == 2, **of_run)
    assert {run["name"] for run in task_runs} == {"shard 00000", "shard 00001"}
    artifacts = prefect_shows("artifacts", lambda found: len(found) == 2, **of_run)
    shown = {artifact["key"]: artifact for artifact in artifacts}
    assert shown["progress-names"]["data"] == 100.0
    assert f"{COUNT:,} of {COUNT:,}" in shown["progress-names"]["description"]
    assert "names/s" in shown["progress-names"]["description"]
    assert f"| names | {COUNT:,} |" in shown["generated-list"]["data"]
    assert made.metadata["content"] in shown["generated-list"]["data"]


def test_a_list_that_was_there_shows_as_cached(store: Path, tmp_path: Path, prefect_shows: Any) -> None:
    from flows.generate import generate

    settings = ListSettings(store=store, output=tmp_path / "list")
    config = asked(count=7, seed=77)
    for name in ("Completed", "Cached"):
        state = generate(config, settings, return_state=True)
        assert state.name == name
        assert state.message.startswith("7 names in 1 file, ")
    runs = prefect_shows(
        "flow_runs", lambda found: len(found) == 2, flow_runs={"name": {"any_": ["generate 7"]}}
    )
    assert {run["state_name"] for run in runs} == {"Completed", "Cached"}
    assert all({"namewright", "generate"} <= set(run["tags"]) for run in runs)


def test_a_model_with_too_few_names_is_the_error_that_the_flow_ends_with(store: Path, tmp_path: Path) -> None:
    from flows.generate import generate
    from tasks.engines.prefect import run_recorded

    settings = ListSettings(store=store, output=tmp_path / "list")
    config = asked(count=5000, unique=True, max_length=2)
    with pytest.raises(TrainingError, match=r"sampling\.too_few"):
        run_recorded(lambda: generate(config, settings), lambda: None, lambda _event: None)


def test_the_flow_is_loaded_as_prefect_loads_it() -> None:
    from prefect.flows import load_flow_from_entrypoint

    import flows.generate

    generate = load_flow_from_entrypoint(f"{flows.generate.__file__}:generate")
    assert generate.name == "generate"
    assert set(generate.parameters.properties) == {"config", "settings"}


def test_a_deployed_run_refuses_to_write_names_to_standard_output(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.generation import generation
    from tasks.monitoring import generated_list

    monkeypatch.setattr(generated_list, "is_deployed", lambda: True)
    with pytest.raises(ConfigError, match="no standard output"):
        generated_list.generate_list(asked(), ListSettings(store=store, output=Path("-")), generation)
