import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from small_lists import trained
from small_runs import COMMAND, CORPORA, outcomes

FOREIGN = ("NAMEWRIGHT_", "PREFECT_")
Ran = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lists(tmp_path: Path) -> tuple[Path, Path]:
    """The first lines of the bundled lists, in files of the test's own."""
    folder = tmp_path / "lists"
    folder.mkdir()
    for name, count in (("argentine", 120), ("dinosaurs", 60)):
        lines = (CORPORA / f"{name}.txt").read_text().splitlines()[:count]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder / "argentine.txt", folder / "dinosaurs.txt"


@pytest.fixture
def small(lists: tuple[Path, Path]) -> list[str]:
    """Options of a run that takes a moment: short lists and a small network."""
    argentine, dinosaurs = lists
    return [
        *("--source", f"argentine={argentine}", "--source", f"dinosaurs={dinosaurs}"),
        *("--training.hidden-size", "8", "--sampling.count", "25", "--evaluation.sample-names", "100"),
    ]


@pytest.fixture
def quick(small: list[str], tmp_path: Path) -> list[str]:
    """The same, hardly trained, with a store of the test's own."""
    return [*small, "--training.epochs", "4", "--store", str(tmp_path / "store")]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing of Namewright's or Prefect's that the developer may have set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**ours, "PREFECT_HOME": str(tmp_path / "prefect")}


@pytest.fixture
def namewright(
    tmp_path: Path, environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command, elsewhere than in the checkout."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    return run


@pytest.fixture
def plain(namewright: Ran, quick: list[str]) -> Callable[..., dict[str, str]]:
    """Runs the small pipeline without Prefect; what happened to each stage, by its title."""

    def run(*arguments: str) -> dict[str, str]:
        outcome = namewright("run", "--engine", "plain", *quick, *arguments)
        assert outcome.returncode == 0, outcome.stderr
        return outcomes(outcome.stdout)

    return run


@pytest.fixture(scope="session")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a hardly trained model, for lists of names."""
    return trained(tmp_path_factory.mktemp("trained"))
