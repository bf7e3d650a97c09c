"""`make` on a machine that has what it needs, and on one that has not."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

# Stands for a Python: answers the questions that the Makefile asks of one, and notes what it is told to do.
RECORDER = """#!/bin/sh
case "$1 $2" in
  "-c "*version_info*) exit {too_old} ;;
  "-c "*ensurepip*) exit {no_venv} ;;
esac
printf '%s\\n' "$*" >> "{log}"
if [ "$2" = venv ]; then
  rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/namewright
fi
"""


@pytest.fixture
def clone(checkout, tmp_path) -> Path:
    """What make reads, at a path with a space in it."""
    folder = tmp_path / "a clone"
    shutil.copytree(checkout / "requirements", folder / "requirements")
    for file in ("Makefile", "pyproject.toml"):
        shutil.copy2(checkout / file, folder)
    return folder


def python(folder: Path, *, too_old: int = 0, no_venv: int = 0) -> Path:
    script = folder.parent / "python"
    script.write_text(RECORDER.format(log=folder.parent / "log", too_old=too_old, no_venv=no_venv))
    script.chmod(0o755)
    return script


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")} | variables
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def told(folder: Path) -> list[str]:
    """What the Python was told to do since the last time, in a word or two each."""
    log = folder.parent / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    subjects = {"-m venv": "venv", "-r requirements/run.txt": "pins", "--editable": "ourselves", "run": "run"}
    return [next(word for part, word in subjects.items() if part in line) for line in lines]


def test_the_first_run_installs_and_the_second_one_runs_at_once(clone):
    assert make(clone, "run", f"PYTHON={python(clone)}").returncode == 0
    assert told(clone) == ["venv", "pins", "ourselves", "run"]
    assert make(clone, "run").returncode == 0
    assert told(clone) == ["run"]


def test_a_changed_lock_makes_a_new_environment(clone):
    make(clone, "run", f"PYTHON={python(clone)}")
    told(clone)
    later = (clone / ".venv" / "ready").stat().st_mtime + 10
    os.utime(clone / "requirements" / "run.txt", (later, later))
    make(clone, ".venv/locked", f"PYTHON={python(clone)}")
    assert told(clone) == ["venv", "pins"]


def test_arguments_reach_the_command(clone):
    make(clone, "run", f"PYTHON={python(clone)}")
    assert "namewright run --engine plain\n" in make(clone, "run", "ARGS=--engine plain").stdout


def test_an_old_python_is_told_which_one_is_needed(clone):
    outcome = make(clone, "run", f"PYTHON={python(clone, too_old=1)}")
    assert outcome.returncode != 0
    assert "needs Python 3.11 or newer" in outcome.stderr
    assert told(clone) == []


def test_a_python_without_venv_is_told_which_package_brings_it(clone):
    outcome = make(clone, "run", f"PYTHON={python(clone, no_venv=1)}")
    assert outcome.returncode != 0
    assert "python3-venv" in outcome.stderr
    assert not (clone / ".venv").exists()


def test_make_alone_lists_every_target(clone):
    listed = make(clone).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (clone / "Makefile").read_text(), re.M)[1].split()
    assert re.findall(r"^  make (\w+) +\S", listed, re.M) == [
        target for target in phony if target not in ("help", "programs")
    ]


@pytest.mark.parametrize(
    ("ci", "outcome", "verdict"), [("", 0, "will be SKIPPED"), ("true", 2, "cannot run")]
)
def test_a_missing_program_is_told_before_the_tests_begin(clone, tmp_path, ci, outcome, verdict):
    bare = tmp_path / "bin"
    bare.mkdir()
    for program in ("make", "sh"):
        (bare / program).symlink_to(shutil.which(program))
    made = make(clone, "programs", PATH=str(bare), CI=ci)
    assert made.returncode == outcome
    assert f"chromium is not installed: the tests of web pages {verdict}" in made.stderr
    assert "apt-get install chromium chromium-driver" in made.stderr
    assert "programs" in re.search(r"^test: (.*)$", (clone / "Makefile").read_text(), re.M)[1].split()[0]
