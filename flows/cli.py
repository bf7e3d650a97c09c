"""The command line: every command of `namewright`."""

import inspect
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from artifacts.errors import StoreError
from artifacts.store import Artifact
from flows import hints, models_commands, server_commands
from flows.execute import GENERATE, RUN, Engine, execute
from flows.pipeline import lists, pipeline
from rnn_core.errors import ConfigError, NamewrightError, TrainingError
from tasks import stages
from tasks.config import options, pipeline_file
from tasks.config.generate import GenerateConfig
from tasks.config.maintenance import MaintenanceConfig
from tasks.config.resolve import FLAT, SOURCES, option_error
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, default_store
from tasks.core.events import Event, Finished
from tasks.core.plan import Plan
from tasks.engines.plain import SequentialRunner
from tasks.generate import dataset
from tasks.process import signals
from tasks.report.publish import FILE
from tasks.stages.gate_rule import GateRefused
from tasks.views import console, maintenance


def _version() -> str:
    from importlib.metadata import version

    return version("namewright")


app = App(
    name="namewright",
    help="Learn what names sound like from lists of names, and make new ones.",
    version=_version,
)
app.config = SOURCES


def _with_knobs(config: Any, settings: Any = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What the configuration's own docstrings say of each knob, into the command's."""
    listed = options.documented("config", config)
    listed += options.documented("settings", settings) if settings else ""

    def documented(command: Callable[..., None]) -> Callable[..., None]:
        command.__doc__ = inspect.cleandoc(command.__doc__ or "") + "\n" + listed
        return command

    return documented


@app.command
@_with_knobs(RetrainConfig(), Settings())
def run(
    *,
    file: Annotated[Path | None, Parameter(name="--config")] = None,  # noqa: ARG001  # read before all else
    config: Annotated[RetrainConfig, FLAT] = RetrainConfig(),
    settings: Annotated[Settings, FLAT] = Settings(),
    engine: Engine = "prefect",
    dry_run: bool = False,
) -> None:
    """Make names from lists of names. What an earlier run made is used again if nothing changed.

    Parameters
    ----------
    file
        Where knobs are read from that no option and no variable sets; ./pipeline.toml if it is there.
    engine
        Who runs the stages: Prefect, which records them in its UI, or this process alone.
    dry_run
        Say which stages would be computed, and why; compute nothing.
    """
    stages.check_names(settings.refresh)
    began = time.monotonic()
    with console.open_console() as shown:
        if dry_run:
            plan = Plan(settings)
            try:
                pipeline(config, plan)
            finally:
                shown.plan(plan.stages)
            return
        finished: dict[str, Finished] = {}  # by title: the other engine may find what this one made

        def listener(event: Event) -> None:
            if isinstance(event, Finished):
                finished.setdefault(event.title, event)
            shown(event)

        with signals.graceful_shutdown():
            lost = execute(RUN, config, settings, engine, listener, shown.print)
        _summarise(shown, settings, list(finished.values()), time.monotonic() - began)
    if lost:
        raise lost


@app.command(name="data")
@_with_knobs(RetrainConfig(), Settings())
def look_at_data(
    *,
    file: Annotated[Path | None, Parameter(name="--config")] = None,  # noqa: ARG001  # read before all else
    config: Annotated[RetrainConfig, FLAT] = RetrainConfig(),
    settings: Annotated[Settings, FLAT] = Settings(),
) -> None:
    """Show what the lists hold, what was not taken and why, and what changed. Nothing is learnt from them.

    The exit code is 8 if a run would be refused: the lists differ too much from the last accepted ones.

    Parameters
    ----------
    file
        Where knobs are read from that no option and no variable sets; ./pipeline.toml if it is there.
    """
    from tasks.views.data_summary import data_summary

    stages.check_names(settings.refresh)
    made: dict[str, list[Artifact]] = {}
    with console.open_console() as shown:

        def listener(event: Event) -> None:
            if isinstance(event, Finished):
                made.setdefault(event.stage, []).append(event.artifact)
            else:
                shown(event)

        refusal = None
        try:
            with signals.graceful_shutdown():
                lists(
                    config, SequentialRunner(settings, listener)
                )  # a look accepts no lists: only a run does
        except GateRefused as refused:
            refusal = refused  # told once all has been shown
        shown.sections(data_summary(made["corpus"], made["profile"][0], made["gate"][0]))
    if refusal:
        raise refusal


@app.command
@_with_knobs(GenerateConfig(), ListSettings())
def generate(
    *,
    config: Annotated[GenerateConfig, FLAT] = GenerateConfig(),
    settings: Annotated[ListSettings, FLAT] = ListSettings(),
    engine: Engine = "prefect",
) -> None:
    """Make a list of names, of any length. The same command goes on where a killed one stopped.

    Parameters
    ----------
    engine
        Who runs the shards: Prefect, which records them in its UI, or this process alone.
    """
    whole: list[Finished] = []
    with console.open_console() as shown:

        def listener(event: Event) -> None:
            if isinstance(event, Finished) and event.stage == dataset.LIST:
                whole[:] = [event]
            else:
                shown(event)

        with signals.graceful_shutdown():
            lost = execute(GENERATE, config, settings, engine, listener, shown.print)
        shown.list_summary(whole[0])
    if lost:
        raise lost


def _summarise(shown: console.Console, settings: Settings, finished: list[Finished], seconds: float) -> None:
    (drawn,) = (stage.artifact for stage in finished if stage.stage == "names")
    names = drawn.table("names.parquet", ["name"])["name"].slice(0, 10).to_pylist()
    shown.run_summary(finished, names, str(settings.store / FILE), seconds)


@app.command
@_with_knobs(MaintenanceConfig())
def maintain(
    *,
    config: Annotated[MaintenanceConfig, FLAT] = MaintenanceConfig(),
    store: Path | None = None,
    dry_run: bool = False,
) -> None:
    """Put the store in order: verify every artifact, clear what dead runs left, remove what is old.

    Parameters
    ----------
    store
        Folder of the artifact store; by default artifacts/store below the current folder.
    dry_run
        Say what would be done; touch nothing.
    """
    root = store or default_store()
    actions = []
    with signals.graceful_shutdown():
        for action in maintenance.maintenance_actions(config, root, dry_run):
            actions.append(action)
            for line in maintenance.action_lines([action]):
                print(line)
    print(f"{root}: {maintenance.summary(actions, dry_run)}")


@app.command
def init(*, file: Path = pipeline_file.DEFAULT) -> None:
    """Write a pipeline.toml with every knob at its default, and what it does.

    Parameters
    ----------
    file
        Where to. An existing file is never overwritten.
    """
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(options.as_toml(RetrainConfig()))
    except FileExistsError as refusal:
        raise ConfigError(
            "config.exists", "the file is there already", where=str(file), fix="name another with --file."
        ) from refusal
    except OSError as refusal:
        file.unlink(missing_ok=True)
        raise StoreError(
            "config.refused",
            f"could not write: {refusal.strerror}",
            where=str(file),
            fix="name another with --file.",
        ) from refusal
    print(f"wrote {file}; change it, then: namewright run --config {file}")


app.command(models_commands.commands)
app.command(server_commands.deploy)
app.command(server_commands.serve)
app.command(server_commands.server)


def commands() -> Iterator[tuple[str, App]]:
    """Every command that does something, by its full name: `models list`, for instance."""
    remaining = [("", app)]
    while remaining:
        name, group = remaining.pop(0)
        for word in group:
            command = group[word]
            if word.startswith("-"):
                continue
            if command.default_command:
                yield f"{name} {word}".strip(), command
            else:
                remaining.append((word, command))


def main() -> None:
    """Exit code 0 if all went well; else that of the error, as docs/reference/errors.md lists them."""
    _make_output_safe()
    try:
        app(exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as refusal:
        _fail(option_error(refusal))
    except NamewrightError as error:
        _fail(error)
    except BrokenPipeError:  # whoever read our output has had enough
        _drop_output()
        sys.exit(141)
    except OSError as refusal:
        _drop_output()
        where, fix = str(refusal.filename or ""), "free space, or permit it."
        _fail(StoreError("system.refused", f"the system refuses: {refusal.strerror}", where=where, fix=fix))
    except MemoryError as refusal:
        fix = "ask for less: sampling.count, training.hidden_size, training.batch_size."
        _fail(TrainingError("system.memory", "there is not enough memory", saw=str(refusal), fix=fix))


def _make_output_safe() -> None:
    """A stream that is closed swallows what is written; one that cannot spell a name escapes it."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """What is left in the buffer cannot be written, and is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: NamewrightError) -> None:
    print(hints.message(error, " ".join(sys.argv[1:2])), file=sys.stderr)
    _leave(error.exit_code)


def _leave(code: int) -> None:
    if "tasks.server.connection" in sys.modules:
        from tasks.server import connection

        connection.exit_process(code)
    sys.exit(code)
