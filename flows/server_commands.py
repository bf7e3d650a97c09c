"""The command line of a Prefect server: `namewright deploy`, `serve` and `server`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from tasks.config.settings import default_store
from tasks.config.site import FILE, VARIABLE, site_name
from tasks.server import defaults

if TYPE_CHECKING:
    from tasks.deploy.changes import Change
    from tasks.server import background as prefect_server


def deploy(*, file: Path | None = None, site: str | None = None, take_over: bool = False) -> None:
    """Create or update the deployments on the Prefect server (idempotent).

    Args:
        file: Deployment file; by default ./prefect.yaml if it is there, otherwise the one that Namewright
            brings along. It deploys the current folder.
        site: Name before everything that is created, so that several sites share a server. Default: `name`
            in ./prefect.yaml, or the name of the folder.
        take_over: Also take deployments of the same names that another folder created.
    """
    known = defaults.api_url()  # before it is set for this process
    url = _connect(file, site, quiet=True)
    from tasks.deploy import apply, deployment_file
    from tasks.server.health import without_credentials

    deployments = deployment_file.load_deployments(file)
    if site:
        deployment_file.require_site(file or FILE, deployments, site_name(site))
    apply.apply_deployments(deployments, _print_change, take_over, default_store())
    ui = without_credentials(url).removesuffix("/api")
    print(f"{ui}  a worker runs them: prefect worker start --pool namewright")
    _print_prefect_setting(url, known)


def serve(*, file: Path | None = None, site: str | None = None) -> None:
    """Run the deployments in this process, without a worker: for demonstrations. Ctrl-C ends it.

    Args:
        file: Deployment file; by default as for `deploy`. It serves the current folder.
        site: Name before everything that is created, so that several sites share a server. Default: `name`
            in ./prefect.yaml, or the name of the folder.
    """
    _connect(file, site, quiet=False)
    from tasks.deploy import deployment_file, serve

    serve.serve_deployments(deployment_file.load_deployments(file))


def _print_change(change: "Change") -> None:
    print(f"{change.outcome:<10} {change.kind:<11} {change.name}  {change.note}".rstrip(), flush=True)


def _connect(file: Path | None, site: str | None, *, quiet: bool) -> str:
    from tasks.server import connection

    os.environ["PWD"] = str(Path.cwd())  # as a shell would say; prefect.yaml asks for both
    os.environ[VARIABLE] = site_name(site, file or FILE)
    # Before Prefect is imported: it reads its settings then.
    return connection.connect_lasting(print, quiet=quiet)


def _print_prefect_setting(url: str, known: str | None) -> None:
    """Say how Prefect's own commands find this server, which would start one of their own. known: by them."""
    if known != url:
        print(f"for Prefect's own commands, once: prefect config set PREFECT_API_URL={url}")


server = App(name="server", help="Prefect's own server in the background, with Namewright's defaults.")


@server.command
def start(*, port: int | None = None, foreground: bool = False) -> None:
    """Start the background server and wait until it answers.

    Args:
        port: Port of its API and its UI; by default PREFECT_SERVER_API_PORT, or 4200.
        foreground: Run the server in this process, for systemd or a container. It listens on
            PREFECT_SERVER_API_HOST; `stop` and `status` do not know it.
    """
    from tasks.server import background

    if foreground:
        background.run_in_foreground(port)
    running = background.start(port)
    print(_description(running))
    _print_prefect_setting(running.url, defaults.api_url())


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
