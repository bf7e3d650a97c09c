"""Every command of `namewright`."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from artifacts import single_file
from artifacts.errors import StoreError
from flows import hints, models_commands, server_commands, store_commands
from flows.execute import GENERATE, RUN, Engine, execute
from flows.help import EXAMPLES, USED, OneScreen, epilogue
from flows.pipeline import lists as compose_lists
from flows.pipeline import pipeline
from rnn_core.errors import ConfigError, NamewrightError, TrainingError, escape_controls
from tasks import stages
from tasks.config import options, pipeline_file
from tasks.config.generate import GenerateConfig
from tasks.config.maintenance import MaintenanceConfig
from tasks.config.preview import PreviewConfig
from tasks.config.resolve import FLAT, SOURCES
from tasks.config.retrain import RetrainConfig, Sources
from tasks.config.settings import ListSettings, Settings, chosen_store, shown_store
from tasks.config.sources import Source
from tasks.config.suggestions import option_error
from tasks.core.events import Event, Finished
from tasks.engines.plain import SequentialRunner
from tasks.generate import dataset
from tasks.models import load
from tasks.models.champion import CHAMPION
from tasks.models.training_lists import drawn_from_text, model_line
from tasks.process import signals
from tasks.report.publish import FILE
from tasks.stages.gate_rule import GateRefused
from tasks.views import console, maintenance

if TYPE_CHECKING:
    from rich.console import Console


def _version() -> str:
    from importlib.metadata import version

    return version("namewright")


app = App(
    name="namewright",
    help="Learn to generate names from your own lists.",
    help_epilogue=epilogue(""),
    version=_version,
)
app.config = SOURCES


@app.command
def run(
    *lists: Path,  # noqa: ARG001  # are sources by the time that this is called
    file: Annotated[Path | None, Parameter(name="--config")] = None,  # noqa: ARG001  # read before all else
    config: Annotated[RetrainConfig, FLAT] = RetrainConfig(),
    settings: Annotated[Settings, FLAT] = Settings(),
    engine: Engine = "auto",
    dry_run: bool = False,
) -> None:
    """Train on lists of names and generate new ones. What did not change is reused from the store.

    Args:
        lists: Files, folders or patterns with names; each is a source, named after the file.
        file: Configuration file; options and variables override it. Default: ./pipeline.toml, if it exists.
        engine: `prefect` records the stages in Prefect's UI, `plain` runs them in this process alone.
            `auto` takes `prefect` if a server answers, else `plain`.
        dry_run: Show which stages would be computed, and why; compute nothing.
    """
    from tasks.views.data_summary import ListStages

    stages.check_names(settings.refresh)
    began = time.monotonic()
    with console.open_console() as shown:
        if dry_run:
            from tasks.core.plan import Plan

            plan = Plan(settings)
            try:
                pipeline(config, plan)
            except NamewrightError:
                plan.is_refused = True
                raise
            finally:
                if plan.stages:
                    shown.plan(plan)
            return
        finished: dict[str, Finished] = {}  # by title: the other engine may report the same stage again
        list_stages = ListStages()

        def listener(event: Event) -> None:
            shown(event)
            list_stages(event)
            if isinstance(event, Finished):
                if event.stage == "gate" and event.title not in finished:
                    for notice in list_stages.notices():
                        shown.print(f"note: {notice}")
                finished.setdefault(event.title, event)

        with signals.graceful_shutdown():
            lost = execute(RUN, config, settings, engine, listener, shown.print)
        _summarise(shown, settings, list(finished.values()), time.monotonic() - began)
    if lost:
        raise lost


@app.command(name="data")
def look_at_data(
    *lists: Path,  # noqa: ARG001  # are sources by the time that this is called
    file: Annotated[Path | None, Parameter(name="--config")] = None,  # noqa: ARG001  # read before all else
    config: Annotated[RetrainConfig, FLAT] = RetrainConfig(),
    settings: Annotated[Settings, FLAT] = Settings(),
) -> None:
    """Summarize the input lists, the rejected rows and what changed. Nothing is trained.

    The exit code is 8 if a run would be refused because the lists drifted beyond the limits of [gate].

    Args:
        lists: Files, folders or patterns with names; each is a source, named after the file.
        file: Configuration file; options and variables override it. Default: ./pipeline.toml, if it exists.
    """
    from tasks.views.data_summary import ListStages, data_summary

    stages.check_names(settings.refresh)
    list_stages = ListStages()
    with console.open_console() as shown:

        def listener(event: Event) -> None:
            list_stages(event)
            if not isinstance(event, Finished):
                shown(event)

        refusal = None
        try:
            with signals.graceful_shutdown():
                # Only a run accepts lists; this only looks.
                compose_lists(config, SequentialRunner(settings, listener))
        except GateRefused as refused:
            refusal = refused  # raised once all has been shown
        shown.sections(data_summary(list_stages))
    if refusal:
        raise refusal


@app.command
def generate(
    *,
    config: Annotated[GenerateConfig, FLAT] = GenerateConfig(),
    settings: Annotated[ListSettings, FLAT] = ListSettings(),
    engine: Engine = "auto",
) -> None:
    """Generate a list of names of any length. The same command resumes one that was killed.

    Args:
        engine: `prefect` records the files in Prefect's UI, `plain` writes them in this process alone.
            `auto` takes `prefect` if a server answers, else `plain`.
    """
    whole: list[Finished] = []
    output = sys.stdout
    aside = contextlib.redirect_stdout(sys.stderr) if settings.is_stdout else contextlib.nullcontext()
    with aside, console.open_console() as shown:

        def listener(event: Event) -> None:
            if isinstance(event, Finished) and event.stage == dataset.LIST:
                whole[:] = [event]
            else:
                shown(event)

        with signals.graceful_shutdown():
            lost = execute(GENERATE, config, settings, engine, listener, shown.print)
        shown.list_summary(whole[0])
        if settings.file_format:
            shown.print(f"file: {settings.output}")
    if settings.is_stdout:
        for lines in single_file.names(dataset.part_paths(whole[0].artifact)):
            if output.isatty():
                output.write(escape_controls(lines.to_pybytes().decode()))
            else:
                output.buffer.write(lines)
    if lost:
        raise lost


@app.command
def preview(
    model: str = CHAMPION,
    *,
    config: Annotated[PreviewConfig, FLAT] = PreviewConfig(),
    sources: tuple[str, ...] = (),
    store: Path | None = None,
) -> None:
    """Print a few names at several temperatures, for every style of a model. Nothing is written.

    Args:
        model: A file model.npz, the key of a model in the store or its first digits, or `champion`.
        sources: Names of the lists whose champion is meant; by default those that were trained on last.
        store: Folder of the artifact store; by default artifacts/store in the current folder.
    """
    from tasks.views.preview import preview_sections

    file = load.find_model(model, chosen_store(store), sources)
    loaded = load.load_model(file)
    with signals.graceful_shutdown(), console.open_console() as shown:
        part = drawn_from_text(loaded.models.resolve(config.drawn_from))
        shown.print(file.line(datetime.now().astimezone()) + part)
        for section in preview_sections(loaded, config):
            shown.sections([section])


def _summarise(shown: console.Console, settings: Settings, finished: list[Finished], seconds: float) -> None:
    artifacts = {stage.stage: stage.artifact for stage in finished}
    model = model_line(artifacts["mixture"], datetime.now().astimezone())
    drawn_from = artifacts["names"].manifest().metadata.get("drawn_from")
    model += drawn_from_text(drawn_from) if drawn_from else ""
    names = artifacts["names"].table("names.parquet", ["name"])["name"].slice(0, 10).to_pylist()
    shown.run_summary(finished, model, names, f"{shown_store(settings.store)}/{FILE}", seconds)


@app.command
def maintain(
    *,
    config: Annotated[MaintenanceConfig, FLAT] = MaintenanceConfig(),
    store: Path | None = None,
    dry_run: bool = False,
) -> None:
    """Maintain the store: verify every artifact, clean up after dead runs, remove what is old.

    Args:
        store: Folder of the artifact store; by default artifacts/store in the current folder.
        dry_run: Show what would be done; change nothing.
    """
    root = chosen_store(store)
    actions = []
    try:
        with signals.graceful_shutdown():
            for action in maintenance.maintenance_actions(config, root, dry_run):
                actions.append(action)
                for line in maintenance.action_lines([action]):
                    print(escape_controls(line))
    finally:
        print(escape_controls(f"{shown_store(root)}: {maintenance.summary(actions, dry_run)}"))


@app.command
def init(
    *lists: Path,  # noqa: ARG001  # are sources by the time that this is called
    file: Path = pipeline_file.DEFAULT,
    sources: Sources = (),
) -> None:
    """Write a pipeline.toml with every option of `run`, its default and what it does.

    Args:
        lists: Lists to look at: their columns are written into the file.
        file: The file to write. An existing file is never overwritten.
    """
    described = _described(sources, file.absolute().parent) if sources else (RetrainConfig(),)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(options.as_toml(*described))
    except FileExistsError as refusal:
        raise ConfigError(
            "config.exists", "the file already exists", where=str(file), fix="choose another with --file."
        ) from refusal
    except OSError as refusal:
        file.unlink(missing_ok=True)
        raise StoreError(
            "config.refused",
            f"could not write: {refusal.strerror}",
            where=str(file),
            fix="choose another with --file.",
        ) from refusal
    print(f"wrote {file}; change it, then: namewright run --config {file}")


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what completes commands and options in a shell: eval "$(namewright completion bash)".

    Args:
        shell: The shell: bash, zsh or fish.
    """
    print(app.generate_completion(shell=shell))


def _described(sources: Sequence[Source], folder: Path) -> tuple[RetrainConfig, dict[str, str]]:
    """A configuration of these lists as they look, with paths relative to the folder; and a note on each."""
    from tasks.config.detect import detect

    looks = [detect(source) for source in sources]
    relative = [
        replace(source, path=str(Path(source.path).relative_to(folder)))
        if Path(source.path).is_relative_to(folder)
        else source
        for source, _ in looks
    ]
    return RetrainConfig(sources=tuple(relative)), {source.name: note for source, note in looks}


for command, used in USED.items():
    app[command].help_formatter = OneScreen(used)
app.command(models_commands.commands)
app.command(store_commands.commands)
app.command(server_commands.deploy)
app.command(server_commands.serve)
app.command(server_commands.server)
for command in set(EXAMPLES) - {""}:
    app[command].help_epilogue = epilogue(command)


def commands() -> Iterator[tuple[str, App]]:
    """Every command that does something, by its full name: `models list`, for instance."""
    for word in (word for word in app if not word.startswith("-")):
        group = app[word]
        if group.default_command:
            yield word, group
        else:
            yield from ((f"{word} {name}", group[name]) for name in group if not name.startswith("-"))


def help_pages() -> Iterator[tuple[str, str]]:
    """Every command and what its --help-all prints; the first is that of `namewright` itself, named by ``."""
    from rich.console import Console

    for name in ("", "models", "store", "server", *(name for name, _ in commands())):
        page = io.StringIO()
        print_help(name.split(), Console(file=page, width=110))
        yield name, page.getvalue()


def print_help(words: Sequence[str], page: "Console | None" = None) -> None:
    """Print the help of a command with all of its options."""
    OneScreen.everything = True
    try:
        app.help_print(words, console=page)
    finally:
        OneScreen.everything = False


def main() -> None:
    """Run the command line. The exit codes are those of docs/reference/errors.md."""
    _make_output_safe()
    try:
        if "--help-all" in sys.argv:
            print_help([word for word in sys.argv[1:] if not word.startswith("-")])
        else:
            app(exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as refusal:
        _fail(option_error(refusal))
    except NamewrightError as error:
        _fail(error)
    except BrokenPipeError:  # the reader of our output closed the pipe
        _drop_output()
        sys.exit(141)
    except OSError as refusal:
        _drop_output()
        where, fix = str(refusal.filename or ""), "free space on the disk, or change the permissions."
        _fail(StoreError("system.refused", f"I/O error: {refusal.strerror}", where=where, fix=fix))
    except MemoryError as refusal:
        fix = "lower sampling.count, training.hidden_size or training.batch_size."
        _fail(TrainingError("system.memory", "out of memory", saw=str(refusal), fix=fix))


def _make_output_safe() -> None:
    """Let a closed stream swallow what is written, and one that cannot encode a name escape it."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Drop what is left in the buffer, which cannot be written, before the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: NamewrightError) -> None:
    print(hints.message(error, " ".join(sys.argv[1:2])), file=sys.stderr)
    _leave(error.exit_code)


def _leave(code: int) -> None:
    if "tasks.server.connection" in sys.modules:
        from tasks.server import connection

        connection.exit_process(code)
    sys.exit(code)
