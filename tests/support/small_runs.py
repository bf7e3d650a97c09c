"""What tests share that run the real command on short lists."""

import sys
from pathlib import Path

import data
from tasks import stages

COMMAND = Path(sys.executable).with_name("namewright")
CORPORA = Path(data.__path__[0], "corpora")
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
