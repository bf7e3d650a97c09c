"""One composition, two engines: a flow recorded by Prefect, or its stages in this process alone."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from flows.generation import generation
from flows.pipeline import pipeline
from rnn_core.errors import NamewrightError
from tasks.config.generate import GenerateConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings
from tasks.core.events import Listener
from tasks.engines.plain import RUN_CONTEXT, stage_runner
from tasks.engines.removed import repeat_if_removed
from tasks.generate import dataset

Engine = Literal["auto", "prefect", "plain"]


class Command(NamedTuple):
    """What a command runs, for either engine.

    check:  raises what is wrong with a configuration, at once: before a server starts.
    plain:  runs it in this process, with a listener.
    flow:   imports the Prefect flow that runs the same.
    """

    check: Callable[[Any, Any], object]
    plain: Callable[[Any, Any, Listener], object]
    flow: Callable[[], Callable[[Any, Any], object]]


def execute(
    command: Command,
    config: Any,
    settings: Any,
    engine: Engine,
    listener: Listener,
    say: Callable[[str], None],
) -> NamewrightError | None:
    """Run it. Returns the error to report after the results: everything is made, but not recorded.

    Raises what a stage raises.
    """
    if engine == "plain" or (engine == "auto" and not _is_recordable(settings, say)):
        command.plain(config, settings, listener)
        return None
    command.check(config, settings)
    from tasks.server import connection

    connection.connect(say)  # before Prefect is imported: it reads its settings then
    from tasks.engines.prefect import NotRecorded, run_recorded

    flow = command.flow()
    try:
        run_recorded(
            lambda: flow(config, settings), lambda: command.plain(config, settings, listener), listener
        )
    except NotRecorded as lost:
        return lost
    return None


def _is_recordable(settings: Any, say: Callable[[str], None]) -> bool:
    """Whether a Prefect server answers; if none does, it says so. Dask's workers need Prefect anyway."""
    from tasks.server import connection

    is_dask = isinstance(settings, ListSettings) and settings.workers.runner == "dask"
    fault = "" if is_dask else connection.server_fault()
    if fault:
        say(f"not recorded in Prefect: {fault}; `namewright server start` starts one here, with its UI")
    return not fault


def _check_sources(config: RetrainConfig, _settings: Settings) -> None:
    for source in config.sources:
        files = source.files
        _ = source.reading_of(files), [file.digest for file in files]


def _run(config: RetrainConfig, settings: Settings, listener: Listener) -> None:
    def run_once() -> None:
        with stage_runner(settings, listener) as run:
            pipeline(config, run)

    repeat_if_removed(run_once, listener)


def _run_flow() -> Callable[[Any, Any], object]:
    from flows.retrain import retrain

    return retrain


def _generate(config: GenerateConfig, settings: ListSettings, listener: Listener) -> None:
    dataset.generate(
        dataset.prepare(config, settings),
        settings,
        generation,
        lambda of_stages: stage_runner(of_stages, listener, settings.workers),
        listener,
        RUN_CONTEXT,
    )


def _generate_flow() -> Callable[[Any, Any], object]:
    from flows.generate import generate

    return generate


RUN = Command(_check_sources, _run, _run_flow)
GENERATE = Command(dataset.prepare, _generate, _generate_flow)
