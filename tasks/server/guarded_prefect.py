"""Prefect's own commands, whose server is guarded: `python -m tasks.server.guarded_prefect server start`."""

import runpy
from typing import Any

from tasks.server import defaults


def guarded(app: Any, host: str) -> Any:
    """Prefect's server as an ASGI application, guarded.

    host:  that it listens on.
    """
    from prefect.settings import PREFECT_SERVER_CORS_ALLOWED_ORIGINS

    from tasks.server.guard import Guard

    app.add_middleware(Guard, origins=PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value().split(","), host=host)
    return app


def main() -> None:
    """Run Prefect's command with these arguments."""
    defaults.close_server(defaults.api_port())
    from prefect.server.api import server
    from prefect.settings import PREFECT_SERVER_API_HOST

    create_app = server.create_app

    def create_guarded(**options: Any) -> Any:
        return guarded(create_app(**options), PREFECT_SERVER_API_HOST.value())

    # The command takes no middleware, and looks this up when it serves.
    server.create_app = create_guarded  # type: ignore[assignment]  # it calls it by keywords alone
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
