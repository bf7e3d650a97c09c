"""The command line: `namewright run`, `init` and `server`."""

import difflib
import inspect
import io
import os
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.argument import ArgumentCollection
from cyclopts.config import Dict, Env

from flows.pipeline import pipeline
from rnn_core.errors import ConfigError, NamewrightError, StoreError, TrainingError
from rnn_core.ranges import out_of_range
from tasks import console, interruption, knobs, report_page, stages
from tasks.config import RetrainConfig
from tasks.planning import Plan
from tasks.progress import Event, Finished, Listener
from tasks.running import producing
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks import server as prefect_server

_PREFIX = "NAMEWRIGHT_"
_PIPELINE_FILE = Path("pipeline.toml")
_FLAT = Parameter(name="*")  # the fields are the options


def _version() -> str:
    from importlib.metadata import version

    return version("namewright")


def _from_pipeline_file(called: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """What neither the command line nor the environment says, the pipeline file does."""
    named = arguments.get("--config", None)
    if named is None:  # a command that reads none
        return
    _refuse_unknown_variables(arguments)
    file = Path(named.tokens[0].value) if named.tokens else _PIPELINE_FILE
    if named.tokens or file.exists():
        Dict(_tables(file), source=str(file.absolute()), use_commands_as_keys=False)(
            called, commands, arguments
        )
    _refuse_fractions(arguments)


def _tables(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as refusal:
        fault, fix = refusal.strerror, "write one: namewright init"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        fault, fix = str(wrong), "mend that line; namewright init writes a file to compare with."
    else:
        for name in tables:
            if name in app:  # cyclopts would take it for the section of a command
                raise ConfigError(
                    "config.option", f'Unknown option: "[{name}]" from {file}.', fix="take it out."
                )
        return tables
    raise ConfigError("config.file", f"the pipeline file cannot be read: {fault}", where=str(file), fix=fix)


def _refuse_fractions(arguments: ArgumentCollection) -> None:
    """cyclopts rounds 1.5 to a whole number, without a word."""
    for argument in arguments:
        for token in argument.tokens if argument.hint in (int, int | None) else ():
            if "." in token.value:
                raise out_of_range(token.keyword or argument.name, "a whole number", token.value)


def _refuse_unknown_variables(arguments: ArgumentCollection) -> None:
    """A misspelt variable would change nothing, without a word."""
    known = [_variable(name) for argument in arguments for name in argument.names if "*" not in name]
    for name, value in os.environ.items():
        if name.startswith(_PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            raise ConfigError("config.variable", f"{name} sets no knob", fix=f"did you mean {nearest}?")
        if name.startswith(_PREFIX) and not value:
            raise ConfigError("config.variable", f"{name} is empty", fix="give it a value, or unset it.")


def _variable(option: str) -> str:
    return _PREFIX + option.lstrip("-").upper().replace(".", "_").replace("-", "_")


app = App(
    name="namewright",
    help="Learn what names sound like from lists of names, and make new ones.",
    version=_version,
    config=(Env(_PREFIX, command=False), _from_pipeline_file),
)


def _with_knobs(command: Callable[..., None]) -> Callable[..., None]:
    """What the configuration's own docstrings say of each knob, into the command's."""
    listed = knobs.documented("config", RetrainConfig) + knobs.documented("settings", Settings)
    command.__doc__ = inspect.cleandoc(command.__doc__ or "") + "\n" + listed
    return command


@app.command
@_with_knobs
def run(
    *,
    pipeline_file: Annotated[Path | None, Parameter(name="--config")] = None,  # noqa: ARG001  # _from_pipeline_file
    config: Annotated[RetrainConfig, _FLAT] = RetrainConfig(),  # frozen
    settings: Annotated[Settings, _FLAT] = Settings(),
    engine: Literal["prefect", "plain"] = "prefect",
    dry_run: bool = False,
) -> None:
    """Make names from lists of names. What an earlier run made is used again if nothing changed.

    Parameters
    ----------
    pipeline_file
        Where knobs are read from that no option and no variable sets; ./pipeline.toml if it is there.
    engine
        Who runs the stages: Prefect, which records them in its UI, or this process alone.
    dry_run
        Say which stages would be computed, and why; compute nothing.
    """
    stages.check_names(settings.refresh)
    began = time.monotonic()
    with console.opened() as shown:
        if dry_run:
            plan = Plan(settings)
            pipeline(config, plan.run)
            shown.plan(plan.stages)
            return
        finished: dict[str, Finished] = {}  # by title: the other engine may find what this one made

        def listener(event: Event) -> None:
            if isinstance(event, Finished):
                finished.setdefault(event.title, event)
            shown(event)

        with interruption.graceful():
            lost = ENGINES[engine](config, settings, listener, shown.say)
        _summarise(shown, settings, list(finished.values()), time.monotonic() - began)
    if lost:
        raise lost


def _by_prefect(
    config: RetrainConfig, settings: Settings, listener: Listener, say: Callable[[str], None]
) -> NamewrightError | None:
    """An error that is to be told once all has been shown: what was made was not recorded."""
    from tasks import server

    for source in config.sources:
        _ = source.file.digest  # told at once, and not after a server has started
    server.ready(say)  # before Prefect is imported: it reads its settings then
    from flows.retrain import retrain
    from tasks.prefect_engine import NotRecorded, recorded

    try:
        recorded(lambda: retrain(config, settings), lambda: _alone(config, settings, listener, say), listener)
    except NotRecorded as lost:
        return lost
    return None


def _alone(
    config: RetrainConfig, settings: Settings, listener: Listener, _say: Callable[[str], None]
) -> None:
    with producing(settings, listener) as run:
        pipeline(config, run)


ENGINES = {"prefect": _by_prefect, "plain": _alone}


def _summarise(shown: console.Console, settings: Settings, finished: list[Finished], seconds: float) -> None:
    (drawn,) = (stage.artifact for stage in finished if stage.stage == "names")
    names = drawn.table("names.parquet", ["name"])["name"].slice(0, 10).to_pylist()
    shown.summary(finished, names, str(settings.store / report_page.FILE), seconds)


@app.command
def init(*, file: Path = _PIPELINE_FILE) -> None:
    """Write a pipeline.toml with every knob at its default, and what it does.

    Parameters
    ----------
    file
        Where to. An existing file is never overwritten.
    """
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(knobs.as_toml(RetrainConfig))
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


server = App(name="server", help="Prefect's own server in the background, with our defaults.")
app.command(server)


@server.command
def start(*, port: int | None = None) -> None:
    """Start it and wait until it answers.

    Parameters
    ----------
    port
        Of its API and its UI; PREFECT_SERVER_API_PORT or 4200 if nothing is said.
    """
    from tasks import server

    print(_described(server.start(port)))


@server.command
def stop() -> None:
    """End it."""
    from tasks import server

    print("stopped" if server.stop() else "there was none")


@server.command
def status() -> None:
    """Say where it is. The exit code is not 0 if there is none."""
    from tasks import server

    print(_described(server.status()))


def _described(running: "prefect_server.Server") -> str:
    return f"Prefect's UI: {running.ui}  (process {running.pid}, log {running.log})"


def main() -> None:
    """Exit code 0 if all went well; else that of the error, as docs/errors.md lists them."""
    _make_output_safe()
    try:
        app(exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as refusal:
        _fail(
            ConfigError(
                "config.option", str(refusal), fix="namewright --help lists every command and option."
            )
        )
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
    print(error, file=sys.stderr)
    _leave(error.exit_code)


def _leave(code: int) -> None:
    if "tasks.server" in sys.modules:
        from tasks import server

        server.leave(code)
    sys.exit(code)
