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

import data
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.text.vocabulary import Vocabulary

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
        NAMEWRIGHT_PROMOTION_MIN_EDIT_DISTANCE_RATIO="0.1",  # syllables are nearer to each other than names
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


def test_names_of_a_style_are_like_its_list_and_so_are_those_that_the_page_shows(tell):
    story = tell(
        "styles.md",
        NAMEWRIGHT_ENGINE="plain", NAMEWRIGHT_TRAINING_EPOCHS="6", NAMEWRIGHT_TRAINING_HIDDEN_SIZE="64",
        NAMEWRIGHT_EVALUATION_SAMPLE_NAMES="0", OPENBLAS_NUM_THREADS="1",
    )  # fmt: skip
    judge = DinosaurJudge()
    page = (FOLDER / "styles.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(.*)\n((?:.*\n)*?)```", page, flags=re.M)
    shown = [text for kind, text in blocks if not kind]
    printed = list(story.outputs.values())[1:]
    assert len(shown) == len(printed) == len(blocks) // 2
    # A network of seconds knows the styles less well; the mixture counts as well as that of the page.
    for place, (ours, theirs) in enumerate(zip(shown, printed, strict=True)):
        assert headings(ours) == [line for line in headings(theirs) if line in headings(ours)]
        assert len(ours.splitlines()) > 7
        for output in (ours, theirs)[: 1 if place == 1 else 2]:  # the second is of the network alone
            of_styles = previewed(output)
            for style in of_styles.keys() & {"argentine", "dinosaurs"}:
                right = judge.share(of_styles[style])
                assert (right if style == "dinosaurs" else 1 - right) >= 0.75
    dinosaurs, both = (text.splitlines() for text in shown[2:4])
    assert judge.share(dinosaurs) >= 0.75
    assert judge.share(story.output("--count 8 --style dinosaurs").splitlines()) >= 0.6
    assert set(csv_column(both)) == set(csv_column(story.output("names.csv").splitlines()))
    blends = [judge.share(names) for names in previewed(shown[4]).values()]
    assert len(blends) == 3
    assert blends == sorted(blends)
    assert blends[0] < blends[-1]
    assert all(name.endswith("saurus") for text in (shown[5], printed[5]) for name in text.splitlines())


class DinosaurJudge:
    """Judges by n-grams of either bundled list which of them a name is like."""

    def __init__(self) -> None:
        folder = Path(data.__path__[0], "corpora")
        lists = [
            (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
            for name in ("argentine", "dinosaurs")
        ]
        self.vocabulary = Vocabulary.from_names([name for names in lists for name in names])
        self.models = [
            KneserNey.fit(self.vocabulary.encode([name for name in names if name]), self.vocabulary.size, 5)
            for names in lists
        ]

    def share(self, names: list[str]) -> float:
        """Of the names, the share that is rather a dinosaur's."""
        encoded = self.vocabulary.encode(names)
        argentine, dinosaurs = (model.log_probabilities(encoded) for model in self.models)
        return float((dinosaurs > argentine).mean())


def headings(output: str) -> list[str]:
    """The lines of a preview that name a style."""
    return re.findall(r"^[a-z0-9.,=]+:$", output, flags=re.M)


def previewed(output: str) -> dict[str, list[str]]:
    """The names of each style of a preview."""
    styles: dict[str, list[str]] = {}
    names: list[str] = []
    for line in output.splitlines():
        if re.fullmatch(r"[a-z0-9.,=]+:", line):
            names = styles.setdefault(line.rstrip(":"), [])
        elif line.startswith("  ") and not re.match(r"  at [0-9]", line):
            names += [name.rstrip("…") for name in re.split(r"\s{2,}", line.strip())]
    return styles


def csv_column(lines: list[str]) -> list[str]:
    """The second column of a CSV of names and styles, from its heading on."""
    start = next(place for place, line in enumerate(lines) if line == '"name","style"')
    return ["style", *(line.rpartition(",")[2] for line in lines[start + 1 :] if line.startswith('"'))]
