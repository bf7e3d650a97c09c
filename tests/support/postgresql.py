"""A PostgreSQL server of a test's own, as Debian packages it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MISSING = "no PostgreSQL: apt-get install postgresql"


@contextmanager
def opened() -> Iterator[str]:
    """Its URL for Prefect. It refuses to run as root, so root runs it as the user that Debian has for it."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    user = "postgres" if os.geteuid() == 0 else None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="namewright-postgresql-"))
    try:
        if user:
            shutil.chown(folder, user)
        common = {"cwd": folder, "user": user, "stdout": subprocess.DEVNULL}
        initdb = [programs[-1] / "initdb", "-D", "data", "-U", "prefect", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, check=True, **common)
        serve = [programs[-1] / "postgres", "-D", "data", "-h", "127.0.0.1", "-p", port, "-k", folder, "-F"]
        with (folder / "log").open("wb") as log, subprocess.Popen(serve, stderr=log, **common) as server:
            try:
                _wait(port)
                yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
            finally:
                server.terminate()
    finally:
        shutil.rmtree(folder)


def _wait(port: str) -> None:
    limit = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(port))).close()
            return
        except OSError:
            assert time.monotonic() < limit, "PostgreSQL does not start"
            time.sleep(0.05)
