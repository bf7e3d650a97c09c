"""The gate between the lists and what is learnt from them."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from artifacts.store import Artifact
from data.config import GateConfig
from flows.pipeline import lists, pipeline
from rnn_core.errors import GateRefused
from rnn_core.sampling import SamplingConfig
from rnn_core.training_config import TrainingConfig
from tasks import stages
from tasks.config import RetrainConfig
from tasks.planning import Plan
from tasks.progress import Finished
from tasks.runners import Workers
from tasks.running import producing
from tasks.settings import Settings
from tasks.sources import Source
from tasks.stage import Stage, StageRunner

TOWNS = [
    f"{first}{last}"
    for first in ("Bern", "Zür", "Ölten", "Genf")
    for last in ("au", "ís", "wil", "dorf", "é")
]
BEFORE_THE_GATE = ["corpus", "merged", "validated", "profile", "gate"]


@dataclass
class Against:
    """A runner whose gate compares with these lists."""

    run: StageRunner
    accepted: Artifact

    def __call__(self, stage: Stage, config: Any, **inputs: Any) -> Any:
        return self.run(
            stage, config, **inputs, **({"accepted": self.accepted} if stage is stages.gate else {})
        )

    def wait(self, promises: Any) -> Any:
        return self.run.wait(promises)


class Runs:
    """Runs of the pipeline on lists of towns, each against the first one."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(store=folder / "store")
        self.list = folder / "towns.txt"
        self.config = RetrainConfig(
            sources=(Source("towns", str(self.list)),),
            training=TrainingConfig(hidden_size=4, epochs=1),
            sampling=SamplingConfig(count=5),
        )
        self.accepted = self.profiled(TOWNS)

    def profiled(self, names: list[str]) -> Artifact:
        self.list.write_text("\n".join(names) + "\n")
        with producing(self.settings, lambda _event: None) as run:
            return lists(self.config, run).profile

    def change(self, names: list[str], gate: GateConfig = GateConfig(), **others: Any) -> RetrainConfig:
        self.list.write_text("\n".join(names) + "\n")
        return replace(self.config, gate=gate, **others)

    def run(self, config: RetrainConfig, workers: Workers | None = None) -> list[Finished]:
        """What was told, also of a run that was refused."""
        told: list[Finished] = []
        try:
            with producing(self.settings, told.append, workers) as run:
                pipeline(config, Against(run, self.accepted))
        finally:
            self.told = [event for event in told if isinstance(event, Finished)]
        return self.told

    @contextmanager
    def refused(self) -> Iterator[list[GateRefused]]:
        errors: list[GateRefused] = []
        with pytest.raises(GateRefused) as caught:
            yield errors
        errors.append(caught.value)

    def stages(self) -> list[str]:
        return [event.stage for event in self.told]


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def test_half_a_list_is_refused_before_anything_is_learnt_and_the_findings_stay(runs):
    config = runs.change(TOWNS[::2])
    with runs.refused() as errors:
        runs.run(config)
    (error,) = errors
    assert (error.code, error.exit_code) == ("gate.refused", 8)
    assert "names lost: 50.0%, more than gate.max_rows_lost = 0.1 (before 20, now 10)" in error.saw
    assert "--gate.mode report" in error.fix
    assert runs.stages() == BEFORE_THE_GATE
    assert not (runs.settings.store / "vocabulary").exists()
    gate = runs.told[-1].artifact
    assert error.where == str(gate.folder / "changes.parquet")
    assert gate.table("changes.parquet").num_rows
    assert gate.manifest().facts["passed"] is False


def test_a_refused_list_is_refused_every_time_also_when_the_gate_was_found_in_the_store(runs):
    config = runs.change(TOWNS[::2])
    for reused in (False, True):
        with runs.refused():
            runs.run(config)
        assert runs.stages() == BEFORE_THE_GATE
        assert runs.told[-1].reused is reused


def test_every_reason_is_a_line_of_the_error_and_characters_are_named(runs):
    config = runs.change(["Ω\u0331" * 9, *(town.encode().decode("latin-1") for town in TOWNS)])
    with runs.refused() as errors:
        runs.run(config)
    (error,) = errors
    assert "letters of new characters" in error.saw
    assert "Ã " in error.saw
    assert "◌\u0331 9" in error.saw
    assert "letters of characters that are gone" in error.saw
    assert all(line.startswith("         ") for line in str(error).splitlines()[3:-1])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_refused_list_is_accepted_by_a_higher_limit_or_by_a_gate_that_only_reports(runs):
    for gate in (GateConfig(max_rows_lost=0.6), GateConfig(max_rows_lost=None), GateConfig(mode="report")):
        config = runs.change(TOWNS[::2], gate)
        assert runs.run(config)[-1].stage == "report"
    assert runs.told[4].artifact.manifest().facts["reasons"] != []


def test_lists_without_earlier_ones_are_let_through(runs):
    runs.change(["Ω"])
    with producing(runs.settings, lambda _event: None) as run:
        gate = lists(runs.config, run).gate
    assert gate.manifest().facts == {"passed": True, "reasons": []}
    assert gate.table("changes.parquet").num_rows == 0


def test_a_list_that_grew_a_little_is_learnt(runs):
    assert runs.run(runs.change([*TOWNS, "Bernis"]))[-1].stage == "report"


def test_the_notebooks_recipe_passes_the_gate_as_well(runs):
    config = runs.change(TOWNS[::2], recipe="notebook", training=TrainingConfig())
    with runs.refused():
        runs.run(config)
    assert runs.stages() == BEFORE_THE_GATE


def test_stages_side_by_side_wait_for_the_gate(runs):
    config = runs.change(TOWNS[::2])
    with runs.refused():
        runs.run(config, Workers(workers=2))
    assert set(runs.stages()) == set(BEFORE_THE_GATE)
    assert not (runs.settings.store / "vocabulary").exists()


def test_a_dry_run_ends_where_the_run_would_be_refused(runs):
    config = runs.change(TOWNS[::2])
    plan = Plan(runs.settings)
    pipeline(config, Against(plan, runs.accepted))  # what the gate will find is not known yet
    assert plan.stages[-1].stage == "report"
    with runs.refused():
        runs.run(config)
    plan = Plan(runs.settings)
    with runs.refused():
        pipeline(config, Against(plan, runs.accepted))
    assert [planned.stage for planned in plan.stages] == BEFORE_THE_GATE


def test_prefect_shows_that_the_gate_failed_and_that_nothing_came_after_it(runs, prefect_shows):
    from prefect import flow

    from tasks.prefect_engine import recorded, submitting

    config = runs.change(TOWNS[::2])

    def gated() -> None:
        with submitting(runs.settings) as run:
            pipeline(config, Against(run, runs.accepted))

    with runs.refused():
        recorded(flow(name="gated")(gated), lambda: None, lambda _event: None)
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
