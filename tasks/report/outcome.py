"""What a run decided about its model, from what the stage `decision` left."""

from collections.abc import Iterator, Sequence
from typing import Any

from artifacts.store import Artifact
from tasks.models.champion import Outcome, short_name
from tasks.report.sections import Column, Section, Table
from tasks.report.terms import model_title

_WORDS = ("metric", "kept")  # columns that hold no numbers


def decision_sections(artifacts: Sequence[Artifact], outcome: Outcome | None) -> Iterator[Section]:
    """What became of the model of a run, and folded, the figures; none if the run did not get that far.

    artifacts:  of the run.
    outcome:  None if it is not known, or the decision was not applied.

    Raises DataError for a table that cannot be read.
    """
    for artifact in artifacts:
        if artifact.stage == "decision":
            yield from _decision(artifact, outcome)


def _decision(artifact: Artifact, outcome: Outcome | None) -> Iterator[Section]:
    facts, figures = artifact.manifest().metadata, artifact.table("decision.parquet")
    champion = artifact.input("champion")
    compared = f" It was compared with {short_name(champion)}." if champion else ""
    heads = [Column(model_title(name), numeric=name not in _WORDS) for name in figures.column_names]
    rows = [[figure_text(value) for value in row.values()] for row in figures.to_pylist()]
    lead = f"{_lead(facts['promote'], outcome)}{compared}"
    yield Section("The new model", lead, points=[*facts["reasons"], *facts["notes"]])
    if rows:
        lead = f"{len(rows)} figures compared."
        yield Section("Champion and candidate", lead, table=Table(heads, rows), folded=True)


def _lead(promote: bool, outcome: Outcome | None) -> str:
    # The same for a run that promotes a model as for one that finds it promoted: so are their pages.
    if outcome and outcome.kind in ("promoted", "stands"):
        return "The new model is the champion."
    if outcome and promote:
        return f"{outcome.text}."
    return f"By the rule, the new model {'deserves to be the champion' if promote else 'is not promoted'}."


def figure_text(value: Any) -> str:
    """A value of a table of figures or of a configuration, as text."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.4g}"
        case int():
            return str(value)
        case _:
            return str(value).replace("_", " ")
