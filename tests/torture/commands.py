"""The command under attack: what a fate does to it, how it ends, and when it hangs."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import ready_commands
from deadly import arm
from small_runs import clean_environment

Ended = subprocess.CompletedProcess[str]
HANGS_SECONDS = 240.0


def start(words: list[str], folder: Path) -> ForkServerProcess:
    """Begin `namewright WORDS` in that folder; it prints to the files `stdout` and `stderr` there."""
    return ready_commands.start(words, folder, clean_environment(folder), folder)


def run(words: list[str], folder: Path, fate: tuple[int, str] | None = None) -> Ended:
    """How `namewright WORDS` ended; raises subprocess.TimeoutExpired if it hangs.

    fate:  of its changing calls, as for `deadly.arm`; the last line of its errors is how many there were.
    """
    main = partial(_armed, *fate) if fate else ready_commands.namewright
    return ready_commands.run(words, folder, clean_environment(folder), HANGS_SECONDS, main)


def call(function: Callable[..., None], folder: Path, *arguments: Any) -> Ended:
    """How a call of the function ended, as `run`."""
    main = partial(function, *arguments)
    return ready_commands.run([function.__name__], folder, clean_environment(folder), HANGS_SECONDS, main)


def _armed(nth: int, kind: str) -> None:
    numbers = arm(nth, kind)
    try:
        ready_commands.namewright()
    finally:
        print(f"\n{next(numbers) - 1}", file=sys.stderr)
