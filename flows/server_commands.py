"""The command line of a Prefect server: `namewright deploy`, `serve`, and `server` with what follows it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

if TYPE_CHECKING:
    from tasks.deploy import apply
    from tasks.server import background as prefect_server


def deploy(*, file: Path = Path("prefect.yaml")) -> None:
    """Set up on the Prefect server what runs by itself, and when. Given twice, it changes nothing.

    Parameters
    ----------
    file
        That says what, and when. It is for the current folder, a checkout.
    """
    url = _lasting_server(quiet=True)
    from tasks.deploy import apply, deployment_file
    from tasks.server.health import without_credentials

    apply.apply_deployments(deployment_file.load_deployments(file), _tell)
    ui = without_credentials(url).removesuffix("/api")
    print(f"{ui}  a worker runs them: prefect worker start --pool namewright")


def serve(*, file: Path = Path("prefect.yaml")) -> None:
    """Run what `deploy` sets up in this process, without a worker: for a demonstration. Ctrl-C ends it.

    Parameters
    ----------
    file
        That says what, and when. It is for the current folder, a checkout.
    """
    _lasting_server(quiet=False)
    from tasks.deploy import deployment_file, serve

    serve.serve_deployments(deployment_file.load_deployments(file))


def _tell(done: "apply.Change") -> None:
    print(f"{done.outcome:<10} {done.kind:<11} {done.name}  {done.note}".rstrip(), flush=True)


def _lasting_server(*, quiet: bool) -> str:
    from tasks.server import connection

    os.environ["PWD"] = str(Path.cwd())  # as a shell would say; prefect.yaml asks for it
    return connection.connect_lasting(quiet=quiet)  # before Prefect is imported: it reads its settings then


server = App(name="server", help="Prefect's own server in the background, with our defaults.")


@server.command
def start(*, port: int | None = None) -> None:
    """Start it and wait until it answers.

    Parameters
    ----------
    port
        Of its API and its UI; PREFECT_SERVER_API_PORT or 4200 if nothing is said.
    """
    from tasks.server import background

    print(_described(background.start(port)))


@server.command
def stop() -> None:
    """End it."""
    from tasks.server import background

    print("stopped" if background.stop() else "there was none")


@server.command
def status() -> None:
    """Say where it is. The exit code is not 0 if there is none."""
    from tasks.server import background

    print(_described(background.require_server()))


def _described(running: "prefect_server.Server") -> str:
    return f"Prefect's UI: {running.ui}  (process {running.pid}, log {running.log})"
