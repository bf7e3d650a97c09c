"""The lines of the Dockerfile, run in an empty folder: there is no Docker where the tests run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest


class Line(NamedTuple):
    """An instruction of the Dockerfile, by the number of its stage."""

    stage: int
    word: str
    rest: str


@pytest.fixture(scope="module")
def dockerfile(checkout) -> list[Line]:
    text = re.sub(r"(?m)^#.*\n", "", (checkout / "Dockerfile").read_text()).replace("\\\n", " ")
    lines, stage = [], -1
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        lines.append(Line(stage, word, rest.strip()))
    return lines


@pytest.fixture(scope="module")
def context(checkout, tmp_path_factory) -> Path:
    """What .dockerignore lets into the build."""
    folder = tmp_path_factory.mktemp("context")
    entries = [
        line for line in (checkout / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    ]
    assert entries[0] == "*"
    for entry in entries:
        if entry.startswith("!"):
            source, target = checkout / entry[1:], folder / entry[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)
    excluded = [entry for entry in entries[1:] if not entry.startswith("!")]
    for path in sorted(folder.rglob("*"), reverse=True):
        name = str(path.relative_to(folder))
        if any(fnmatch(name, entry) or fnmatch(name, entry.removeprefix("**/")) for entry in excluded):
            shutil.rmtree(path)
    return folder


class Image(NamedTuple):
    """What the lines leave: the folder of the installation, that of the volume, and the environment."""

    prefix: Path
    data: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def image(dockerfile, context, tmp_path_factory) -> Image:
    root = tmp_path_factory.mktemp("image")
    places = {"PREFIX": str(root / "opt"), "DATA": str(root / "data")}
    bin_of_python = str(Path(sys.executable).parent)
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NAMEWRIGHT_", "PREFECT_", "PYTHON"))
    }
    environment = {**plain, "PATH": f"{bin_of_python}:/usr/bin:/bin"}
    source = root / "src"
    source.mkdir()
    for line in dockerfile:
        if line.word == "COPY" and "--from" not in line.rest:
            what, target = line.rest.split()
            if what == ".":
                shutil.copytree(context, source, dirs_exist_ok=True)
            else:
                (source / target).mkdir(parents=True, exist_ok=True)
                shutil.copy2(context / what, source / target)
        elif line.word == "RUN":
            command = line.rest
            if os.geteuid():  # only root may give a folder to another user
                command = command.replace("-o 10001 -g 10001", "")
            ended = subprocess.run(
                ["/bin/sh", "-ec", command],
                cwd=source,
                env={**environment, **places},
                capture_output=True,
                text=True,
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
        elif line.word == "ENV":
            for pair in shlex.split(line.rest):
                name, _, value = pair.partition("=")
                known = {**environment, **places}
                environment[name] = re.sub(r"\$(\w+)", lambda match: known[match[1]], value)  # noqa: B023
    return Image(root / "opt", root / "data", {**environment, "PATH": f"{root}/opt/bin:/usr/bin:/bin"})


def run(image: Image, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [image.prefix / "bin" / "namewright-or-prefect", *words],
        cwd=image.data,
        env=image.environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.timeout(900)
def test_the_lines_leave_a_namewright_that_runs_and_writes_into_its_volume_alone(image):
    before = {path for path in image.prefix.rglob("*") if path.suffix != ".pyc"}
    small = ["--training.hidden-size", "8", "--training.epochs", "1", "--evaluation.sample-names", "20"]
    ended = run(image, "run", "bundled:dinosaurs.txt", "--engine", "plain", *small, "--sampling.count", "5")
    assert ended.returncode == 0, ended.stderr
    assert "13 stages: 13 computed" in ended.stdout
    assert list(image.data.glob("artifacts/store/model/*/model.npz"))
    after = {path for path in image.prefix.rglob("*") if path.suffix != ".pyc"}
    assert {path for path in after - before if path.name != "__pycache__"} == set()


def test_the_entry_point_is_namewright_and_begins_what_prefect_s_workers_begin(image):
    assert run(image, "--version").stdout.strip()
    assert "namewright" in run(image, "--help").stdout
    assert run(image, "prefect", "--version").returncode == 0
    step = "from tasks.deploy.pull_step import enter_site; import flows.retrain; print('found')"
    assert run(image, "python", "-c", step).stdout == "found\n"
    assert run(image, "no-such-command").returncode == 2


def test_nothing_runs_as_root_and_what_is_written_is_in_the_volume(dockerfile):
    last = [line for line in dockerfile if line.stage == max(line.stage for line in dockerfile)]
    words = {line.word: line.rest for line in last}
    assert words["USER"].split(":")[0].isdigit()
    assert int(words["USER"].split(":")[0]) > 0
    assert words["VOLUME"] == words["WORKDIR"] == "$DATA"
    assert "NAMEWRIGHT_CACHE=$DATA/cache" in words["ENV"]
    assert words["ENTRYPOINT"] == '["namewright-or-prefect"]'
    assert [line.word for line in last].index("USER") > [line.word for line in last].index("RUN")


def test_only_what_is_installed_is_in_the_build(context, checkout):
    assert not (context / ".git").exists()
    assert not (context / "tests").exists()
    assert not list(context.rglob("__pycache__"))
    assert not (context / "artifacts" / "store").exists()
    assert (context / "artifacts" / "store.py").exists()
    assert {path.name for path in context.iterdir()} <= {path.name for path in checkout.iterdir()}
