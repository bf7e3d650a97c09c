"""Stories of the tutorial, by its commands alone: the installed wheel, in an empty folder."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorial"

pytestmark = pytest.mark.timeout(900)  # trainings


class Story(NamedTuple):
    """A page whose commands were run. outputs: what each block printed, by its text."""

    folder: Path
    outputs: dict[str, str]
    python: list[str]

    def output(self, text: str) -> str:
        """What the first block with this text printed."""
        return next(output for block, output in self.outputs.items() if text in block)


@pytest.fixture
def tell(installed, tmp_path):
    """Runs the blocks of a page in the folder, in order, with no checkout in sight."""

    def run(page: str, *lists: str, **variables: str) -> Story:
        for name in lists:
            shutil.copy(FOLDER / name, tmp_path)
        scripts = sysconfig.get_path("scripts", "venv", {"base": str(installed.environment)})
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "NAMEWRIGHT"))
        }
        environment = {**kept, "PATH": os.pathsep.join([scripts, kept["PATH"]]), **variables}
        text = (FOLDER / page).read_text(encoding="utf-8")
        blocks = re.findall(r"^```(.*)\n((?:.*\n)*?)```", text, flags=re.M)
        outputs = {}
        for block in (block for kind, block in blocks if kind == "sh" and " server " not in block):
            outcome = subprocess.run(
                ["sh", "-ec", block], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                capture_output=True, text=True,
            )  # fmt: skip
            assert outcome.returncode == 0, block + outcome.stdout + outcome.stderr
            outputs[block] = outcome.stdout
        return Story(tmp_path, outputs, [block for kind, block in blocks if kind == "python"])

    return run


def test_80_000_names_with_counts_become_parquet_that_duckdb_reads(tell, tmp_path):
    syllables = ["".join(pair) for pair in product("bdfghjklmnrstv", "aeio")][:44]
    names = ["".join(parts).capitalize() for parts in product(syllables, repeat=3)][:80_000]
    rows = [f"{name},{'FM'[place % 2]},{max(5, 200_000 // (place + 1))}" for place, name in enumerate(names)]
    (tmp_path / "registry.csv").write_text("\n".join(["name,sex,count", *rows]) + "\n")
    story = tell(  # as the page says, but for the minutes of training
        "registry.md", NAMEWRIGHT_ENGINE="plain", NAMEWRIGHT_TRAINING_MAX_STEPS="150",
        NAMEWRIGHT_TRAINING_HIDDEN_SIZE="32", NAMEWRIGHT_EVALUATION_SAMPLE_NAMES="200",
    )  # fmt: skip
    assert re.search(r"registry +80,000 +80,000 +80,000 +80,000 ", story.output("namewright data"))
    generated = pq.read_table(story.folder / "names")
    assert generated.num_rows == 100_000

    (code,) = story.python
    queried = subprocess.run(
        [sys.executable, "-c", f"{code}print(lengths.fetchall())"],
        cwd=story.folder, check=True, capture_output=True, text=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    lengths = Counter(len(name) for name in generated["name"].to_pylist())
    assert ast.literal_eval(queried) == sorted(lengths.items())


def test_a_second_list_gets_a_champion_of_its_own_and_names_come_from_each(tell):
    story = tell(
        "two-lists.md", "elves.txt", "dwarves.txt",
        NAMEWRIGHT_ENGINE="plain", NAMEWRIGHT_EVALUATION_SAMPLE_NAMES="200",
    )  # fmt: skip
    first, second, chosen = story.outputs.values()
    assert "elves" in model_line(first)
    assert "dwarves" in model_line(second)
    elves, dwarves = re.findall(r"^names: (.*)$", chosen, flags=re.M)
    assert elves == re.findall(r"^names: (.*)$", first, flags=re.M)[-1]
    assert dwarves == re.findall(r"^names: (.*)$", second, flags=re.M)[-1]
    assert elves != dwarves


def model_line(output: str) -> str:
    """The line that says which model the names are from, and which lists it was trained on."""
    return re.findall(r"^model: .*·.*names.*$", output, flags=re.M)[-1]
