"""Prefect's own commands, whose server is guarded: `python -m tasks.server.guarded_prefect server start`."""

import runpy
from typing import Any

from tasks.server import defaults
from tasks.server.guard import Guard


def guarded(app: Any, host: str) -> Guard:
    """An ASGI application of Prefect's server behind a guard.

    The guard stands around it and not within: Prefect's services call the application itself, and not by a
    host name of the server.

    host:  that it listens on.
    """
    from prefect.settings import PREFECT_SERVER_CORS_ALLOWED_ORIGINS

    return Guard(app, PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value().split(","), host)


def main() -> None:
    """Run Prefect's command with these arguments."""
    defaults.close_server(defaults.api_port())
    from prefect.server.api import server
    from prefect.settings import PREFECT_SERVER_API_HOST

    create_app = server.create_app

    def create_guarded(*, final: bool = False, **options: Any) -> Any:
        app = create_app(final=final, **options)
        return guarded(app, PREFECT_SERVER_API_HOST.value()) if final else app

    # The command takes no middleware, and looks this up when it serves: only then is the application final.
    server.create_app = create_guarded  # type: ignore[assignment]  # it is called by keywords alone
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
