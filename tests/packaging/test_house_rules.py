"""Who may import whom, and that what is imported is declared."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def imported_names(module: Path) -> set[str]:
    """Top-level names of what a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def test_the_import_contracts_hold(checkout):
    outcome = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_everything_that_we_import_is_declared(checkout, pyproject, our_names):
    imported = set().union(
        imported_names(checkout / "namewright.py"),
        *(imported_names(module) for name in our_names for module in (checkout / name).rglob("*.py")),
    )
    project = pyproject["project"]
    dependencies = chain(project["dependencies"], *project["optional-dependencies"].values())
    declared = {canonicalize_name(Requirement(dependency).name) for dependency in dependencies}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        name
        for name in imported - our_names - sys.stdlib_module_names
        if not declared & {canonicalize_name(provider) for provider in providers.get(name, [])}
    }
    assert not undeclared


def test_every_area_of_the_tests_is_run(checkout, pyproject):
    areas = {str(module.parent.relative_to(checkout)) for module in (checkout / "tests").rglob("test_*.py")}
    assert areas == set(pyproject["tool"]["pytest"]["ini_options"]["testpaths"])


def texts(module: Path) -> list[str]:
    """Every string of a module, docstrings included."""
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_what_lies_below_the_command_line_does_not_know_its_options(checkout):
    """A layer does not know who calls it: flows.hints adds what a user of the command line may do."""
    syntax = re.compile(r"--[a-z]{2}|\bnamewright [a-z]+|\[(training|sampling|examples|validation)\]")
    sections = re.compile(
        r"\b(training|sampling|examples|validation|ngrams|evaluation|merging)\.[a-z_]+ (=|must)"
    )
    wrong = [
        f"{module.name}: {text}"
        for layer in ("rnn_core", "artifacts")
        for module in (checkout / layer).rglob("*.py")
        for text in texts(module)
        if syntax.search(text) or sections.search(text)
    ]
    assert not wrong


def test_no_error_of_a_stage_or_an_engine_names_an_option_of_the_command_line(checkout):
    """They are raised under Prefect and in a user's own Python as well, which have no such options."""
    syntax = re.compile(r"(?<!\w)--[a-z]{2}|\bnamewright [a-z]+")
    modules = (
        module
        for room in ("engines", "generate", "models", "process")
        for module in (checkout / "tasks" / room).rglob("*.py")
    )
    errors = [
        (module.name, node.lineno, ast.unparse(node))
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error")
    ]
    assert len(errors) > 10
    assert not [(name, line) for name, line, call in errors if syntax.search(call)]
