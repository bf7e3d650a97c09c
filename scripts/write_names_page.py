"""Runs the commands of a page of the tutorial, and writes what they print below them.

    python -m scripts.write_names_page docs/tutorial/styles.md

A block of output is empty or old before: it follows the block of commands whose output it shows.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_BLOCKS = re.compile(r"^```sh\n(?P<commands>(?:.*\n)*?)```\n(?:(?P<between>\n)```\n(?:.*\n)*?```\n)?", re.M)


def written(page: str) -> str:
    """The page with the output of its commands, run one block after the other in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        return _BLOCKS.sub(lambda block: _with_output(block, Path(folder)), page)


def _with_output(block: re.Match[str], folder: Path) -> str:
    ours = {name: text for name, text in os.environ.items() if not name.startswith("NAMEWRIGHT_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), ours["PATH"]])
    output = subprocess.run(
        ["sh", "-ec", block["commands"]],
        cwd=folder,
        env={**ours, "PATH": path, "NAMEWRIGHT_ENGINE": "plain"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    commands = f"```sh\n{block['commands']}```\n"
    return f"{commands}\n```\n{shown(output)}```\n" if block["between"] else commands


def shown(output: str) -> str:
    """What of an output is for a page: the names, without what differs from run to run."""
    lines = [line.rstrip() for line in output.splitlines()]
    names = [line for line in lines if not re.match(r"[0-9a-f]{6} · |[\w, ]+: |.* computed ", line)]
    return "".join(f"{line}\n" for line in names)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(written(target.read_text(encoding="utf-8")), encoding="utf-8")
