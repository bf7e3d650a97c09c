import os
import subprocess
from pathlib import Path

import pytest
from small_runs import COMMAND, STAGES_BY_NAME, files_of, outcomes

STAGES = [
    *("corpus argentine", "corpus dinosaurs", "merged", "validated", "vocabulary", "examples"),
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


def test_another_learning_rate_recomputes_the_model_and_what_follows_and_nothing_before(plain):
    plain()
    assert computed(plain("--training.learning-rate", "0.01")) == STAGES[6:]
    # The first model is still there; at most it is compared with what was promoted since.
    assert set(computed(plain())) <= {"decision"}


def test_touching_a_corpus_file_recomputes_nothing(plain, lists):
    plain()
    os.utime(lists[0], (1, 1))
    assert computed(plain()) == []


def test_changing_one_name_recomputes_what_depends_on_it(plain, lists):
    plain()
    argentine, _ = lists
    argentine.write_text(argentine.read_text().replace("Simon Soraya", "Simone Soraya", 1))
    again = plain()
    assert again["corpus dinosaurs"] == "cached"
    assert {"corpus argentine", "merged", "validated", "examples", "model 8 units"} <= set(computed(again))


def test_a_change_that_leaves_the_same_names_stops_at_the_stage_that_sees_none(plain, lists):
    plain()
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
    assert any("config.learning_rate was 0.02, is 0.01" in line for line in plan if line.startswith("model"))
    assert any("its input mixture would be made" in line for line in plan if line.startswith("names"))
    assert snapshot(tmp_path / "store") == before


def test_a_stage_that_is_to_be_refreshed_is_made_again_and_gives_the_same_bytes(plain, tmp_path):
    plain()
    before = files_of(tmp_path / "store")
    assert computed(plain("--refresh", "model")) == ["model 8 units"]
    assert files_of(tmp_path / "store") == before


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


@pytest.fixture
def finished_store(plain, tmp_path):
    plain()
    return tmp_path / "store"


def test_every_damaged_file_of_every_artifact_is_found_and_made_again(plain, finished_store):
    before = files_of(finished_store)
    paths = [path for stage in STAGES_BY_NAME for path in sorted((finished_store / stage).glob("*/*"))]
    assert len(paths) > 20
    for number, path in enumerate(paths):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        if number % 4 == 3 or path == paths[-1]:  # a few at a time, to be quick
            plain()
            assert files_of(finished_store) == before
    aside = {folder.name.partition("-")[0] for folder in (finished_store / "quarantine").iterdir()}
    assert aside == set(STAGES_BY_NAME)
