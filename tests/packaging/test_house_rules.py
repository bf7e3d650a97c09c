"""Who may import whom, and that what is imported is declared."""

import ast
import importlib.metadata
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
        *(imported_names(module) for name in our_names for module in (checkout / name).rglob("*.py"))
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
