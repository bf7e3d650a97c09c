"""The command, begun within milliseconds: forked from a process that has imported what a run imports.

It is the entry point of `namewright` with the words, the environment and the folder of a process of its own.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from deadly import arm
from small_runs import clean_environment

Ended = subprocess.CompletedProcess[str]
HANGS_SECONDS = 240.0
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("flows.cli", "tasks.report.plots", "pandera.pyarrow", "rich.live", "small_runs"),
        *("data.corpus", "data.merging", "data.validation"),
    ]
)


def start(words: list[str], folder: Path, fate: tuple[int, str] | None = None) -> ForkServerProcess:
    """Begin `namewright WORDS` in that folder; what it prints goes to `stdout` and `stderr` there.

    fate:  of its changing calls, as for `deadly.arm`; the last line of its errors is how many there were.
    """
    return _started(_run, folder, words, fate)


def run(words: list[str], folder: Path, fate: tuple[int, str] | None = None) -> Ended:
    """How `namewright WORDS` ended; raises subprocess.TimeoutExpired if it hangs."""
    return _ended(start(words, folder, fate), words, folder)


def call(function: Callable[..., None], folder: Path, *arguments: Any) -> Ended:
    """How a call of the function ended, as `run`."""
    return _ended(_started(function, folder, *arguments), [function.__name__], folder)


def _started(function: Callable[..., None], folder: Path, *arguments: Any) -> ForkServerProcess:
    process = _FORKS.Process(target=_in_folder, args=(function, folder, *arguments))
    process.start()
    return process


def _ended(process: ForkServerProcess, words: list[str], folder: Path) -> Ended:
    process.join(HANGS_SECONDS)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(words, HANGS_SECONDS)
    stdout, stderr = ((folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(words, process.exitcode, stdout, stderr)


def _in_folder(function: Callable[..., None], folder: Path, *arguments: Any) -> None:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), descriptor)
    os.chdir(folder)
    environment = clean_environment(folder)
    os.environ.clear()
    os.environ.update(environment)
    function(*arguments)


def _run(words: list[str], fate: tuple[int, str] | None) -> None:
    from flows.__main__ import main

    sys.argv = ["namewright", *words]
    numbers = arm(*fate) if fate else None
    try:
        main()
    finally:
        if numbers:
            print(f"\n{next(numbers) - 1}", file=sys.stderr)
