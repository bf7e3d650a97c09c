"""What the command line adds to an error: the option that fixes it. No layer below knows who calls it."""

from dataclasses import is_dataclass
from typing import get_type_hints

from rnn_core.errors import NamewrightError
from tasks.config.retrain import RetrainConfig

_ELSEWHERE = "--store FOLDER, or --output FOLDER for a list"
_KEYS = "`namewright models list` shows the keys"
_PROMOTE = f"namewright models promote KEY; {_KEYS}"
_SOURCE = (
    "--source 'NAME=FILE,OPTION=VALUE', or `namewright init FILE`, which writes what it sees to pipeline.toml"
)
_WISHES = "options stand behind the path: --exclude 'FILE,OPTION=VALUE'"
_CONSTRAINTS = "the constraints are prefix, min-length, max-length, truncate, allowed, forbidden and trimmed"

HINTS = {  # by error code
    "store.full": _ELSEWHERE,
    "store.refused": _ELSEWHERE,
    "list.foreign": "--output FOLDER",
    "list.another": "--output FOLDER, or --overwrite",
    "registry.damaged": _PROMOTE,
    "registry.nothing_before": _PROMOTE,
    "model.none": "namewright run LIST; or --store FOLDER, or --model FILE",
    "model.unknown": _KEYS,
    "model.damaged": f"--model KEY; {_KEYS}",
    "champion.none": f"--model KEY, or --sources LIST; or {_PROMOTE}",
    "champion.missing": _PROMOTE,
    "champion.damaged": _PROMOTE,
    "config.runner": "--runner dask --engine prefect, or --runner processes",
    "config.dask": "--runner processes",
    "dask.unreachable": "--dask-address ADDRESS, --workers NUMBER, or --runner processes",
    "runner.worker": "--workers NUMBER",
    "training.process": "--workers NUMBER",
    "artifact.unreadable": "--refresh STAGE",
    "artifact.unknown": "namewright store list",
    "mixture.no_validation": "--examples.validation-share 0.1, or --sampling.drawn-from network",
    "sampling.no_such_name": _CONSTRAINTS,
    "sampling.impossible": _CONSTRAINTS,
    "sampling.too_few": "--temperature, --max-length, or another --prefix; or --fewer",
    "sampling.too_rare": "wider --min-length and --max-length, another --prefix or --top-p, or --truncate; "
    "for names as wished --patience MINUTES",
}
_ABOUT_A_FILE = ("corpus.column", "corpus.column_type", "corpus.encoding", "corpus.format", "config.source")
_WITHOUT_SECTION = ("GenerateConfig", "Settings", "WorkerSettings", "ListSettings", "MaintenanceConfig")


def message(error: NamewrightError, command: str) -> str:
    """The error as the command line prints it: options by their names there, and a hint.

    command:  the command that ended with it: `generate` has the options of [sampling] without a section.
    """
    error.where = _option(error.where, command)
    hint = HINTS.get(error.code)
    if error.code in _ABOUT_A_FILE:  # the errors below name options as pipeline.toml has them
        hint = _WISHES if command == "generate" else _SOURCE
    if error.code in ("champion.missing", "champion.damaged") and command != "models":
        hint = f"namewright models rollback; or {hint}"  # which may be what has just failed
    return f"{error}\n  hint:  {hint}" if hint else str(error)


def _option(where: str, command: str) -> str:
    """`training.layers` for a field of TrainingConfig; anything else as it is."""
    config, _, field = where.partition(".")
    if config in _WITHOUT_SECTION or (config in _sections() and command == "generate"):
        return field
    return f"{_sections()[config]}.{field}" if config in _sections() else where


def _sections() -> dict[str, str]:
    """The section of pipeline.toml that holds a configuration, by its class."""
    kinds = get_type_hints(RetrainConfig).items()
    sections = {kind.__name__: name for name, kind in kinds if isinstance(kind, type) and is_dataclass(kind)}
    return {"CorpusConfig": "source"} | sections
