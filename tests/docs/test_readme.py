"""The README is the front door: what it shows is what one gets."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import COMMAND

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(?:sh|python)?\n(.*?)```", README, flags=re.S)
MAKE, SHOWN, PYTHON, PRINTED = BLOCKS
PLAIN = {"NAMEWRIGHT_ENGINE": "plain"}
QUICK = {"NAMEWRIGHT_TRAINING_EPOCHS": "1", "NAMEWRIGHT_EVALUATION_SAMPLE_NAMES": "100"}


def commands(block):
    return [line.partition("#")[0].strip() for line in block.splitlines()]


@pytest.fixture
def ran(tmp_path):
    """Runs a command of ours in an empty folder, with short lists and little training."""

    def run(*arguments, **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NAMEWRIGHT_")}
        return subprocess.run(
            [COMMAND, *arguments], cwd=tmp_path, env={**kept, **PLAIN, **variables},
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout  # fmt: skip

    return run


def test_the_readme_is_read_in_under_a_screen():
    assert len(README.splitlines()) <= 60


def test_its_two_commands_are_targets_of_the_makefile():
    assert commands(MAKE) == ["make run", "make test"]
    for command in commands(MAKE):
        subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_what_it_shows_is_what_a_run_prints(ran):
    def columns(line):
        title, outcome, rows = line[:20].strip(), line[21:30].strip(), line[31:43].strip()
        return title, outcome, rows

    stages = [line for line in SHOWN.splitlines() if " computed " in line[:31]]
    printed = ran("run", **QUICK).splitlines()
    computed = [line for line in printed if line[21:29] == "computed"]
    assert sorted(map(columns, computed)) == sorted(map(columns, stages))
    side_by_side = ("names", "evaluation")  # whichever ends first; all others have their order
    in_order, shown = (
        [columns(line) for line in lines if not line.startswith(side_by_side)] for lines in (computed, stages)
    )
    assert in_order == shown
    assert SHOWN.splitlines()[len(stages)] in printed[-4]
    assert [line.partition(":")[0] for line in SHOWN.splitlines()[-3:]] == ["model", "names", "report"]
    assert [line.partition(":")[0] for line in printed[-3:]] == ["model", "names", "report"]
    assert SHOWN.splitlines()[-3].partition(" · ")[2] == printed[-3].partition(" · ")[2]
    assert "0 computed, 14 cached" in ran("run", **QUICK)


def test_its_lines_of_python_print_what_it_shows_but_for_the_names(ran, tmp_path):
    ran("run", **QUICK, NAMEWRIGHT_TRAINING_HIDDEN_SIZE="8")
    printed = subprocess.run(
        [sys.executable, "-c", f"{PYTHON}print(known < 0, random < 0)"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    shown = PRINTED.splitlines()
    assert printed.pop() == "True True"
    assert len(printed) == len(shown) == 2
    for line in (printed[0], shown[0]):
        names = ast.literal_eval(line)
        assert len(names) == 3
        assert all(name.startswith("Mar") for name in names)
    pattern = re.sub(r"\d+", r"(-?\\d+)", re.escape(shown[1]))
    assert re.fullmatch(pattern, printed[1])


def test_every_page_it_points_to_is_there():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
