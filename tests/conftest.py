"""One Prefect server for all tests of a process, started when the first of them asks for it."""

import functools
import itertools
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import settings
from s3_server import s3_server
from xdist.scheduler import LoadFileScheduling

from tasks.server.defaults import apply_defaults

PATIENCE_SECONDS = 90.0
SERVERS = ("site: Site", "prefect_(?:url|shows)")  # how tests ask for them; each process would start its own

settings.register_profile("namewright", deadline=None)  # a busy machine is no failure
settings.load_profile("namewright")

# Before anything imports Prefect: nothing of the developer's own, and nothing left in their home.
for _name in [name for name in os.environ if name.startswith("PREFECT_")]:
    del os.environ[_name]
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="namewright-prefect-")
# Each server that a test starts would take seconds to make a database of its own.
os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
    f"sqlite+aiosqlite:///{os.environ['PREFECT_HOME']}/prefect.db"
)
apply_defaults(quiet=True)

Asked = Callable[..., Any]


class ByServer(LoadFileScheduling):
    """One process has the tests of a file, and those of all files that share a server."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        text = _text(self.config.rootpath / file)
        return next((server for server in SERVERS if re.search(server, text)), file)


@functools.cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    return ByServer(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How long each area took, and what was skipped: where the eye ends up."""
    seconds: dict[str, float] = {}
    for report in itertools.chain(*terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            area = "/".join(report.nodeid.split("/")[:2])
            seconds[area] = seconds.get(area, 0.0) + report.duration
    if len(seconds) > 1:
        terminalreporter.write_sep("-", "minutes of each area, on one process")
        for area, total in sorted(seconds.items()):
            terminalreporter.write_line(f"{total / 60:6.1f}  {area}")
    if skipped := len(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_sep("!", f"{skipped} TESTS WERE SKIPPED: see above what is missing", red=True)


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["PREFECT_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def prefect_url() -> Iterator[str]:
    """The API of a real server that the flows of this process talk to."""
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=120),
        # The thread that beats is joined at the end of every flow, which takes a second.
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield PREFECT_API_URL.value()


@pytest.fixture(scope="session")
def prefect_shows(prefect_url: str) -> Asked:
    """What the server shows of a kind of thing, asked again until it is what the test waits for.

    `prefect_shows("task_runs", until, flows={"name": {"any_": ["retrain"]}})`: Prefect delivers states and
    logs a little later than they occur.
    """

    def shown(kind: str, until: Callable[[list[Any]], bool] = bool, **filters: object) -> list[Any]:
        limit = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = _asked(f"{prefect_url}/{kind}/filter", filters)
            if found is not None and (until(found) or time.monotonic() > limit):
                return found
            assert time.monotonic() < limit, "the server does not answer"
            time.sleep(0.1)

    return shown


def _asked(url: str, body: dict[str, object]) -> list[Any] | None:
    """None if the server is busy with itself: on SQLite a reader now and then waits for many writers."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as answer:
            found = json.load(answer)
    except TimeoutError:
        return None
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server that speaks S3, with an empty bucket."""
    with s3_server() as endpoint:
        yield endpoint
