"""The report in short, as markdown: what Prefect's UI shows of it, and what any viewer of markdown does."""

from collections.abc import Iterator, Sequence

from data.config import ALL_SOURCES
from rnn_core.metrics.sample_metrics import HELD_OUT
from tasks.report import markdown
from tasks.report.markup import Column
from tasks.report.page import MEASURES, Findings, Measure, Rejection, Sample, Scores, called, number
from tasks.report.parts import Part, as_markdown
from tasks.report.temperatures import by_temperature

_REASONS_SHOWN = 10


def outline(found: Findings) -> str:
    return markdown.blocks(*(as_markdown(part) for part in _parts(found)))


def _parts(found: Findings) -> Iterator[Part]:
    yield _predicting(found.scores)
    yield by_temperature(found.tastes)
    yield Part(
        "Loss", "" if found.training.curves else "No history was recorded.", picture=found.training.curves
    )
    yield _lengths(found.sample)
    yield _like(found.measures)
    yield _rejected(found.rejections)


def _predicting(scores: Sequence[Scores]) -> Part:
    """Of all sources together, the splits that a decision may rest on before those that none may."""
    title = "How well it predicts names"
    if not scores:
        return Part(title, "Nothing was scored.")
    models = list(scores[0].nats)
    heads = [
        Column("names"),
        Column("how many", numeric=True),
        *(Column(called(model), numeric=True) for model in models),
    ]
    rows = [
        [
            f"{row.split}, never seen" if row.unseen else row.split,
            f"{row.names:,}",
            *(number(row.nats.get(model)) for model in models),
        ]
        for row in scores
        if row.source == ALL_SOURCES
    ]
    note = (
        "Nats per character, the end of a name included. Lower is better. No decision has seen the test "
        "names; the validation names told training when to stop. Never seen: equal no training name."
    )
    return Part(title, heads=heads, rows=rows, note=note)


def _lengths(sample: Sample) -> Part:
    if not sample.lengths:
        return Part("Lengths", "There are no names to measure.")
    read, drawn = (number(mean, 2) for mean in sample.mean_lengths)
    note = f"Mean: {read} characters in training names, {drawn} in sampled ones."
    return Part("Lengths", picture=sample.lengths, note=note)


def _like(measures: Sequence[Measure]) -> Part:
    title = "What its names are like"
    if not measures:
        return Part(title, "No names were drawn to be measured.")
    models = list(dict.fromkeys(model for measure in measures for model in measure.values))
    models.sort(key=lambda model: model == HELD_OUT)
    known = [measure for name in MEASURES for measure in measures if measure.metric == name]
    heads = [Column("measure"), *(Column(called(model), numeric=True) for model in models)]
    return Part(title, heads=heads, rows=[_measured(measure, models) for measure in known])


def _measured(measure: Measure, models: Sequence[str]) -> list[str]:
    title, _, form = MEASURES[measure.metric]
    values = (measure.values.get(model) for model in models)
    return [title, *("–" if value is None else f"{value:{form}}" for value in values)]


def _rejected(rejections: Sequence[Rejection]) -> Part:
    title = "What was not taken"
    if not rejections:
        return Part(title, "Every line was taken.")
    told = [f"{each.rows:,} when {each.step}: {each.reason}" for each in rejections[:_REASONS_SHOWN]]
    more = len(rejections) - len(told)
    return Part(title, points=told, note=f"And {more:,} more reasons." if more > 0 else "")
