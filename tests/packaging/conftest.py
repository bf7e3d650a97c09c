"""The project as it is delivered: its sdist, its wheel, and the wheel installed somewhere else."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """A fresh environment that holds our wheel, and a folder far from the checkout to use it in.

    It sees our dependencies where the tests have them: installing them anew would take a minute.
    """

    environment: Path
    folder: Path

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.environment)}))

    @property
    def variables(self) -> dict[str, str]:
        """The environment's variables, without those of Python."""
        return {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}

    def program(self, name: str) -> Path:
        """The path of a program of the environment."""
        return Path(sysconfig.get_path("scripts", "venv", {"base": str(self.environment)})) / name

    def run(self, program: str, *arguments: str) -> str:
        """What a program of the environment prints, run from the other folder."""
        outcome = subprocess.run(
            [self.program(program), *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        return outcome.stdout

    def answer(self, code: str) -> Any:
        """What `code` prints as JSON."""
        return json.loads(self.run("python", "-c", code))


def build(source: Path, target: str, destination: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", destination],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (built,) = destination.iterdir()
    return built


@pytest.fixture(scope="session")
def checkout() -> Path:
    return CHECKOUT


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def our_names(pyproject) -> set[str]:
    """Of the packages, and of the one module beside them."""
    names = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return {name.removesuffix(".py") for name in names}


@pytest.fixture(scope="session")
def sdist(tmp_path_factory) -> Path:
    return build(CHECKOUT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist, tmp_path_factory) -> Path:
    """Built from the sdist, so that nothing can come from the checkout by accident."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    shutil.unpack_archive(sdist, unpacked)
    (source,) = unpacked.iterdir()
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Installed:
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    here = Installed(environment, tmp_path_factory.mktemp("elsewhere"))
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # A folder named in a .pth file is searched, but its own .pth files are not read: the editable
    # installation that the tests may run from stays out of sight.
    (here.site_packages / "dependencies.pth").write_text("\n".join(dependencies), encoding="utf-8")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            environment,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ],
        check=True,
        capture_output=True,
    )
    return here
