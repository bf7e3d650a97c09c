import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import ready_commands
from small_lists import trained
from small_runs import (
    TINY,
    clean_environment,
    outcomes,
    quick_options,
    small_options,
    write_lists,
)

Ran = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lists(tmp_path: Path) -> tuple[Path, Path]:
    """Two short lists in files of the test's own."""
    return write_lists(tmp_path / "lists")


@pytest.fixture
def small(lists: tuple[Path, Path]) -> list[str]:
    """Options of a run that takes a moment."""
    return small_options(lists)


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Options of the quickest run there is, for tests that ask for nothing of what it makes."""
    towns = tmp_path / "towns.txt"
    towns.write_text("Bern\nBasel\nBiel\nBrig\nBrugg\nBaden\nBuchs\nBulle\n")
    return ["--source", f"towns={towns}", *TINY]


@pytest.fixture
def quick(lists: tuple[Path, Path], tmp_path: Path) -> list[str]:
    """Options of a run that takes a moment, with a store of the test's own."""
    return quick_options(lists, tmp_path / "store")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a command of the test's own."""
    return clean_environment(tmp_path)


@pytest.fixture(scope="session")
def quick_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one quick run, for `stored`."""
    folder = tmp_path_factory.mktemp("quick")
    options = quick_options(write_lists(folder / "lists"), folder / "store")
    outcome = ready_commands.run(
        ["run", "--engine", "plain", *options], folder, clean_environment(folder), timeout=200
    )
    assert outcome.returncode == 0, outcome.stderr
    return folder / "store"


@pytest.fixture
def stored(quick_store: Path, tmp_path: Path) -> Path:
    """The store of the test's own, in which the quick run has been made."""
    return shutil.copytree(quick_store, tmp_path / "store")


@pytest.fixture
def namewright(
    tmp_path: Path, environment: dict[str, str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command, elsewhere than in the checkout."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return ready_commands.run(arguments, tmp_path, {**environment, **variables}, timeout=200)

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
