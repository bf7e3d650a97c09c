"""What is in the wheel, and that it works far from the checkout."""

import socket
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import PurePosixPath

import pytest


@pytest.fixture(scope="module")
def files(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def dist_info(pyproject) -> str:
    return f"namewright-{pyproject['project']['version']}.dist-info"


def test_the_wheel_holds_our_packages_and_nothing_else(files, our_names, dist_info):
    tops = {PurePosixPath(file).parts[0].removesuffix(".py") for file in files}
    assert tops == our_names | {dist_info}


def test_the_wheel_holds_every_module_of_the_checkout(files, checkout, our_names):
    modules = {"namewright.py"} | {
        str(path.relative_to(checkout).as_posix())
        for name in our_names
        for path in (checkout / name).rglob("*.py")
        if not path.is_relative_to(checkout / "artifacts" / "store")
    }
    assert {file for file in files if file.endswith(".py")} == modules


def test_the_wheel_brings_the_templates_of_the_report(files):
    templates = {f"tasks/report/{name}" for name in ("page.html", "sections.html", "page.css")}
    assert templates <= files


def test_the_installed_command_sets_up_the_deployments_in_an_empty_folder(installed, tmp_path, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    site = replace(installed, folder=tmp_path / "site")
    site.folder.mkdir()
    site.run("namewright", "server", "start", "--port", port)
    try:
        first, second = (site.run("namewright", "deploy").splitlines()[:-2] for _ in range(2))
    finally:
        site.run("namewright", "server", "stop")
    assert [line.split()[0] for line in first] == ["created"] * 8
    assert {line.split()[0] for line in second} == {"unchanged"}
    files = {str(path.relative_to(site.folder)) for path in site.folder.rglob("*") if path.is_file()}
    assert files == {"artifacts/store/id", "artifacts/store/locks/document-id.lock"}


def test_every_package_says_that_it_is_typed(files, our_names):
    packages = our_names - {"namewright"}  # one module, which has no place for the mark
    assert {f"{name}/py.typed" for name in packages} <= files


def test_the_wheel_brings_the_bundled_corpora_byte_for_byte(wheel, checkout):
    with zipfile.ZipFile(wheel) as archive:
        for corpus in ("data/corpora/argentine.txt", "data/corpora/dinosaurs.txt"):
            assert archive.read(corpus) == (checkout / corpus).read_bytes()


def test_the_wheel_brings_the_licence_and_the_notices(wheel, checkout, dist_info):
    with zipfile.ZipFile(wheel) as archive:
        for notice in ("LICENSE", "data/corpora/NOTICE.md"):
            assert archive.read(f"{dist_info}/licenses/{notice}") == (checkout / notice).read_bytes()


def test_what_someone_made_with_the_project_is_not_delivered(sdist, files):
    with tarfile.open(sdist) as archive:
        delivered = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    delivered |= {PurePosixPath(file) for file in files}
    assert not [path for path in delivered if path.is_relative_to("artifacts/store")]
    assert not [path for path in delivered if {".venv", "__pycache__", "dist", ".git"} & set(path.parts)]


def test_the_wheel_cannot_be_uploaded_to_a_public_index_by_accident(wheel, dist_info):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{dist_info}/METADATA").decode()
    assert "Classifier: Private :: Do Not Upload" in metadata.splitlines()


def test_our_import_names_belong_to_us_alone(installed, our_names):
    owners = installed.answer(
        "import json, importlib.metadata as metadata; print(json.dumps(metadata.packages_distributions()))"
    )
    assert {name: set(owners[name]) for name in our_names} == {name: {"namewright"} for name in our_names}


def test_our_import_names_are_none_of_pythons_own(our_names):
    assert not our_names & sys.stdlib_module_names


def test_every_module_imports_from_the_wheel(installed, our_names):
    imported = installed.answer(
        f"""
import importlib, json, pkgutil

found = {{}}
for name in {sorted(our_names)}:
    package = importlib.import_module(name)
    found[name] = package.__file__
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        found[module.name] = importlib.import_module(module.name).__file__
print(json.dumps(found))
"""
    )
    assert our_names < imported.keys()
    outside = {
        module: file for module, file in imported.items() if not file.startswith(str(installed.site_packages))
    }
    assert not outside


def test_the_installed_command_tells_its_version_from_another_folder(installed, pyproject):
    assert pyproject["project"]["version"] in installed.run("namewright", "--version").split()


def test_the_installed_package_finds_its_corpora_from_another_folder(installed):
    lines = installed.answer(
        "import importlib.resources, json\n"
        "corpora = importlib.resources.files('data') / 'corpora'\n"
        "print(json.dumps([len((corpora / name).read_text().splitlines())"
        " for name in ('argentine.txt', 'dinosaurs.txt')]))"
    )
    assert lines == [3000, 1318]


def test_the_wheel_makes_names_and_a_report_with_no_checkout_in_sight(installed):
    (installed.folder / "towns.txt").write_text("Bern\nBasel\nBiel\nBrig\nBrugg\nBaden\nBuchs\nBulle\n")
    options = ["--engine", "plain", "--source", "towns=towns.txt", "--training.epochs", "1"]
    assert "13 stages: 13 computed, 0 cached" in installed.run("namewright", "run", *options)
    assert "13 stages: 0 computed, 13 cached" in installed.run("namewright", "run", *options)
    assert "<style>" in (installed.folder / "artifacts" / "store" / "report.html").read_text()


@pytest.mark.parametrize("name", ["tasks", "data"])
def test_a_folder_beside_a_script_that_has_the_name_of_a_package_is_named(installed, tmp_path, name):
    """Python imports what lies beside a script before all else."""
    (tmp_path / name).mkdir()
    (tmp_path / "script.py").write_text(
        "from namewright import generate, open_model\nprint(open_model.__name__)\n"
    )
    ours = {**installed.variables}
    plain = subprocess.run(
        [installed.program("python"), tmp_path / "script.py"], env=ours, capture_output=True, text=True
    )
    assert plain.stdout == "open_model\n", plain.stderr  # a folder that is no package hides nothing
    (tmp_path / name / "__init__.py").touch()
    hidden = subprocess.run(
        [installed.program("python"), tmp_path / "script.py"], env=ours, capture_output=True, text=True
    )
    assert hidden.returncode == 1
    last = hidden.stderr.splitlines()[-1]
    assert f"needs its own package '{name}', and Python finds {tmp_path / name} in its place" in last
    assert "Rename that folder, or run Python from another folder." in last
    module = subprocess.run(
        [installed.program("python"), "-m", "namewright", "--version"],
        cwd=tmp_path, env=ours, capture_output=True, text=True,
    )  # fmt: skip
    assert (module.returncode, module.stdout) == (1, "")
    assert module.stderr.startswith(f"error: namewright needs its own package '{name}'")
    assert "Traceback" not in module.stderr


def test_the_public_module_is_the_command_line_too(installed, pyproject):
    assert installed.run("python", "-m", "namewright", "--version").strip() == pyproject["project"]["version"]
