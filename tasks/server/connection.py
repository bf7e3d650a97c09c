"""Which Prefect server a run talks to.

Prefect itself is imported late: finding out that a server is missing takes milliseconds.
"""

import atexit
import gc
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from tasks.server import background, defaults, health, startup
from tasks.server.startup import HOST, Say

_EMBEDDED = {
    "PREFECT__SERVER_EPHEMERAL": "1",  # only the services that a run needs
    "PREFECT_UI_ENABLED": "false",
    # Block types are of use in the UI only: half a second of a first start.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}


OPEN = (
    "the Prefect server at {url} obeys every web page that a browser in reach of it opens: it allows all "
    "origins, and asks for no password. `namewright server start` starts one that does not."
)


def connect(say: Say) -> str:
    """Choose an API that answers, point Prefect to it and import Prefect; return its URL.

    In this order: the server that PREFECT_API_URL (or the active profile) names, ours in the background, one
    embedded in this run, which ends with this process.

    Raises ServerError, also for a server that refuses the password, and Interrupted while it waits.
    """
    defaults.apply_defaults(quiet=True)
    url = _running_server(say)
    if not url:
        return _embed(say)
    _import_prefect()
    _check_access()
    return url


def connect_lasting(say: Say, *, quiet: bool = True) -> str:
    """Connect as `connect` does, but only to a server that outlives this process.

    quiet:  keep Prefect's logs off this process's console.

    Raises ServerError if there is none.
    """
    defaults.apply_defaults(quiet=quiet)
    url = _running_server(say) or background.require_server().url
    _import_prefect()
    _check_access()
    return url


def server_fault() -> str:
    """Why no server would record a run: empty if one answers, at PREFECT_API_URL or in the background."""
    _bypass_proxies()
    if not (url := defaults.api_url()):
        return "" if background.find_server() else "no Prefect server is running"
    fault = health.health_fault(url)
    return f"no Prefect server answers at {health.without_credentials(url)} ({fault})" if fault else ""


def exit_process(code: int) -> NoReturn:
    """End the process; if its Prefect server is gone, without waiting for what that will never take.

    Prefect tries for seven seconds per event to deliver what is left, as often as there are events.
    """
    url = os.environ.get("PREFECT_API_URL")
    if "prefect" in sys.modules and url and not health.is_answering(url):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _bypass_proxies() -> None:
    for name in ("NO_PROXY", "no_proxy"):  # no proxy knows the servers on this machine
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST, "localhost"]))


def _running_server(say: Say) -> str | None:
    _bypass_proxies()
    if url := defaults.api_url():
        health.check_answering(url)
        if health.is_open(url):  # the background server says so when it is started
            say(OPEN.format(url=health.without_credentials(url)))
        return url
    if server := background.find_server():
        os.environ["PREFECT_API_URL"] = server.url
        return server.url
    return None


def _embed(say: Say) -> str:
    port = _free_port()
    url = startup.api_url(port)
    log = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
    process = startup.spawn(
        [str(Path(__file__).with_name("embedded.py")), str(port)],
        log,
        {**defaults.server_environment(), **_EMBEDDED, "PREFECT_SERVER_API_AUTH_STRING": _password()},
        stdin=subprocess.PIPE,  # its end tells the server that this process ended
    )
    # After Prefect's threads have delivered what they have: they are joined before.
    atexit.register(_end, process)
    say("starting Prefect's embedded server (`namewright server start` keeps one running)")
    os.environ["PREFECT_API_URL"] = url
    _import_prefect()  # while the server starts
    startup.wait_until_healthy(process, url, log, "Prefect's embedded server", say)
    return url


def _password() -> str:
    """The embedded server's: the one that the user has set, or a random one. This process sends it along."""
    settings = defaults.user_settings()
    ours, theirs = "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"
    password = settings.get(theirs) or settings.get(ours) or f"run:{secrets.token_urlsafe(32)}"
    os.environ[ours] = password
    return password


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(startup.STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _import_prefect() -> None:
    collecting = gc.isenabled()
    gc.disable()  # among modules that stay it finds nothing, for a tenth of the time
    import prefect.flows  # noqa: F401

    if collecting:
        gc.enable()


def _check_access() -> None:
    """Raise ServerError if the server wants another password, or a key: its health it tells to everybody."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    from tasks.server.api_errors import is_unauthorized, server_errors

    with server_errors("access", "run the same command again"), get_client(sync_client=True) as client:
        try:
            client.api_version()
        except PrefectHTTPStatusError as refusal:  # Prefect's cloud has no such page
            if is_unauthorized(refusal):
                raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
