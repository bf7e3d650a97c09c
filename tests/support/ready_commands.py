"""The real command, in a process of its own that begins with the imports done.

Most of what a command costs on a short list is its imports. A server of processes imports once, and forks one
process per command: the same entry point with a folder, an environment and streams of its own. A test that is
about the start itself (Ctrl-C during the imports, variables that NumPy reads as it loads) runs `COMMAND`.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from small_runs import COMMAND

STREAMS = ("stdout", "stderr")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "cyclopts.help.formatters.default",
        "data.corpus",
        "data.merging",
        "data.validation",
        "docstring_parser",
        "encodings.cp437",
        "filelock",
        "flows.cli",
        "jinja2",
        "matplotlib.backends.backend_svg",
        "matplotlib.figure",
        "narwhals._arrow.dataframe",
        "pandera.backends.narwhals.container",  # imported as the first table is checked
        "pandera.pyarrow",
        "pandera.strategies.base_strategies",
        "polars",
        "pyarrow._json",
        "pyarrow.dataset",
        "pyarrow.pandas_compat",
        "pydantic.type_adapter",
        "regex",
        "rich.live",
        "rich.markdown",
        "rnn_core.train.loop",
        "rnn_core.train.members",
        "tasks.core.plan",
        "tasks.report.plots",
        "tasks.views.data_summary",
        "threadpoolctl",
    ]
)


def namewright() -> None:
    """The entry point of the command."""
    from flows.__main__ import main

    main()


def start(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    streams: Path,
    main: Callable[[], None] = namewright,
) -> ForkServerProcess:
    """Begin `namewright WORDS` in that folder; it prints to the files `stdout` and `stderr` in `streams`.

    main:  what the process does, with the words as its sys.argv.
    """
    process = _FORKS.Process(target=_begin, args=(tuple(words), folder, environment, streams, main))
    process.start()
    return process


def run(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    timeout: float,
    main: Callable[[], None] = namewright,
) -> subprocess.CompletedProcess[str]:
    """How `namewright WORDS` ended. Raises subprocess.TimeoutExpired if it has not by then."""
    with TemporaryDirectory() as streams:
        process = start(words, folder, environment, Path(streams), main)
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(words, timeout)
        finally:  # also where Ctrl-C ends the wait: the folders go, and it would go on in them
            process.kill()
            process.join()
        printed = [Path(streams, name).read_text("utf-8", "replace") for name in STREAMS]
        return subprocess.CompletedProcess(words, process.exitcode, *printed)


def _begin(
    words: tuple[str, ...],
    folder: Path,
    environment: dict[str, str],
    streams: Path,
    main: Callable[[], None],
) -> None:
    for number, name in enumerate(STREAMS, start=1):
        os.dup2(os.open(streams / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(COMMAND), *words]
    # pandera imports pytest where there is one, and cyclopts looks for it.
    warnings.filterwarnings("ignore", message="Cyclopts application invoked without tokens")
    try:
        main()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
