"""The name of a site: a folder whose deployments share a Prefect server with those of other folders."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.config.yaml_file import read_yaml

VARIABLE = "NAMEWRIGHT_SITE"  # set by `deploy` for the deployment file, and for the runs of its deployments
DEFAULT = "namewright"
FILE = Path("prefect.yaml")
PULL_STEP = "prefect.deployments.steps.set_working_directory"
ELSEWHERE_STEP = "tasks.deploy.pull_step.enter_site"  # in its place, where the store is in a bucket


def site_name(name: str | None = None, file: Path = FILE) -> str:
    """The site's name: this one, or that of NAMEWRIGHT_SITE, of the deployment file, or of its folder.

    In small letters, digits and hyphens, so that it can stand in the name of anything on a server.
    """
    name = name or os.environ.get(VARIABLE) or _name_in(file) or file.absolute().parent.name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or DEFAULT


def site_of(job_variables: Mapping[str, Any] | None) -> str:
    """The site that a deployment's runs belong to; empty if it was deployed before sites had names."""
    return str(((job_variables or {}).get("env") or {}).get(VARIABLE, ""))


def folder_of(pull_steps: Sequence[Mapping[str, Any]] | None) -> str:
    """The folder in which a deployment's runs start; empty if they fetch their code from elsewhere."""
    steps = (PULL_STEP, ELSEWHERE_STEP)
    folders = [step[name]["directory"] for step in pull_steps or () for name in steps if name in step]
    return str(folders[-1]) if folders else ""


def _name_in(file: Path) -> str:
    import yaml  # only deployments need it

    try:
        return str(read_yaml(file)["name"] or "")
    except (OSError, ValueError, RecursionError, yaml.YAMLError, TypeError, KeyError):  # `deploy` reports it
        return ""
