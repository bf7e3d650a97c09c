"""The model of a run and what was decided about it, from what the stages `mixture` and `decision` left."""

from collections.abc import Iterator, Sequence
from typing import Any

from artifacts.store import Artifact
from tasks.models.champion import Outcome, short_name
from tasks.models.training_lists import model_line
from tasks.report.sections import Column, Section, Table
from tasks.report.terms import model_title

_WORDS = ("metric", "kept")  # columns that hold no numbers


def outcome_sections(artifacts: Sequence[Artifact], outcome: Outcome | None) -> Iterator[Section]:
    """Which model a run made from which lists, what became of it, and folded, the figures of the decision.

    artifacts:  of the run; nothing follows from one that did not get as far as its model.
    outcome:    None if it is not known, or the decision was not applied.

    Raises DataError for a table that cannot be read.
    """
    by_stage = {artifact.stage: artifact for artifact in artifacts}
    network, model, decision = (by_stage.get(stage) for stage in ("model", "mixture", "decision"))
    sentences, reasons = [], []
    if model:
        sentences.append(f"{model_line(model)}, trained {model.manifest().created_at[:10]}.")
    if network and (start := network.manifest().metadata["model_card"].get("start")):
        sentences.append(f"Its training started from {start}.")
    if decision:
        metadata, champion = decision.manifest().metadata, decision.input("champion")
        sentences.append(_verdict_text(metadata["promote"], outcome))
        sentences += [f"It was compared with {short_name(champion)}."] if champion else []
        reasons = [*metadata["reasons"], *metadata["notes"]]
    if sentences:
        yield Section("The new model", " ".join(sentences), points=reasons)
    figures = decision.table("decision.parquet") if decision else None
    if figures:
        heads = [Column(model_title(name), numeric=name not in _WORDS) for name in figures.column_names]
        rows = [[figure_text(value) for value in row.values()] for row in figures.to_pylist()]
        lead = f"{len(rows)} figures compared."
        yield Section("Champion and candidate", lead, table=Table(heads, rows), folded=True)


def _verdict_text(promote: bool, outcome: Outcome | None) -> str:
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
        case dict():
            return ", ".join(f"{name} {figure_text(part)}" for name, part in value.items())
        case _:
            return str(value).replace("_", " ")
