"""A process that runs small stages in Prefect, as the command does: `small_flow.py STORE [refuse]`."""

import sys
from pathlib import Path

from small_stages import Greeting, counting, greeting, refusing

from rnn_core.errors import NamewrightError
from tasks.config.settings import Settings
from tasks.core.events import Event
from tasks.core.stage import StageRunner
from tasks.process import signals
from tasks.server import connection


def compose(run: StageRunner) -> None:
    import polars  # noqa: F401  # as a stage may; its handler for Ctrl-C must not deafen ours

    counted = run(counting, Greeting(), before=run(greeting, Greeting()))
    if "refuse" in sys.argv:
        run(refusing, Greeting(), before=counted)


def tell(event: Event) -> None:
    print(type(event).__name__, event.stage, flush=True)


def main(settings: Settings) -> None:
    connection.connect(print)
    from prefect import flow

    from tasks.engines.prefect import run_recorded, stage_runner

    def small() -> None:
        with stage_runner(settings) as run:
            compose(run)

    def without_prefect() -> None:
        with stage_runner(settings, tell) as run:
            compose(run)

    run_recorded(flow(name="small")(small), without_prefect, tell)


if __name__ == "__main__":
    try:
        with signals.graceful_shutdown():
            main(Settings(Path(sys.argv[1])))
        connection.exit_process(0)
    except NamewrightError as error:
        print(error, file=sys.stderr)
        connection.exit_process(error.exit_code)
