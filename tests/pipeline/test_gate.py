"""The gate between the lists and training."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifacts.store import Store
from data.config import GateConfig
from flows.pipeline import Lists, lists, pipeline
from rnn_core.errors import DataError
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.core.events import Finished
from tasks.core.plan import Plan
from tasks.engines.plain import stage_runner
from tasks.stages.gate_rule import GateRefused

TOWNS = [
    f"{first}{last}"
    for first in ("Bern", "Zür", "Ölten", "Genf")
    for last in ("au", "ís", "wil", "dorf", "é")
]
BEFORE_THE_GATE = ["corpus", "merged", "validated", "profile", "gate"]


class Runs:
    """Runs of the pipeline on lists of towns, of which the first was accepted."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(store=folder / "store")
        self.list = folder / "towns.txt"
        self.config = RetrainConfig(
            sources=(Source("towns", str(self.list)),),
            training=TrainingConfig(hidden_size=4, epochs=1),
            sampling=SamplingConfig(count=5),
        )
        self.accepted = self.accept(self.change(TOWNS))

    def accept(self, config: RetrainConfig) -> Lists:
        """Without learning anything."""
        with stage_runner(self.settings, lambda _event: None) as run:
            return lists(config, run)

    def change(self, names: list[str], gate: GateConfig = GateConfig(), **others: Any) -> RetrainConfig:
        self.list.write_text("\n".join(names) + "\n")
        return replace(self.config, gate=gate, **others)

    def run(self, config: RetrainConfig, workers: WorkerSettings | None = None) -> list[Finished]:
        """The finished stages, also of a run that was refused."""
        events: list[Finished] = []
        try:
            with stage_runner(self.settings, events.append, workers) as run:
                pipeline(config, run)
        finally:
            self.finished = [event for event in events if isinstance(event, Finished)]
        return self.finished

    @contextmanager
    def refused(self) -> Iterator[list[GateRefused]]:
        errors: list[GateRefused] = []
        with pytest.raises(GateRefused) as caught:
            yield errors
        errors.append(caught.value)

    def stages(self) -> list[str]:
        return [event.stage for event in self.finished]


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def test_half_a_list_is_refused_before_training_and_the_changes_stay(runs):
    config = runs.change(TOWNS[::2])
    with runs.refused() as errors:
        runs.run(config)
    (error,) = errors
    assert (error.code, error.exit_code) == ("gate.refused", 8)
    assert "names lost: 50.0%, more than gate.max_rows_lost = 0.1 (before 20, now 10)" in error.saw
    assert "--gate.mode report" in error.fix
    assert runs.stages() == BEFORE_THE_GATE
    assert not (runs.settings.store / "vocabulary").exists()
    gate = runs.finished[-1].artifact
    assert error.where == str(gate.folder / "changes.parquet")
    assert gate.table("changes.parquet").num_rows
    assert gate.manifest().metadata["passed"] is False


def test_a_refused_list_is_refused_every_time_also_when_the_gate_is_cached(runs):
    config = runs.change(TOWNS[::2])
    for reused in (False, True):
        with runs.refused():
            runs.run(config)
        assert runs.stages() == BEFORE_THE_GATE
        assert runs.finished[-1].reused is reused


def test_every_reason_is_a_line_of_the_error_and_characters_are_named(runs):
    config = runs.change(["Ω\u0331" * 9, *(town.encode().decode("latin-1") for town in TOWNS)])
    with runs.refused() as errors:
        runs.run(config)
    (error,) = errors
    assert "letters of new characters" in error.saw
    assert "Ã " in error.saw
    assert "◌\u0331 9" in error.saw
    assert "letters of lost characters" in error.saw
    assert all(line.startswith("         ") for line in str(error).splitlines()[3:-1])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_refused_list_is_accepted_by_a_higher_limit_or_by_a_gate_that_only_reports(runs):
    for gate in (GateConfig(max_rows_lost=0.6), GateConfig(max_rows_lost=None), GateConfig(mode="report")):
        runs.accept(runs.change(TOWNS))
        passed = runs.accept(runs.change(TOWNS[::2], gate)).gate
        assert passed.manifest().metadata["passed"] is (gate.mode == "stop")
        runs.accept(runs.change(TOWNS, GateConfig(mode="report")))
    assert passed.manifest().metadata["reasons"]


def test_lists_without_earlier_ones_pass(runs):
    gate = runs.accepted.gate
    assert gate.manifest().metadata == {"passed": True, "reasons": []}
    assert gate.table("changes.parquet").num_rows == 0


def test_lists_of_other_sources_are_other_lists_and_each_has_its_own_last_accepted_ones(runs):
    others = runs.change(["Ω"], sources=(Source("rivers", str(runs.list)),))
    assert runs.accept(others).gate.table("changes.parquet").num_rows == 0
    with runs.refused():
        runs.accept(runs.change(["Ω"]))


def test_an_accepted_list_is_what_the_next_one_is_compared_with_and_the_same_list_is_compared_as_before(runs):
    more = [*TOWNS, *(f"{town}is" for town in TOWNS[:10])]
    first, again = (runs.accept(runs.change(more)).gate for _ in range(2))
    assert again == first
    assert first.table("changes.parquet")["before"][1].as_py() == len(TOWNS)
    third = runs.accept(runs.change(more[:-1])).gate
    assert third.table("changes.parquet")["before"][1].as_py() == len(more)


def test_a_refused_list_is_never_what_the_next_one_is_compared_with(runs):
    with runs.refused():
        runs.accept(runs.change(TOWNS[::2]))
    assert runs.accept(runs.change(TOWNS)).gate == runs.accepted.gate


def test_a_list_that_a_reporting_gate_let_pass_is_accepted(runs):
    half = runs.change(TOWNS[::2], GateConfig(mode="report"))
    runs.accept(half)
    runs.accept(runs.change(TOWNS[::2]))  # whatever its gate says: these are the last accepted ones
    assert runs.accept(runs.change(TOWNS[::2][:-1])).gate.manifest().metadata["passed"]


def test_accepted_lists_of_which_nothing_is_known_any_more_are_one_clear_error(runs):
    profile = runs.accepted.profile
    config = runs.change([*TOWNS, "Bernis"])
    Store(runs.settings.store).remove(profile)
    with pytest.raises(DataError, match=r"gate\.accepted_lost") as lost:
        runs.accept(config)
    assert str(profile.folder) in lost.value.where
    runs.accept(runs.change(TOWNS))  # which makes it again
    runs.accept(runs.change([*TOWNS, "Bernis"]))


def test_a_list_that_grew_a_little_is_trained_on(runs):
    assert runs.run(runs.change([*TOWNS, "Bernis"]))[-1].stage == "report"


def test_the_notebooks_recipe_passes_the_gate_as_well(runs):
    config = runs.change(TOWNS[::2], recipe="notebook", training=TrainingConfig())
    with runs.refused():
        runs.run(config)
    assert runs.stages() == BEFORE_THE_GATE


def test_stages_side_by_side_wait_for_the_gate(runs):
    config = runs.change(TOWNS[::2])
    with runs.refused():
        runs.run(config, WorkerSettings(workers=2))
    assert set(runs.stages()) == set(BEFORE_THE_GATE)
    assert not (runs.settings.store / "vocabulary").exists()


def test_a_dry_run_ends_where_the_run_would_be_refused(runs):
    config = runs.change(TOWNS[::2])
    for has_run in (False, True):  # what the gate will find is foreseen
        plan = Plan(runs.settings)
        with runs.refused():
            pipeline(config, plan)
        assert [planned.stage for planned in plan.stages] == BEFORE_THE_GATE
        if not has_run:
            with runs.refused():
                runs.run(config)


def test_prefect_shows_that_the_gate_failed_and_that_nothing_came_after_it(runs, prefect_shows):
    from prefect import flow

    from tasks.engines.prefect import run_recorded, stage_runner

    config = runs.change(TOWNS[::2])

    def gated() -> None:
        with stage_runner(runs.settings) as run:
            pipeline(config, run)

    with runs.refused():
        run_recorded(flow(name="gated")(gated), lambda: None, lambda _event: None)
    task_runs = prefect_shows(
        "task_runs", lambda found: any(run["state_type"] == "FAILED" for run in found),
        flows={"name": {"any_": ["gated"]}},
    )  # fmt: skip
    states = {run["name"]: run["state_type"] for run in task_runs}
    assert states.pop("gate") == "FAILED"
    assert set(states) == {"corpus towns", "merged", "validated", "profile"}
    (flow_run,) = prefect_shows(
        "flow_runs", lambda found: found[0]["state_type"] == "FAILED", flows={"name": {"any_": ["gated"]}}
    )
    assert "gate.refused" in flow_run["state"]["message"] or "GateRefused" in flow_run["state"]["message"]
