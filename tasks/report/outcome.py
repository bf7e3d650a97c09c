"""What a run decided, from what its stages `decision` and `gate` left: parts of its report."""

from collections.abc import Iterator, Sequence
from typing import Any

from artifacts.store import Artifact
from tasks.models.champion import Outcome, short_name
from tasks.report.gate_changes import format_changes
from tasks.report.markup import Column
from tasks.report.parts import Part

_CHANGES_SHOWN = 40


def of_decisions(made: Sequence[Artifact], came_of_it: Outcome | None) -> Iterator[Part]:
    """Nothing if the run has not come to it.

    made:        by the run.
    came_of_it:  None if it is not known, or was not carried out.

    Raises DataError for a table that cannot be read.
    """
    return (_decision(artifact, came_of_it) for artifact in made if artifact.stage == "decision")


def of_gates(made: Sequence[Artifact]) -> Iterator[Part]:
    """As `of_decisions`."""
    return (_gate(artifact) for artifact in made if artifact.stage == "gate")


def _decision(artifact: Artifact, came_of_it: Outcome | None) -> Part:
    facts, figures = artifact.manifest().metadata, artifact.table("decision.parquet")
    before = artifact.input("champion")
    compared = f" It was compared with {short_name(before)}." if before else ""
    words = "metric", "kept"
    return Part(
        "Champion and challenger",
        lead=f"{_came_of(facts['promote'], came_of_it)}{compared}",
        points=[*facts["reasons"], *facts["notes"]],
        heads=[Column(name, numeric=name not in words) for name in figures.column_names],
        rows=[[_cell(value) for value in row.values()] for row in figures.to_pylist()],
    )


def _came_of(promote: bool, outcome: Outcome | None) -> str:
    """The same for a run that promotes a model as for one that finds it promoted: so are their pages."""
    if outcome and outcome.kind in ("promoted", "stands"):
        return "The new model is the champion."
    if outcome and promote:
        return f"{outcome.text}."
    return f"By the rule, the new model {'deserves to be the champion' if promote else 'is not promoted'}."


def _gate(artifact: Artifact) -> Part:
    facts, changes = artifact.manifest().metadata, format_changes(artifact)
    title = "What the data gate found"
    if not changes:
        return Part(title, "No lists were accepted before: there is nothing to compare with.")
    heads = [Column("what"), *(Column(name, numeric=True) for name in ("before", "now", "change", "limit"))]
    shown = changes[:_CHANGES_SHOWN]
    more = len(changes) - len(shown)
    return Part(
        title,
        lead="The lists are within its limits."
        if facts["passed"]
        else "The lists differ too much from the last accepted ones.",
        points=facts["reasons"],
        heads=heads,
        rows=[[each.what, each.before, each.now, each.change, each.limit] for each in shown],
        note=f"And {more:,} more characters, in changes.parquet." if more else "",
    )


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.4g}"
        case _:
            return str(value).replace("_", " ")
