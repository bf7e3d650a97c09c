"""The command line of a Prefect server: `namewright deploy`, `serve` and `server`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

if TYPE_CHECKING:
    from tasks.deploy import apply
    from tasks.server import background as prefect_server


def deploy(*, file: Path | None = None) -> None:
    """Create or update the deployments on the Prefect server (idempotent).

    Args:
        file: Deployment file; by default ./prefect.yaml if it is there, otherwise the one that Namewright
            brings along. It deploys the current folder.
    """
    url = _connect(quiet=True)
    from tasks.deploy import apply, deployment_file
    from tasks.server.health import without_credentials

    apply.apply_deployments(deployment_file.load_deployments(file), _print_change)
    ui = without_credentials(url).removesuffix("/api")
    print(f"{ui}  a worker runs them: prefect worker start --pool namewright")


def serve(*, file: Path | None = None) -> None:
    """Run the deployments in this process, without a worker: for demonstrations. Ctrl-C ends it.

    Args:
        file: Deployment file; by default as for `deploy`. It serves the current folder.
    """
    _connect(quiet=False)
    from tasks.deploy import deployment_file, serve

    serve.serve_deployments(deployment_file.load_deployments(file))


def _print_change(change: "apply.Change") -> None:
    print(f"{change.outcome:<10} {change.kind:<11} {change.name}  {change.note}".rstrip(), flush=True)


def _connect(*, quiet: bool) -> str:
    from tasks.server import connection

    os.environ["PWD"] = str(Path.cwd())  # as a shell would say; prefect.yaml asks for it
    # Before Prefect is imported: it reads its settings then.
    return connection.connect_lasting(print, quiet=quiet)


server = App(name="server", help="Prefect's own server in the background, with Namewright's defaults.")


@server.command
def start(*, port: int | None = None) -> None:
    """Start the background server and wait until it answers.

    Args:
        port: Port of its API and its UI; by default PREFECT_SERVER_API_PORT, or 4200.
    """
    from tasks.server import background

    print(_description(background.start(port)))


@server.command
def stop() -> None:
    """Stop the background server."""
    from tasks.server import background

    print("stopped" if background.stop() else "no server is running")


@server.command
def status() -> None:
    """Show the URL of the background server. The exit code is not 0 if none is running."""
    from tasks.server import background

    print(_description(background.require_server()))


def _description(running: "prefect_server.Server") -> str:
    return f"Prefect's UI: {running.ui}  (process {running.pid}, log {running.log})"
