"""What a run decided, from what its stages `decision` and `gate` left: parts of its report."""

from collections.abc import Iterator, Sequence
from typing import Any

from artifacts.store import Artifact
from tasks.gate import told
from tasks.markup import Column
from tasks.parts import Part

_CHANGES_SHOWN = 40


def outcome(made: Sequence[Artifact], *stages: str) -> Iterator[Part]:
    """What these stages found, in this order; nothing of one that the run has not come to.

    made:  by the run.

    Raises DataError for a table that cannot be read.
    """
    for stage in stages:
        yield from (_PARTS[stage](artifact) for artifact in made if artifact.stage == stage)


def _decision(artifact: Artifact) -> Part:
    facts, figures = artifact.manifest().facts, artifact.table("decision.parquet")
    words = "metric", "kept"
    return Part(
        "Champion and challenger",
        lead=f"By the rule, the new model is {'to be the champion' if facts['promote'] else 'not promoted'}.",
        points=[*facts["reasons"], *facts["notes"]],
        heads=[Column(name, numeric=name not in words) for name in figures.column_names],
        rows=[[_cell(value) for value in row.values()] for row in figures.to_pylist()],
    )


def _gate(artifact: Artifact) -> Part:
    facts, changes = artifact.manifest().facts, told(artifact)
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


_PARTS = {"decision": _decision, "gate": _gate}
