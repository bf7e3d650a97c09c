"""What tests share that run the real command on short lists."""

import os
import sys
from pathlib import Path

import data
from tasks import stages

COMMAND = Path(sys.executable).with_name("namewright")
CORPORA = Path(data.__path__[0], "corpora")
FOREIGN = ("NAMEWRIGHT_", "PREFECT_")  # variables of the developer
TINY = [  # options of the smallest network and the fewest names
    *("--training.hidden-size", "4", "--training.epochs", "1"),
    *("--sampling.count", "5", "--evaluation.sample-names", "0"),
]
STAGES_BY_NAME = [stage.name for stage in stages.ALL]


def outcomes(output: str) -> dict[str, str]:
    """`computed` or `cached` by stage, from the plain lines of a run."""
    found = {}
    for line in output.splitlines():
        for word in ("computed", "cached"):
            title, matched, _ = line.partition(f" {word} ")
            if matched and " stages: " not in line:
                found[title.strip()] = word
    return found


def files_of(store: Path) -> dict[str, bytes]:
    """Every file of every artifact, but for the manifests, which tell the time."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for stage in STAGES_BY_NAME
        for path in sorted((store / stage).glob("*/*"))
        if path.name != "manifest.json"
    }


def write_lists(folder: Path) -> tuple[Path, Path]:
    """The first lines of the bundled lists, in files of a test's own."""
    folder.mkdir()
    for name, count in (("argentine", 120), ("dinosaurs", 60)):
        lines = (CORPORA / f"{name}.txt").read_text().splitlines()[:count]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder / "argentine.txt", folder / "dinosaurs.txt"


def small_options(lists: tuple[Path, Path]) -> list[str]:
    """Options of a run that takes a moment: short lists and a small network."""
    argentine, dinosaurs = lists
    return [
        *("--source", f"argentine={argentine}", "--source", f"dinosaurs={dinosaurs}"),
        *("--training.hidden-size", "8", "--sampling.count", "25", "--evaluation.sample-names", "100"),
    ]


def quick_options(lists: tuple[Path, Path], store: Path) -> list[str]:
    """The same, hardly trained."""
    return [*small_options(lists), "--training.epochs", "4", "--store", str(store)]


def clean_environment(folder: Path) -> dict[str, str]:
    """Nothing of Namewright's or Prefect's that the developer may have set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**ours, "PREFECT_HOME": str(folder / "prefect")}
