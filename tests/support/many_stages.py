"""A process that runs stages side by side: `many_stages.py ENGINE RUNNER STORE WORKERS SPEED COUNT`.

It prints what is told, and how long it took.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from small_stages import Greeting, counting, greeting

from rnn_core.errors import NamewrightError
from tasks.config.settings import Settings, WorkerSettings
from tasks.core.events import Event, Finished
from tasks.core.stage import AnyStage, StageRunner
from tasks.engines.plain import stage_runner
from tasks.process import signals
from tasks.server import connection

STAGES = {"quick": greeting, "slow": counting}


def tell(event: Event) -> None:
    if isinstance(event, Finished):
        line = f"{'reused' if event.reused else 'made'} {event.title}\n"
        print(line, end="", flush=True)  # in one piece, whichever threads tell at once


def compose(run: StageRunner, stage: AnyStage, count: int) -> None:
    run.wait([run(stage, Greeting(f"{place}")) for place in range(count)])


def by_prefect(settings: Settings, workers: WorkerSettings, body: Callable[[StageRunner], None]) -> None:
    connection.connect(lambda _text: None)
    from prefect import flow

    from tasks.engines.prefect import run_recorded, stage_runner

    def many() -> None:
        with stage_runner(settings, workers) as run:
            body(run)

    run_recorded(flow(name="many")(many), lambda: None, tell)


def alone(settings: Settings, workers: WorkerSettings, body: Callable[[StageRunner], None]) -> None:
    with stage_runner(settings, tell, workers) as run:
        body(run)


def main() -> None:
    engine, runner, store, workers, speed, count, *address = sys.argv[1:]
    wanted = WorkerSettings(runner, int(workers), *address)  # type: ignore[arg-type]
    run = by_prefect if engine == "prefect" else alone

    def timed(make: StageRunner) -> None:
        compose(make, greeting, 1)
        first = time.monotonic()
        print(f"first after {first - began:.2f} s", flush=True)
        compose(make, STAGES[speed], int(count))
        print(f"all after {time.monotonic() - first:.3f} s", flush=True)

    began = time.monotonic()
    with signals.graceful_shutdown():
        run(Settings(Path(store)), wanted, timed)
    print(f"ended after {time.monotonic() - began:.2f} s", flush=True)


if __name__ == "__main__":
    try:
        main()
        connection.exit_process(0)
    except NamewrightError as error:
        print(error, file=sys.stderr)
        connection.exit_process(error.exit_code)
