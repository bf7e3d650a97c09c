"""`namewright server`, and how a run finds the server it talks to."""

import ast
import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from small_runs import COMMAND

from tasks.server import background, connection, health, startup
from tasks.server.defaults import apply_defaults, user_settings
from tasks.server.errors import ServerError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def silent(_text: str) -> None:
    pass


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PREFECT_HOME of the test's own, in which no server runs."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    return tmp_path / "prefect"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[background.Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        started = background.start(free_port(), say=silent)
        yield started
        background.stop()


def in_a_process(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.usefixtures("running")
def test_a_server_started_by_us_is_found_by_every_run(running: background.Server) -> None:
    outcome = in_a_process(
        "from tasks.server import connection; print(connection.connect(print))",
        PREFECT_HOME=str(running.log.parent),
    )
    assert outcome.stdout.split() == [running.url]
    assert outcome.stderr == ""


def test_a_second_start_is_the_server_that_runs(
    running: background.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(running.log.parent))
    assert (
        background.start(int(running.ui.rpartition(":")[2]), say=silent)
        == running
        == background.require_server()
    )
    with pytest.raises(ServerError, match="is running in the background already"):
        background.start(free_port(), say=silent)


def test_how_prefects_own_commands_find_our_server_is_printed_until_they_do(
    running: background.Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.server_commands import start

    monkeypatch.setenv("PREFECT_HOME", str(running.log.parent))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    command = f"prefect config set PREFECT_API_URL={running.url}"
    port = int(running.ui.rpartition(":")[2])
    start(port=port)
    assert command in capsys.readouterr().out
    monkeypatch.setenv("PREFECT_API_URL", running.url)
    start(port=port)
    assert command not in capsys.readouterr().out


def test_the_ui_of_our_server_calls_its_own_port(running: background.Server) -> None:
    asked = in_a_process(
        f"from urllib.request import urlopen; print(urlopen('{running.ui}/ui-settings').read())"
    )
    assert f'"api_url":"{running.url}"' in asked.stdout
    assert '"available_uis":["v1"]' in asked.stdout


FOREIGN_STEPS = [
    ("OPTIONS", "work_pools/filter", {"Access-Control-Request-Method": "POST"}),
    ("POST", "work_pools/filter", {"Content-Type": "application/json"}),
    ("POST", "flows/", {"Content-Type": "text/plain"}),  # as a form or a beacon sends it: without a preflight
    ("POST", "deployments/", {}),
    ("POST", f"deployments/{UUID(int=0)}/create_flow_run", {}),
    ("GET", "csrf-token?client=evil", {}),
]


@pytest.mark.parametrize(
    ("origin", "host"),
    [("https://evil.example", None), ("null", None), ("http://evil.example", "evil.example"), (None, "a.b")],
    ids=["another origin", "a sandboxed page", "a name that was bound to this machine", "another host name"],
)
def test_a_page_of_another_origin_is_refused_at_every_step(
    running: background.Server, origin: str | None, host: str | None
) -> None:
    port = int(running.ui.rpartition(":")[2])
    headers = {name: text for name, text in (("Origin", origin), ("Host", host and f"{host}:{port}")) if text}
    for method, path, more in FOREIGN_STEPS:
        status, answered = asked(running, method, f"/api/{path}", {**headers, **more})
        assert (status, answered.get("access-control-allow-origin")) == (403, None)
    socket_words = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    socket_words["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    for path in ("events/in", "events/out", "logs/out"):
        assert asked(running, "GET", f"/api/{path}", {**headers, **socket_words})[0] == 403
    assert asked(running, "GET", "/api/events/in", socket_words)[0] == 101  # Prefect's own clients


def test_a_request_without_its_token_changes_nothing_and_the_ui_may_call_under_both_names(
    running: background.Server,
) -> None:
    as_json = {"Content-Type": "application/json"}
    assert asked(running, "POST", "/api/flows/", as_json)[0] == 403
    port = running.ui.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost"):
        ours = {"Origin": f"http://{host}:{port}", "Access-Control-Request-Method": "POST"}
        status, answered = asked(running, "OPTIONS", "/api/flows/", ours)
        assert (status, answered["access-control-allow-origin"]) == (200, ours["Origin"])


def asked(
    server: background.Server, method: str, path: str, headers: dict[str, str]
) -> tuple[int, dict[str, str]]:
    """The status and the headers of the answer."""
    connection = http.client.HTTPConnection(server.ui.removeprefix("http://"), timeout=20)
    body = b'{"name": "evil"}' if method == "POST" else None
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    connection.close()
    return answer.status, {name.lower(): text for name, text in answer.getheaders()}


def test_a_server_that_its_user_opened_says_so_once_and_a_server_started_by_us_is_stopped(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "*")
    said: list[str] = []
    started = background.start(free_port(), say=said.append)
    assert said.count(background.OPEN) == 1
    assert asked(started, "GET", "/api/health", {"Origin": "https://evil.example"})[0] == 200
    run = in_a_process(
        "from tasks.server import connection; connection.connect(print)", PREFECT_API_URL=started.url
    )
    assert run.stdout.splitlines() == [connection.OPEN.format(url=started.url)]
    assert background.find_server() == started
    assert background.stop()
    assert background.find_server() is None
    assert not background.stop()
    assert not health.is_answering(started.url)
    assert list(own_home.glob("*.pid")) == []


@pytest.mark.parametrize(
    ("status", "allowed", "is_open"),
    [(200, "*", True), (200, "http://127.0.0.1:4200", False), (200, None, False), (401, "*", False)],
)
def test_a_server_with_a_password_or_with_origins_of_its_own_is_not_said_to_be_open(
    status: int, allowed: str | None, is_open: bool
) -> None:
    class Version(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if allowed:
                self.send_header("Access-Control-Allow-Origin", allowed)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Version) as served:
        answering = threading.Thread(target=served.handle_request)
        answering.start()
        assert health.is_open(f"http://127.0.0.1:{served.server_port}/api") is is_open
        answering.join()


def test_a_taken_port_is_one_clear_error(own_home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerError, match="is not available") as caught:
            background.start(taken.getsockname()[1], say=silent)
    assert caught.value.code == "server.port"
    assert list(own_home.glob("*.pid")) == []


def test_a_server_that_dies_while_starting_shows_its_last_words(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////nowhere/prefect.db")
    with pytest.raises(ServerError, match="unable to open database file") as caught:
        background.start(free_port(), say=silent)
    assert caught.value.code == "server.died"
    assert list(own_home.glob("*.pid")) == []


def test_a_server_that_is_slow_to_start_is_not_blamed_on_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "_START_SECONDS", 0.0)
    (tmp_path / "log").write_text("ERROR that means nothing\n")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with (tmp_path / "log").open("rb") as log, pytest.raises(ServerError) as caught:
            startup.wait_until_healthy(process, startup.api_url(free_port()), log, "the server", silent)
        process.kill()
    assert caught.value.code == "server.slow"
    assert "when the machine is less busy" in caught.value.fix


def test_the_pid_of_a_server_that_died_is_forgotten(own_home: Path) -> None:
    own_home.mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (own_home / "server.pid").write_text(str(dead.pid))
    with pytest.raises(ServerError, match="Namewright's Prefect server is not running"):
        background.require_server()
    assert not background.stop()
    assert not (own_home / "server.pid").exists()


@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_process_that_took_over_the_pid_is_left_alone(own_home: Path, is_recorded: bool) -> None:
    own_home.mkdir()
    words = [sys.executable, "-c", "input()", "prefect", "server", "start"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as another:
        (own_home / "server.pid").write_text(str(another.pid))
        os.utime(own_home / "server.pid", (0, 0))  # it was written before that process started
        if is_recorded:
            state = ["http://127.0.0.1:1/api", another.pid, "log", 1]
            (own_home / "namewright-server.json").write_text(json.dumps(state))
        assert not background.stop()
        assert another.poll() is None
        another.communicate(b"\n")


def test_an_unreachable_server_is_one_clear_error() -> None:
    began = time.monotonic()
    outcome = in_a_process(
        """
import sys
from tasks.server import connection
from tasks.server.errors import ServerError
try:
    connection.connect(print)
except ServerError as error:
    print(error, error.exit_code, "prefect" in sys.modules)
""",
        PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api",
    )
    assert "error[server.unreachable]" in outcome.stdout
    assert outcome.stdout.endswith("6 False\n")
    assert time.monotonic() - began < 5


def test_a_password_in_the_address_of_a_server_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://anna:secret@127.0.0.1:{free_port()}/api")
    with pytest.raises(ServerError) as caught:
        connection.connect(silent)
    assert "secret" not in str(caught.value)
    assert health.without_credentials("http://anna:secret@host:1/api") == "http://host:1/api"
    assert health.without_credentials("http://host:1/api") == "http://host:1/api"
    for url in (
        "http://u:p@ss/secret@host:1/api",
        "http://u:1/secret@host:1/api",
        "https://u:a://b@host:1/api",
    ):
        assert health.without_credentials(url).partition("://")[2] == "host:1/api"
    assert health.health_fault("file:///etc/passwd#") == "it begins with neither http:// nor https://"
    assert health.without_credentials("secret:foo@host:1/api") == "host:1/api"
    assert health.without_credentials("secret://foo@host:1/api") == "host:1/api"


def test_an_address_that_is_not_prefects_api_is_refused(
    running: background.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", running.ui)  # the /api is missing
    with pytest.raises(ServerError, match="cannot be used") as caught:
        connection.connect(silent)
    assert "ends with /api" in caught.value.fix


def test_a_server_refuses_a_wrong_password_before_any_stage_and_an_embedded_one_ends_with_a_killed_run(
    own_home: Path, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-c",
            "from tasks.server import connection; print(connection.connect(lambda _: None)); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        url = run.stdout.readline().strip()
        assert health.is_answering(url)
        # It has a password of its run.
        server = background.Server(url, 0, own_home)
        assert asked(server, "GET", "/api/flows/count", {})[0] == 401
        assert asked(server, "GET", "/api/health", {"Origin": "https://evil.example"})[0] == 403
        store = tmp_path / "store"
        other = subprocess.run(
            [COMMAND, "run", "--store", store],
            env={**os.environ, "PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": "anna:wrong"},
            capture_output=True,
            text=True,
            check=False,
        )
        run.kill()
    assert other.returncode == ServerError.exit_code, other.stderr
    assert other.stderr.startswith("error[server.refused]: the Prefect server refuses access")
    assert "401" in other.stderr
    assert "set PREFECT_API_AUTH_STRING" in other.stderr
    assert "wrong" not in other.stderr
    assert not store.exists()
    limit = time.monotonic() + 10
    while health.is_answering(url) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not health.is_answering(url)
    assert own_home.is_dir()


def test_our_defaults_never_override_what_the_user_set(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {
        "PREFECT_CLIENT_MAX_RETRIES",
        "PREFECT_SERVER_ANALYTICS_ENABLED",
        "PREFECT_SERVER_UI_V2_ENABLED",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT",
        "PREFECT_INTERNAL_LOGGING_LEVEL",
    }
    for name in ours:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    own_home.mkdir()
    (own_home / "profiles.toml").write_text('active = "a"\n[profiles.a]\nPREFECT_CLIENT_MAX_RETRIES = "9"\n')
    Path("prefect.toml").write_text("[server.ui]\nv2_enabled = true\n")
    Path(".env").write_text("PREFECT_SERVER_ANALYTICS_ENABLED=true\n")
    monkeypatch.setenv("PREFECT_LOGGING_INTERNAL_LEVEL", "DEBUG")  # Prefect's other name of a setting

    apply_defaults(quiet=True)
    assert ours & set(os.environ) == {"PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT"}
    assert user_settings()["PREFECT_CLIENT_MAX_RETRIES"] == "9"


@pytest.mark.parametrize(
    "content", ["a = " + "[" * 5000, "tool = 3\nprofiles = 3\n", "[tool]\nprefect = 3\n"]
)
def test_a_file_of_settings_that_holds_no_settings_is_left_to_prefect(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    own_home.mkdir(exist_ok=True)
    for file in (own_home / "profiles.toml", Path("pyproject.toml")):
        file.write_text(content)
    assert user_settings() == dict(os.environ)


def test_the_guide_has_our_defaults_for_a_server_that_something_else_starts(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2].joinpath("docs", "how-to", "operations.md").read_text()
    code = "from tasks.server.defaults import server_environment; print(server_environment())"
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DO_NOT"))}
    bare["PREFECT_HOME"] = str(tmp_path)
    words = [sys.executable, "-c", code]
    printed = subprocess.run(words, env=bare, capture_output=True, text=True, check=True).stdout
    ours = {name: value for name, value in ast.literal_eval(printed).items() if name not in bare}
    of_server = {
        name for name in ours if name.startswith(("PREFECT_SERVER_", "DO_NOT")) and "EPHEMERAL" not in name
    }
    assert len(of_server) > 4
    for name in of_server:
        assert f" {name}={ours[name]}" in guide


def test_prefect_reads_our_defaults() -> None:
    outcome = in_a_process(
        """
from tasks.server.defaults import apply_defaults
apply_defaults(quiet=True)
from prefect.settings import get_current_settings
now = get_current_settings()
print(now.server.analytics_enabled, now.server.ui.v2_enabled, now.server.ui.show_promotional_content)
print(now.server.concurrency.lease_storage.rpartition(".")[2])
print(now.client.max_retries, now.server.ephemeral.startup_timeout_seconds, now.internal.logging_level)
"""
    )
    assert outcome.stdout.splitlines() == ["False False False", "filesystem", "3 120 CRITICAL"]
