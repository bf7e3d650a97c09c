"""Where a report comes from: the manifests of its lineage, as sections."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from artifacts.keys import KEY_LENGTH
from artifacts.manifest import Manifest
from artifacts.store import Artifact, Store
from tasks.models.warm_start import BASELINE
from tasks.report.sections import Cell, Row, Section, Table, columns
from tasks.report.text import escape_invisible

Lineage = Mapping[str, Manifest | None]


def lineage(store: Store, report: Artifact, run: Iterable[Artifact] = ()) -> dict[str, Manifest | None]:
    """By origin, the manifest of all that a report was made from, inputs first; None if it is gone.

    run:  among artifacts with one content, those of this run stand in for those that were used.
    """
    manifests: dict[str, Manifest | None] = {}
    of_run = {artifact.origin: (artifact.stage, artifact.digest) for artifact in run}
    by_content = {content: origin for origin, content in of_run.items()}

    def visit(origin: str) -> None:
        if origin in manifests:
            return
        stage, _, key = origin.partition("/")
        of_origin = store.read_manifest(stage, key)  # not verified: a run verifies what it uses
        if of_origin:
            for role, before in of_origin.origins.items():
                if _is_artifact(before) and role not in BASELINE:  # that is another run's
                    content = before.partition("/")[0], of_origin.recipe.inputs[role]
                    visit(before if before in of_run else by_content.get(content, before))
        manifests[origin] = of_origin

    visit(report.origin)
    return manifests


def configuration_section(made_from: Lineage) -> Section:
    """Every option of every stage, and of a model what its card says besides."""
    rows: list[Row] = []
    for of_stage in made_from.values():
        if of_stage:
            title, config = _title(of_stage), of_stage.recipe.config
            card = {
                name: value
                for name, value in of_stage.metadata.get("model_card", {}).items()
                if config.get(name) != value
            }
            rows += [[title, Cell("", _pairs(_options(config)))]] if config else []
            rows += [[f"{title}, result", Cell("", _pairs(card.items()))]] if card else []
    return Section("Configuration", table=Table(columns("stage", "options"), rows), folded=True)


def lineage_section(made_from: Lineage) -> Section:
    """Every artifact that the report was made from: its inputs, its files, when and how long."""
    known = [of_stage for of_stage in made_from.values() if of_stage]
    seconds = sum(of_stage.seconds for of_stage in known)
    longest = max((of_stage.seconds for of_stage in known), default=0.0)
    heads = ("artifact", "made from", "holds", "made, UTC")
    return Section(
        "Lineage and timings",
        f"{seconds:,.1f} seconds of work.",
        table=Table(
            columns(*heads, numeric=("seconds",)),
            [_row(origin, of_stage, longest) for origin, of_stage in made_from.items()],
        ),
        note="Each artifact is a folder beside this page, named by its stage and key. " + _libraries(known),
        folded=True,
    )


def _is_artifact(origin: str) -> bool:
    """Whether it is no path of a source file."""
    stage, _, key = origin.partition("/")
    return stage.isidentifier() and len(key) == KEY_LENGTH and set(key) <= set("0123456789abcdef")


def _title(of_stage: Manifest) -> str:
    return f"{of_stage.recipe.stage} {of_stage.recipe.config.get('name', '')}".strip()


def _options(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Options of configurations within the configuration as well."""
    for name, value in config.items():
        yield from value.items() if isinstance(value, Mapping) else [(name, value)]


def _pairs(options: Iterable[tuple[str, Any]]) -> list[str]:
    return [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in options]


def _value(value: Any) -> str:
    match value:
        case None | "" | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case _:
            return escape_invisible(str(value))


def _row(origin: str, of_stage: Manifest | None, longest: float) -> Row:
    stage, _, key = origin.partition("/")
    if not of_stage:
        return [Cell(stage, (key,), "strong"), "no longer in the store", "", "", ""]
    made_from = [
        _short(before) if role == before.partition("/")[0] else f"{role} {_short(before)}"
        for role, before in of_stage.origins.items()
    ]
    files = [
        f"{name} {'' if file.rows is None else f'{file.rows:,} rows, '}{file.bytes / 1000:,.1f} kB"
        for name, file in of_stage.files.items()
    ]
    run = [f"{name.replace('_', ' ')} {value}" for name, value in of_stage.run.items()]
    return [
        Cell(_title(of_stage), (key,), "strong"),
        Cell("", made_from),
        Cell("", files),
        Cell(f"{datetime.fromisoformat(of_stage.created_at):%Y-%m-%d %H:%M:%S}", run),
        Cell(f"{of_stage.seconds:,.2f}", bar=of_stage.seconds / longest if longest else 0.0),
    ]


def _short(origin: str) -> str:
    return origin[: -KEY_LENGTH + 8] if _is_artifact(origin) else origin


def _libraries(manifests: Sequence[Manifest]) -> str:
    versions: dict[str, set[str]] = {}
    for of_stage in manifests:
        for name, version in of_stage.libraries.items():
            versions.setdefault(name, set()).add(version)
    libraries = (f"{name} {' and '.join(sorted(several))}" for name, several in versions.items())
    return f"Made with {', '.join(libraries)}."
