"""Which Prefect server a run talks to, and the one that `namewright server` keeps in the background.

Prefect itself is imported late: finding out that a server is missing takes milliseconds.
"""

import atexit
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from rnn_core.validators import check_whole, out_of_range
from tasks.process import signals
from tasks.server import defaults
from tasks.server.errors import ServerError

Say = Callable[[str], None]

_HOST = "127.0.0.1"
_DEFAULT_PORT = 4200
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.05
_SAY_SECONDS = 5.0
_LOG_LINES = 8

_EMBEDDED = {
    "PREFECT__SERVER_EPHEMERAL": "1",  # only the services that a run needs
    "PREFECT_UI_ENABLED": "false",
    # Block types are of use in the UI only: half a second of a first start.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}


class Server(NamedTuple):
    """A server that we started in the background. url: of its API; its UI is one level up."""

    url: str
    pid: int
    log: Path

    @property
    def ui(self) -> str:
        return self.url.removesuffix("/api")


def ready(say: Say) -> str:
    """The URL of an API that answers, with Prefect imported and told of it.

    In this order: the server that PREFECT_API_URL (or the active profile) names, ours in the background, one
    embedded in this run, which ends with this process.

    Raises ServerError, and Interrupted while it waits.
    """
    defaults.apply_defaults(quiet=True)
    url = _running()
    if not url:
        return _embed(say)
    _import_prefect()
    return url


def lasting(*, quiet: bool = True) -> str:
    """As `ready`, but for a server that is still there when this process has ended.

    quiet:  keep Prefect's logs off this process's console.

    Raises ServerError if there is none.
    """
    defaults.apply_defaults(quiet=quiet)
    url = _running() or status().url
    _import_prefect()
    return url


def _running() -> str | None:
    _reach_this_machine_directly()
    if url := defaults.api_url():
        _check_answers(url)
        return url
    if server := find():
        os.environ["PREFECT_API_URL"] = server.url
        return server.url
    return None


def find() -> Server | None:
    """Our background server, if it is up."""
    try:
        return status()
    except ServerError:
        return None


def status() -> Server:
    """Raises ServerError if there is none, or it does not answer."""
    server = _recorded()
    if server is None or not _alive(server.pid):
        raise ServerError(
            "server.down",
            "no Prefect server of ours is running",
            where=str(defaults.home()),
            fix="namewright server start; without one, every run starts its own.",
        )
    if reason := _trouble_with(server.url):
        raise ServerError(
            "server.silent",
            "our Prefect server runs, but does not answer",
            where=f"{server.url}, process {server.pid}",
            saw=reason,
            fix=f"wait a little, look into {server.log}, or: namewright server stop",
        )
    return server


def start(port: int | None = None, say: Say = print) -> Server:
    """Prefect's own server, with our defaults, in the background; or the one that runs already.

    port:  PREFECT_SERVER_API_PORT or 4200 if nothing is said.

    Raises ServerError: the port is taken, another background server runs, or it dies while starting.
    """
    wanted = _port_of_the_user() if port is None else port
    check_whole("port", wanted, 1, 65_535)
    url = f"http://{_HOST}:{wanted}/api"
    if (running := find()) and running.url == url:
        return running
    _refuse_a_second_one(say)
    _refuse_a_taken_port(wanted)
    # Not --port: the UI would go on calling the port of the setting.
    environment = {
        **defaults.environment_for_a_server(),
        "PREFECT_SERVER_API_HOST": _HOST,
        "PREFECT_SERVER_API_PORT": str(wanted),
        "PREFECT_API_URL": url,
    }
    log = defaults.home() / "namewright-server.log"
    with _reported(log), _pid_file().open("x") as pid_file, log.open("w+b") as written:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "prefect", "server", "start"],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # it outlives the terminal
        )
        pid_file.write(str(process.pid))
    server = Server(url, process.pid, log)
    try:
        _state_file().write_text(json.dumps([url, process.pid, str(log)]), encoding="utf-8")
        with log.open("rb") as written:
            _wait(process, url, written, "the Prefect server", say)
    except BaseException:
        process.kill()
        process.wait()
        _forget()
        raise
    return server


def _port_of_the_user() -> int:
    said = defaults.settings_of_the_user().get("PREFECT_SERVER_API_PORT", str(_DEFAULT_PORT))
    if not said.isdecimal():
        raise out_of_range("PREFECT_SERVER_API_PORT", "a whole number", said)
    return int(said)


def stop() -> bool:
    """End the background server, also one that Prefect's own command started. False if there is none."""
    pid = _recorded_pid()
    if pid is None or not _alive(pid):
        _forget()
        return False
    os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + _STOP_SECONDS
    while _alive(pid):
        if time.monotonic() > limit:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(_POLL_SECONDS)
    _forget()
    return True


def answers(url: str) -> bool:
    """Whether the API can be used."""
    return not _trouble_with(url)


def leave(code: int) -> NoReturn:
    """End the process. If its Prefect server is gone, do not wait for what it will never take.

    Prefect tries for seven seconds per event to deliver what is left, as often as there are events.
    """
    url = os.environ.get("PREFECT_API_URL")
    if "prefect" in sys.modules and url and not answers(url):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def without_credentials(url: str) -> str:
    """The URL for a terminal or a log: a user and a password in it are for the server alone."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _check_answers(url: str) -> None:
    if reason := _trouble_with(url):
        raise ServerError(
            "server.unreachable",
            "the Prefect server that PREFECT_API_URL names cannot be used",
            where=without_credentials(url),
            saw=reason,
            fix="start that server, correct PREFECT_API_URL (it ends with /api), or unset it; "
            "or run without Prefect: --engine plain",
        )


def _trouble_with(url: str) -> str:
    """Why the API cannot be used; nothing if it can. One that asks for credentials can: Prefect has them."""
    import ssl
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(f"{without_credentials(url).rstrip('/')}/health", timeout=_ANSWER_SECONDS) as answer:
            healthy = url.startswith("https:") or answer.read(10).strip() == b"true"
            return "" if healthy else "something answers there, but not as a Prefect API"
    except HTTPError as refusal:
        return "" if refusal.code in (401, 403) else f"HTTP {refusal.code} {refusal.reason}"
    except (OSError, ValueError, HTTPException) as refusal:
        reason = getattr(refusal, "reason", refusal)
        if isinstance(reason, ssl.SSLError):  # someone is there; certificates are Prefect's to judge
            return ""
        return str(reason) or type(refusal).__name__


def _embed(say: Say) -> str:
    port = _free_port()
    url = f"http://{_HOST}:{port}/api"
    log = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("embedded_server.py")), str(port)],
        stdin=subprocess.PIPE,  # its end tells the server of ours
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**defaults.environment_for_a_server(), **_EMBEDDED},
        start_new_session=True,  # Ctrl-C is for the run, which has a last state to report
    )
    # After Prefect's threads have delivered what they have: they are joined before.
    atexit.register(_end, process)
    say("starting Prefect's embedded server (`namewright server start` keeps one running)")
    os.environ["PREFECT_API_URL"] = url
    _import_prefect()  # while the server starts
    _wait(process, url, log, "Prefect's embedded server", say)
    return url


def _wait(process: subprocess.Popen[bytes], url: str, log: IO[bytes], what: str, say: Say) -> None:
    began = time.monotonic()
    say_next = _SAY_SECONDS
    while reason := _trouble_with(url):
        signals.raise_if_requested(f"while {what} starts")
        waited = time.monotonic() - began
        if process.poll() is not None or waited > _START_SECONDS:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            died = process.poll() is not None
            raise ServerError(
                "server.died" if died else "server.slow",
                f"{what} ended while starting" if died else f"{what} does not answer after {waited:.0f} s",
                where=f"{url}, exit code {process.returncode}" if died else url,
                saw="\n         ".join(["", *lines[-_LOG_LINES:]]) or reason,
                fix="mend what its last lines say, or run without Prefect: --engine plain",
            )
        if waited >= say_next:
            say(f"waiting for {what} at {url}: {waited:.0f} s")
            say_next += _SAY_SECONDS
        time.sleep(_POLL_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _import_prefect() -> None:
    collecting = gc.isenabled()
    gc.disable()  # among modules that stay it finds nothing, for a tenth of the time
    import prefect.flows  # noqa: F401

    if collecting:
        gc.enable()


def _reach_this_machine_directly() -> None:
    """No proxy knows the servers on this machine."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), _HOST, "localhost"]))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _refuse_a_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as refusal:
            raise ServerError(
                "server.port",
                f"port {port} cannot be had: {refusal.strerror}",
                where=f"{_HOST}:{port}",
                fix="name another: namewright server start --port 4300",
            ) from refusal


def _refuse_a_second_one(say: Say) -> None:
    """Prefect's pid file is one per PREFECT_HOME, so one background server is, too."""
    pid = _recorded_pid()
    if pid is not None and _alive(pid):
        raise ServerError(
            "server.running",
            "a Prefect server runs in the background already",
            where=f"process {pid}, {_pid_file()}",
            fix="namewright server stop",
        )
    if _pid_file().exists():
        say("an earlier server ended without a word; forgetting it")
    _forget()


def _pid_file() -> Path:
    return defaults.home() / "server.pid"  # Prefect's own, so that `prefect server stop` works


def _state_file() -> Path:
    return defaults.home() / "namewright-server.json"


def _recorded() -> Server | None:
    try:
        url, pid, log = json.loads(_state_file().read_text(encoding="utf-8"))
        return Server(url, pid, Path(log)) if pid == _recorded_pid() else None
    except (OSError, ValueError, TypeError):
        return None


def _recorded_pid() -> int | None:
    try:
        return int(_pid_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _forget() -> None:
    for file in (_state_file(), _pid_file()):
        file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    """Whether the process lives, and is a Prefect server: pids are used again."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if we started it and it has ended, it is gone now
    try:
        os.kill(pid, 0)
        return b"prefect" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return not Path("/proc/self").exists()  # no such file system: what kill says has to do
    except OSError:
        return False


@contextlib.contextmanager
def _reported(log: Path) -> Iterator[None]:
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
