"""The tutorial: a reader who types its commands, one after another in an empty folder, gets what it says."""

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "tutorial"
TUTORIAL = (FOLDER / "index.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(.*)\n((?:.*\n)*?) *```", TUTORIAL)
COMMANDS = [
    line.partition("#")[0].strip() for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()
]
NAMES = (FOLDER / "elves.txt").read_text(encoding="utf-8").splitlines()

pytestmark = pytest.mark.timeout(600)  # a training, and a server that starts


def run(command, folder, **variables):
    """What a command prints in a shell, in that folder. Raises CalledProcessError unless it succeeds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NAMEWRIGHT_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return subprocess.run(
        ["sh", "-ec", command], cwd=folder, env={**kept, "PATH": path, **variables},
        check=True, capture_output=True, text=True, timeout=400,
    ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each command printed, and the folder that they left."""
    folder = tmp_path_factory.mktemp("empty")
    shutil.copy(FOLDER / "elves.txt", folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    variables = {
        "NAMEWRIGHT_ENGINE": "plain",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_PORT": port,
    }
    outputs = {}
    try:
        for command in COMMANDS:
            outputs[command] = run(command, folder, **variables)
    finally:
        run("namewright server stop", folder, **variables)
    return folder, outputs


def of(outputs, words):
    """The output of the first command that begins with these words."""
    return next(output for command, output in outputs.items() if command.startswith(words))


def test_its_list_is_300_different_names():
    assert len(NAMES) == len(set(NAMES)) == 300


def test_every_block_is_run_or_marked_as_not_run_or_output():
    assert {kind for kind, _ in BLOCKS} == {"sh", "sh not-run", "", "python"}


def test_every_command_succeeds(printed):
    _, outputs = printed
    assert outputs.keys() == set(COMMANDS)


def test_the_server_says_where_its_pages_are_and_stops(printed):
    _, outputs = printed
    assert "http://127.0.0.1:" in of(outputs, "namewright server start")
    assert of(outputs, "namewright server stop").strip()


def test_the_list_looks_as_it_says(printed):
    _, outputs = printed
    table = next(block for kind, block in BLOCKS if not kind and block.startswith("Lists:"))
    assert table in of(outputs, "namewright data")


def test_a_run_ends_with_the_lines_that_it_shows(printed):
    _, outputs = printed
    shown = next(block for kind, block in BLOCKS if not kind and " stages: " in block).splitlines()
    *_, stages, model, names, report = of(outputs, "namewright run").splitlines()
    assert stages.startswith(shown[0].rpartition(",")[0])
    assert names.startswith("names: ")
    assert model.partition(" · ")[2] == shown[1].partition(" · ")[2]
    assert report == shown[3]


def test_it_ends_with_a_csv_of_500_new_names_as_they_were_asked_for(printed):
    folder, outputs = printed
    with (folder / "elves.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert len(names) == len(set(names)) == 500
    assert all(name.startswith("El") and 4 <= len(name) <= 9 for name in names)
    assert not set(names) & set(NAMES)
    shown = next(block for kind, block in BLOCKS if not kind and block.startswith('"index"'))
    assert of(outputs, "head").splitlines()[0] == shown.splitlines()[0]


def test_its_lines_of_python_draw_names(printed):
    folder, _ = printed
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    script = "\n".join(line.removeprefix("  ") for line in code.splitlines())
    script += "\nimport json; print(json.dumps(names.to_pylist()))"
    names = json.loads(
        subprocess.run(
            [sys.executable, "-c", script], cwd=folder, check=True, capture_output=True, text=True
        ).stdout
    )
    assert len(names) == 10
    assert all(name.startswith("Gal") for name in names)
