"""What a run decided, from what its stages `decision` and `gate` left: parts of its report."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from artifacts.store import Artifact
from tasks.gate import told
from tasks.markup import Column
from tasks.parts import Part

_ROWS_SHOWN = 40


def outcome(made: Sequence[Artifact], *stages: str) -> Iterator[Part]:
    """What these stages found, in this order; nothing of one that the run has not come to.

    made:  by the run.

    Raises DataError for a table that cannot be read.
    """
    for stage in stages:
        yield from (_PARTS[stage](artifact) for artifact in made if artifact.stage == stage)


def _decision(artifact: Artifact) -> Part:
    facts = artifact.manifest().facts
    return Part(
        "Champion and challenger",
        lead=f"By the rule, the new model is {'to be the champion' if facts['promote'] else 'not promoted'}.",
        points=[*facts["reasons"], *facts["notes"]],
        **_of_table(artifact.table("decision.parquet")),
    )


def _gate(artifact: Artifact) -> Part:
    facts, changes = artifact.manifest().facts, told(artifact)
    title = "What the data gate found"
    if not changes:
        return Part(title, "No lists were accepted before: there is nothing to compare with.")
    heads = [Column("what"), *(Column(name, numeric=True) for name in ("before", "now", "change", "limit"))]
    shown = changes[:_ROWS_SHOWN]
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


_PARTS = {"decision": _decision, "gate": _gate}


def _of_table(table: pa.Table) -> dict[str, Any]:
    """The heads, the first rows and a note, for a Part."""
    shown = table.slice(0, _ROWS_SHOWN)
    numeric = (pa.types.is_floating(each.type) or pa.types.is_integer(each.type) for each in table.schema)
    heads = [
        Column(name.replace("_", " "), each) for name, each in zip(table.column_names, numeric, strict=True)
    ]
    more = len(table) - len(shown)
    return {
        "heads": heads,
        "rows": [[_cell(value) for value in row.values()] for row in shown.to_pylist()],
        "note": f"And {more:,} more rows." if more else "",
    }


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.4g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value).replace("_", " ")
