"""Starting a server process and waiting until it answers, for the background and the embedded server."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from tasks.process import signals
from tasks.server import health
from tasks.server.errors import ServerError

Say = Callable[[str], None]

HOST = "127.0.0.1"
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
_START_SECONDS = 120.0
_SAY_SECONDS = 5.0
_LOG_LINES = 8


def api_url(port: int) -> str:
    """The URL of the API of a server of ours on this port."""
    return f"http://{HOST}:{port}/api"


def spawn(
    arguments: Sequence[str], log: IO[bytes], environment: Mapping[str, str], stdin: int
) -> subprocess.Popen[bytes]:
    """Start a Python process in a session of its own: Ctrl-C and the end of the terminal do not reach it.

    log:  where its output goes.
    """
    return subprocess.Popen(
        [sys.executable, "-P", *arguments],
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
    )


def wait_until_healthy(
    process: subprocess.Popen[bytes], url: str, log: IO[bytes], name: str, say: Say
) -> None:
    """Return once the server answers.

    Raises ServerError, with the last lines of its log, if it dies or takes over two minutes; Interrupted.
    """
    start = time.monotonic()
    next_message = _SAY_SECONDS
    while fault := health.health_fault(url):
        signals.raise_if_requested(f"while {name} starts")
        waited = time.monotonic() - start
        if process.poll() is not None or waited > _START_SECONDS:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            died = process.poll() is not None
            remedy = "fix what its last lines say" if died else "start it when the machine is less busy"
            raise ServerError(
                "server.died" if died else "server.slow",
                f"{name} ended while starting" if died else f"{name} does not answer after {waited:.0f} s",
                where=f"{url}, exit code {process.returncode}" if died else url,
                saw="\n         ".join(["", *lines[-_LOG_LINES:]]) or fault,
                fix=f"{remedy}, or run without Prefect: --engine plain",
            )
        if waited >= next_message:
            say(f"waiting for {name} at {url}: {waited:.0f} s")
            next_message += _SAY_SECONDS
        time.sleep(POLL_SECONDS)
