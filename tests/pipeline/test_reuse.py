import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import COMMAND, STAGES_BY_NAME, files_of, outcomes

from artifacts.registry import Reference
from artifacts.store import Store
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.settings import Settings
from tasks.core.stage import Stage

IN_A_STORE = pytest.mark.usefixtures("stored")
STAGES = [
    *("corpus argentine", "corpus dinosaurs", "merged", "validated", "profile", "gate"),
    *("vocabulary", "examples"),
    *("model 8 units", "mixture", "evaluation", "names 25", "decision", "report"),
]


def computed(found):
    return [stage for stage, outcome in found.items() if outcome == "computed"]


def snapshot(folder: Path):
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(folder.rglob("*"))}


def test_a_second_run_computes_nothing_and_writes_nothing(plain, tmp_path):
    assert computed(plain()) == STAGES
    before = snapshot(tmp_path / "store")
    assert plain() == dict.fromkeys(STAGES, "cached")
    assert snapshot(tmp_path / "store") == before


@IN_A_STORE
def test_another_learning_rate_recomputes_the_model_and_what_follows_and_nothing_before(plain):
    assert computed(plain("--training.learning-rate", "0.01")) == STAGES[STAGES.index("model 8 units") :]
    # The first model is still there; at most it is compared with what was promoted since.
    assert set(computed(plain())) <= {"decision"}


@IN_A_STORE
def test_touching_a_corpus_file_recomputes_nothing(plain, lists):
    os.utime(lists[0], (1, 1))
    assert computed(plain()) == []


@IN_A_STORE
def test_changing_one_name_recomputes_what_depends_on_it(plain, lists):
    argentine, _ = lists
    argentine.write_text(argentine.read_text().replace("Simon Soraya", "Simone Soraya", 1))
    again = plain()
    assert again["corpus dinosaurs"] == "cached"
    assert {"corpus argentine", "merged", "validated", "examples", "model 8 units"} <= set(computed(again))


@IN_A_STORE
def test_a_change_that_leaves_the_same_names_stops_at_the_stage_that_sees_none(plain, lists):
    _, dinosaurs = lists
    dinosaurs.write_bytes(dinosaurs.read_bytes().replace(b"\n", b"\r\n"))  # other bytes, the same lines
    assert computed(plain()) == ["corpus dinosaurs"]


def test_a_dry_run_says_what_it_would_compute_and_which_part_of_the_key_changed(
    namewright, quick, plain, tmp_path
):
    plain("--training.learning-rate", "0.02")
    before = snapshot(tmp_path / "store")
    changed = ("--training.learning-rate", "0.01")
    plan = namewright("run", "--engine", "plain", *quick, "--dry-run", *changed).stdout.splitlines()
    assert next(line for line in plan if line.startswith("examples")).endswith("cached")
    assert plan[0] == "learning_rate 0.02 → 0.01"
    assert plan[1].startswith("6 of 14 stages would be computed: model 8 units, mixture, evaluation, names")
    assert any("learning_rate 0.02 → 0.01" in line for line in plan if line.startswith("model"))
    assert any("follows from mixture" in line for line in plan if line.startswith("names"))
    assert snapshot(tmp_path / "store") == before


def test_a_dry_run_names_the_changed_list_and_what_changed_in_it(namewright, quick, lists, tmp_path, stored):
    argentine, dinosaurs = lists
    argentine.write_text(argentine.read_text() + "Zyzzyva\n")
    dinosaurs.write_bytes(dinosaurs.read_bytes().replace(b"\n", b"\r\n"))  # other bytes, the same lines
    before = snapshot(stored)
    plan = namewright("run", *quick, "--dry-run").stdout.splitlines()
    assert plan[0] == f"{argentine.relative_to(tmp_path)} changed: 1 name added"
    assert plan[1] == f"{dinosaurs.relative_to(tmp_path)} changed: the same names"
    assert any(line.startswith("gate ") and "compute" in line for line in plan), "it has passed"
    assert snapshot(stored) == before


@IN_A_STORE
def test_a_list_with_other_bytes_and_the_same_names_is_known_to_change_nothing_else(namewright, quick, lists):
    _, dinosaurs = lists
    dinosaurs.write_bytes(dinosaurs.read_bytes().replace(b"\n", b"\r\n"))
    plan = namewright("run", *quick, "--dry-run").stdout.splitlines()
    assert plan[1] == "1 of 14 stages would be computed: corpus dinosaurs"


@IN_A_STORE
def test_a_value_that_is_in_use_already_recomputes_nothing(namewright, quick, plain):
    in_use = ("--training.dropout", "0.3", "--training.learning-rate", "0.003", "--training.cell", "gru")
    assert computed(plain(*in_use)) == []
    plan = namewright("run", *quick, "--dry-run", *in_use).stdout.splitlines()
    assert plan[0] == "nothing to compute: all 14 stages are cached"
    other = namewright("run", *quick, "--dry-run", *in_use, "--training.batch-size", "16")
    assert other.stdout.splitlines()[0] == "batch_size 32 → 16"


def test_a_model_that_was_stored_under_a_value_in_use_is_still_found(monkeypatch, stored):
    """A store from before such values were left out of keys."""
    settings, config = Settings(stored), TrainingConfig(hidden_size=8, epochs=1, dropout=0.3)
    store = Store(settings.store)
    (manifest,) = store.list("model")
    inputs = {
        role: store.resolve(Reference(*manifest.origins[role].split("/"), digest))[0]
        for role, digest in manifest.recipe.inputs.items()
    }
    assert stages.model.recipe(config, inputs).config["dropout"] is None
    monkeypatch.setattr(Stage, "defaults", lambda *_: {})
    old, _ = stages.model.produce(settings, replace(config, seed=5), lambda _event: None, {}, **inputs)
    assert old.manifest().recipe.config["dropout"] == 0.3
    monkeypatch.undo()
    again, reused = stages.model.produce(settings, replace(config, seed=5), lambda _: None, {}, **inputs)
    assert (again, reused) == (old, True)


def test_a_stage_that_is_to_be_refreshed_is_made_again_and_gives_the_same_bytes(plain, stored):
    before = files_of(stored)
    assert computed(plain("--refresh", "model")) == ["model 8 units"]
    assert files_of(stored) == before


def test_two_runs_that_start_at_once_compute_each_stage_once(quick, environment, tmp_path):
    command = [COMMAND, "run", "--engine", "plain", *quick]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    found = [outcomes(run.communicate(timeout=120)[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    for stage in STAGES:
        assert sorted(one[stage] for one in found) == ["cached", "computed"]


def test_the_plain_engine_runs_without_prefect(quick, environment, tmp_path):
    environment["PYTHONPROFILEIMPORTTIME"] = "1"
    for _ in range(2):
        outcome = subprocess.run(
            [COMMAND, "run", "--engine", "plain", *quick],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        imported = {line.rpartition("|")[2].strip() for line in outcome.stderr.splitlines()}
        assert "pyarrow" in imported
        assert not {name for name in imported if name.partition(".")[0] == "prefect"}
    assert not {"pandera", "matplotlib", "rich"} & imported, "an unchanged run imports nothing that computes"


def test_every_damaged_file_of_every_artifact_is_found_and_made_again(plain, stored):
    before = files_of(stored)
    paths = [path for stage in STAGES_BY_NAME for path in sorted((stored / stage).glob("*/*"))]
    assert len(paths) > 20
    for number, path in enumerate(paths):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        if number % 8 == 7 or path == paths[-1]:  # a few at a time, to be quick
            plain()
            assert files_of(stored) == before
    aside = {folder.name.partition("-")[0] for folder in (stored / "quarantine").iterdir()}
    assert aside == set(STAGES_BY_NAME)
