"""The Prefect server that `namewright server` keeps in the background."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from rnn_core.validators import check, whole
from tasks.server import defaults, health, startup
from tasks.server.errors import ServerError
from tasks.server.startup import HOST, Say

_CLOCK_SECONDS = 2.0  # between the clock of files and that of processes
_COMMAND = ("-m", "tasks.server.guarded_prefect", "server", "start")


OPEN = (
    "This server obeys every web page that a browser on this machine opens. Only its own pages may call it "
    "without your PREFECT_SERVER_CORS_ALLOWED_ORIGINS, and with PREFECT_SERVER_CSRF_PROTECTION_ENABLED=true."
)


class Server(NamedTuple):
    """A background server: the URL of its API, its process, and its log file."""

    url: str
    pid: int
    log: Path

    @property
    def ui(self) -> str:
        """The URL of its user interface."""
        return self.url.removesuffix("/api")


def find_server() -> Server | None:
    """The background server, if it is up."""
    try:
        return require_server()
    except ServerError:
        return None


def require_server() -> Server:
    """The background server. Raises ServerError if there is none, or it does not answer."""
    server = _recorded()
    if server is None or not _is_alive(server.pid):
        raise ServerError(
            "server.down",
            "Namewright's Prefect server is not running",
            where=str(defaults.prefect_home()),
            fix="namewright server start; without one, no run is recorded in Prefect.",
        )
    if fault := health.health_fault(server.url):
        raise ServerError(
            "server.silent",
            "Namewright's Prefect server is running, but does not answer",
            where=f"{server.url}, process {server.pid}",
            saw=fault,
            fix=f"wait a little, look into {server.log}, or: namewright server stop",
        )
    return server


def start(port: int | None = None, say: Say = print) -> Server:
    """Start Prefect's own server, with our defaults, in the background, unless it is running already.

    port:  PREFECT_SERVER_API_PORT or 4200 by default.

    Raises ServerError: the port is taken, another background server is running, or it dies while starting.
    """
    port = defaults.api_port() if port is None else port
    check("port", port, whole(1, 65_535))
    url = startup.api_url(port)
    if (running := find_server()) and running.url == url:
        return running
    _refuse_second_server(say)
    _refuse_taken_port(port)
    environment = {**_environment(port), "PREFECT_SERVER_API_HOST": HOST, "PREFECT_API_URL": url}
    log = defaults.prefect_home() / "namewright-server.log"
    with _home_errors(log), _pid_file().open("x") as pid_file, log.open("w+b") as output:
        process = startup.spawn(_COMMAND, output, environment, stdin=subprocess.DEVNULL)
        pid_file.write(str(process.pid))
    try:
        state = [url, process.pid, str(log), _start_time(process.pid)]
        _state_file().write_text(json.dumps(state), encoding="utf-8")
        with log.open("rb") as output:
            startup.wait_until_healthy(process, url, output, "the Prefect server", say)
    except BaseException:
        process.kill()
        process.wait()
        _forget()
        raise
    if health.is_open(url):
        say(OPEN)
    return Server(url, process.pid, log)


def run_in_foreground(port: int | None = None) -> NoReturn:
    """Become Prefect's own server, with our defaults: for systemd, or a container.

    Its settings are Prefect's own; unlike the background server it may listen on PREFECT_SERVER_API_HOST.

    Raises ServerError if the port is taken.
    """
    port = defaults.api_port() if port is None else port
    check("port", port, whole(1, 65_535))
    _refuse_taken_port(port)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-P", *_COMMAND], _environment(port))


def stop() -> bool:
    """Stop the background server, also one that Prefect's own command started. False if none is running."""
    pid = _recorded_pid()
    if pid is None or not _is_alive(pid):
        _forget()
        return False
    os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + startup.STOP_SECONDS
    while _is_alive(pid):
        if time.monotonic() > limit:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(startup.POLL_SECONDS)
    _forget()
    return True


def _environment(port: int) -> dict[str, str]:
    # Not --port: the UI would go on calling the port of the setting.
    return {**defaults.server_environment(), "PREFECT_SERVER_API_PORT": str(port)}


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as refusal:
            raise ServerError(
                "server.port",
                f"port {port} is not available: {refusal.strerror}",
                where=f"{HOST}:{port}",
                fix="name another: namewright server start --port 4300",
            ) from refusal


def _refuse_second_server(say: Say) -> None:
    """Prefect's pid file is one per PREFECT_HOME, so one background server is, too."""
    pid = _recorded_pid()
    if pid is not None and _is_alive(pid):
        raise ServerError(
            "server.running",
            "a Prefect server is running in the background already",
            where=f"process {pid}, {_pid_file()}",
            fix="namewright server stop",
        )
    if _pid_file().exists():
        say("an earlier server has ended; removing its pid file")
    _forget()


def _pid_file() -> Path:
    return defaults.prefect_home() / "server.pid"  # Prefect's own, so that `prefect server stop` works


def _state_file() -> Path:
    return defaults.prefect_home() / "namewright-server.json"


def _recorded() -> Server | None:
    url, pid, log, _ = _state()
    return Server(url, pid, Path(log)) if url and pid == _recorded_pid() else None


def _state() -> tuple[str, int, str, int]:
    """URL, process, log and start time of our server, as its start wrote them down; empty if it did not."""
    try:
        url, pid, log, started = json.loads(_state_file().read_text(encoding="utf-8"))
        return str(url), int(pid), str(log), int(started)
    except (OSError, ValueError, TypeError):
        return "", 0, "", 0


def _recorded_pid() -> int | None:
    try:
        return int(_pid_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _forget() -> None:
    for file in (_state_file(), _pid_file()):
        file.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    """Whether the process lives, and is the server that was started: pids are used again."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if we started it and it has ended, it is gone now
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    _, ours, _, started = _state()
    return _start_time(pid) == started if pid == ours else _is_prefects_own(pid)


def _is_prefects_own(pid: int) -> bool:
    """Whether that is a server of Prefect's own command, which writes the pid down once it has started it."""
    try:
        words = set(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        written = _pid_file().stat().st_mtime
    except (OSError, ValueError):
        return False
    started = time.time() - uptime + _start_time(pid) / os.sysconf("SC_CLK_TCK")
    is_server = b"prefect.server.api.server:create_app" in words or {b"prefect", b"server", b"start"} <= words
    return is_server and started < written + _CLOCK_SECONDS


def _start_time(pid: int) -> int:
    """When the process started, in ticks since the system did; 0 if it is gone, or not to be found out."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


@contextlib.contextmanager
def _home_errors(log: Path) -> Iterator[None]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as refusal:
        raise ServerError(
            "server.home",
            f"could not write: {refusal.strerror}",
            where=str(refusal.filename or log.parent),
            fix="name a folder that can be written: PREFECT_HOME=…",
        ) from refusal
