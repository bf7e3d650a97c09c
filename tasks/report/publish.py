"""The report in its place: at the top of the store, with what the manifests of its lineage say.

The artifact itself says what the files of its inputs say, so the same inputs give the same bytes. What
depends on the moment (what was decided, earlier models, configuration, lineage, when and how long) is filled
in where the page is published.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from artifacts import atomic_io, manifest
from artifacts.keys import KEY_LENGTH
from artifacts.manifest import Manifest
from artifacts.store import Artifact, Store
from rnn_core.errors import NamewrightError
from tasks.models.champion import CHAMPION, Outcome
from tasks.report.history import metric_history, past_runs
from tasks.report.markup import Column, Html, element, foreign, joined, section, table, visible
from tasks.report.outcome import of_decisions
from tasks.report.parts import Part, as_html

FILE = "report.html"
OUTLINE = "report.md"  # the same in short, for Prefect's UI

# Where they go; no text can hold these, since its `<` is escaped.
OUTCOME = Html("<!-- outcome -->")
PROVENANCE = Html("<!-- provenance -->")


def publish(
    store: Store, report: Artifact, run: Sequence[Artifact] = (), came_of_it: Outcome | None = None
) -> Path:
    """The report with its configuration, lineage and timings, as `report.html` at the top of the store.

    run:         the artifacts that this run made or found. Without them, a report that was found tells of the
                 run that made it, whose configuration may have been another one that led to the same bytes.
    came_of_it:  of the decision of this run, if it was carried out.

    The page depends on what is in the store and what came of it; if it stands there already, nothing is
    written.
    """
    target = store.root / FILE
    made = lineage(store, report, run)
    with atomic_io.io_errors(target, "publish the report"):
        filled = (
            report.text(FILE)
            .replace(OUTCOME, joined(*map(as_html, of_decisions(run, came_of_it))), 1)
            .replace(PROVENANCE, joined(as_html(movement(store, made)), _provenance(made)), 1)
        )
        content = filled.encode(errors="backslashreplace")
        if not (target.is_file() and target.read_bytes() == content):
            atomic_io.write_file(target, content)
    return target


def publish_last(root: Path, made: Sequence[Artifact], came_of_it: Outcome | None) -> None:
    """Publish the report of a run that made or found these, in this order, if its last stage was one."""
    if made and made[-1].stage == "report":
        publish(Store(root), made[-1], made, came_of_it)


def movement(store: Store, of_report: Iterable[str]) -> Part:
    """of_report: the origins of all that the report was made from."""
    now = next((origin for origin in of_report if origin.startswith("evaluation/")), "")
    try:
        champion = store.registry(CHAMPION).current()
    except NamewrightError:  # as for a manifest
        champion = None
    return metric_history(past_runs(store), now, champion.artifact.key if champion else "")


def lineage(store: Store, report: Artifact, run: Iterable[Artifact] = ()) -> dict[str, Manifest | None]:
    """By origin, the manifest of all that the report was made from, inputs first; None if it is gone.

    run:  of artifacts with one content, those of this run stand in for those that were used.
    """
    found: dict[str, Manifest | None] = {}
    of_run = {one.origin: (one.stage, one.digest) for one in run}
    by_content = {content: origin for origin, content in of_run.items()}

    def visit(origin: str) -> None:
        if origin in found:
            return
        made = _manifest(store, origin)
        if made:
            for role, before in made.origins.items():
                if _is_artifact(before):
                    content = before.partition("/")[0], made.recipe.inputs[role]
                    visit(before if before in of_run else by_content.get(content, before))
        found[origin] = made

    visit(report.origin)
    return found


def _is_artifact(origin: str) -> bool:
    """Rather than the path of a source file."""
    stage, _, key = origin.partition("/")
    return stage.isidentifier() and len(key) == KEY_LENGTH and set(key) <= set("0123456789abcdef")


def _manifest(store: Store, origin: str) -> Manifest | None:
    stage, _, key = origin.partition("/")
    try:
        return Manifest.from_json((store.folder(stage, key) / manifest.FILE_NAME).read_bytes())
    except (OSError, ValueError):  # a page about it is no place to fail: a run verifies what it uses
        return None


def _provenance(made: Mapping[str, Manifest | None]) -> Html:
    known = [each for each in made.values() if each]
    return joined(_configuration(known), _lineage(made, known))


def _configuration(manifests: Iterable[Manifest]) -> Html:
    cards = [_stage_card(made) for made in manifests if made.recipe.config or _card(made)]
    return section("Configuration", element("div", *cards, class_="cards"))


def _stage_card(made: Manifest) -> Html:
    result = _card(made)
    return element(
        "article",
        element("h3", foreign(_called(made))),
        _pairs(dict(_knobs(made.recipe.config))),
        joined(element("h3", "what came of it"), _pairs(result)) if result else "",
        class_="card",
    )


def _card(made: Manifest) -> dict[str, Any]:
    """Of a model, what its configuration does not say already."""
    card, config = made.metadata.get("model_card", {}), made.recipe.config
    return {name: value for name, value in card.items() if config.get(name) != value}


def _called(made: Manifest) -> str:
    name = made.recipe.config.get("name", "")
    return f"{made.recipe.stage} {name}".strip()


def _pairs(pairs: Mapping[str, Any]) -> Html:
    return element(
        "dl",
        *(
            element("div", element("dt", name.replace("_", " ")), element("dd", foreign(_value(value))))
            for name, value in pairs.items()
        ),
    )


def _knobs(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those of configurations within the configuration as well."""
    for name, value in config.items():
        yield from value.items() if isinstance(value, Mapping) else [(name, value)]


def _value(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case float():
            return f"{value:.6g}"
        case _:
            return visible(str(value))


def _lineage(made: Mapping[str, Manifest | None], known: Sequence[Manifest]) -> Html:
    seconds = sum(each.seconds for each in known)
    longest = max((each.seconds for each in known), default=0.0)
    heads = [
        Column("artifact"),
        Column("made from"),
        Column("holds"),
        Column("made, UTC"),
        Column("seconds", numeric=True),
    ]
    rows = [_lineage_row(origin, each, longest) for origin, each in made.items()]
    summary = (
        f"{seconds:,.1f} seconds of work in all. Each artifact is a folder beside this page, "
        "named by its stage and key."
    )
    return section(
        "Lineage and timings",
        element("p", foreign(summary), class_="note"),
        table(heads, [("", rows)], class_="lineage"),
        element("p", _libraries(known), class_="note"),
    )


def _lineage_row(origin: str, made: Manifest | None, longest: float) -> list[str]:
    stage, _, key = origin.partition("/")
    if not made:
        return [_artifact(stage, key), "no longer in the store", "", "", ""]
    share = 100 * made.seconds / longest if longest else 0.0
    return [
        _artifact(_called(made), key),
        _lines(
            joined("" if role == origin.partition("/")[0] else _role(role), foreign(_short(origin)))
            for role, origin in made.origins.items()
        ),
        _lines(
            joined(name, " ", element("span", _extent(record.rows, record.bytes), class_="note"))
            for name, record in made.files.items()
        ),
        _lines([_moment(made.created_at), element("span", _by(made.run), class_="note")]),
        joined(f"{made.seconds:,.2f}", element("span", class_="bar", style=f"width:{share:.0f}%")),
    ]


def _artifact(called: str, key: str) -> Html:
    return joined(element("b", foreign(called)), element("code", key))


def _role(role: str) -> Html:
    return element("span", f"{role} ", class_="note")


def _lines(parts: Iterable[str]) -> Html:
    return joined(*(element("div", part) for part in parts))


def _short(origin: str) -> str:
    return origin[: -KEY_LENGTH + 8] if _is_artifact(origin) else origin


def _extent(rows: int | None, size: int) -> str:
    counted = "" if rows is None else f"{rows:,} rows, "
    return f"{counted}{size / 1000:,.1f} kB"


def _moment(made_at: str) -> Html:
    return element("time", f"{datetime.fromisoformat(made_at):%Y-%m-%d %H:%M:%S}", datetime=made_at)


def _by(run: Mapping[str, str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in run.items())


def _libraries(manifests: Iterable[Manifest]) -> str:
    versions: dict[str, set[str]] = {}
    for made in manifests:
        for name, version in made.libraries.items():
            versions.setdefault(name, set()).add(version)
    return "Made with " + ", ".join(f"{name} {' and '.join(sorted(each))}" for name, each in versions.items())
