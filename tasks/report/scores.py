"""How well the models predict names, and what their names are like: from the table of the evaluation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from data.config import ALL_SOURCES
from data.examples import SPLITS
from rnn_core.metrics.sample_metrics import HELD_OUT
from tasks.report.sections import Cell, Row, Section, Table, Tile, columns
from tasks.report.terms import in_order, metric, model_title
from tasks.report.text import escape_invisible, number

_UNSEEN = "_unseen"


class Scores(NamedTuple):
    """What the models reach on the names of one source in one split.

    unseen:      whether on those alone that equal no training name in any spelling.
    nats:        per character, by model, the network first and the n-grams last.
    perplexity:  the same.
    """

    split: str
    source: str
    unseen: bool
    names: int
    nats: dict[str, float]
    perplexity: dict[str, float]


def scores(metrics: Iterable[Mapping[str, Any]]) -> list[Scores]:
    """Rows of the evaluation on splits; held-out names first, all sources before each."""
    rows: dict[tuple[str, str], Scores] = {}
    for row in metrics:
        split = row["split"].removesuffix(_UNSEEN)
        new = Scores(split, row["source"], split != row["split"], row["names"], {}, {})
        of_split = rows.setdefault((row["split"], row["source"]), new)
        values = {"nats_per_character": of_split.nats, "perplexity": of_split.perplexity}.get(row["metric"])
        if values is not None:
            values[row["model"]] = row["value"]
    return sorted(rows.values(), key=lambda row: SPLITS.index(row.split), reverse=True)


def score_tiles(rows: Sequence[Scores]) -> list[Tile]:
    """One for each model, on the names that say most: those of the test where there are any."""
    if not rows:
        return []
    total = rows[0]
    learned = "it was trained on" if total.split == "train" else "kept from it"
    return [
        Tile(
            model_title(model),
            number(nats),
            f"nats per character, perplexity {number(total.perplexity.get(model), 2)}",
            f"on {total.names:,} names {learned}",
        )
        for model, nats in total.nats.items()
    ]


def prediction_sections(rows: Sequence[Scores]) -> Iterator[Section]:
    """Nats per character of every model by split; and folded, also by source, if there are several."""
    title = "How well it predicts names"
    of_all = [row for row in rows if row.source == ALL_SOURCES]
    note = (
        "Nats per character, the end of a name included, and below, the perplexity: among how many "
        "characters the model is as unsure. Lower is better. No decision has seen the test names; the "
        "validation names ended the training. Unseen: those that equal no training name, in capitals or not."
    )
    if not rows:
        yield Section(title, "Nothing was scored.")
    else:
        yield Section(title, table=_score_table(of_all), note=note)
    if len({row.source for row in rows}) > 2:
        by_list = [row for row in rows if row.source != ALL_SOURCES]
        lead = "The same for each list alone."
        yield Section(f"{title}, by list", lead, table=_score_table(by_list), folded=True)


def _score_table(rows: Sequence[Scores]) -> Table:
    models = list(rows[0].nats)
    heads = ["names", *map(model_title, models)]
    if len(models) > 1:
        heads.append(f"network against {models[-1]}")
    return Table(columns("split", numeric=heads), [_score_row(row, models) for row in rows])


def resemblance_section(metrics: Iterable[Mapping[str, Any]]) -> Section:
    """What sampled names are like, by model, beside real names."""
    title = "What its names are like"
    values: dict[str, dict[str, float]] = {}
    names: dict[str, int] = {}
    for row in metrics:
        values.setdefault(row["metric"], {})[row["model"]] = row["value"]
        names[row["model"]] = max(row["names"], names.get(row["model"], 0))
    if not values:
        return Section(title, "No names were sampled to be measured.")
    models = sorted(names, key=lambda model: model == HELD_OUT)
    sampled = max(count for model, count in names.items() if model != HELD_OUT)
    note = f"Of {sampled:,} names sampled from each model at temperature 1."
    if HELD_OUT in names:
        note += (
            f" The last column is of {names[HELD_OUT]:,} real names that were kept from training, as if a "
            "model had sampled them: what a perfect one would reach."
        )
    return Section(
        title,
        table=Table(
            columns("measure", numeric=[model_title(model) for model in models]),
            [_metric_row(name, [values[name].get(model) for model in models]) for name in in_order(values)],
        ),
        note=note,
    )


def _score_row(row: Scores, models: Sequence[str]) -> Row:
    network, *others = models
    details = ["unseen"] if row.unseen else []
    details += [] if row.source == ALL_SOURCES else [escape_invisible(row.source)]
    cells: list[str | Cell] = [
        ", ".join([row.split, *details]),
        f"{row.names:,}",
        *(Cell(number(row.nats.get(model)), (number(row.perplexity.get(model), 2),)) for model in models),
    ]
    # N-grams remember most of the names that they were trained on, which says nothing of any other name.
    if others:
        cells.append("" if row.split == "train" else _gap(row.nats.get(network), row.nats.get(others[-1])))
    return cells


def _gap(network: float | None, other: float | None) -> str | Cell:
    if network is None or other is None or not abs(network - other) < float("inf"):
        return "–"
    better = network < other
    return Cell(
        f"{abs(network - other):.3f} {'better' if better else 'worse'}", tone="good" if better else "bad"
    )


def _metric_row(name: str, values: Sequence[float | None]) -> Row:
    title, meaning, form = metric(name)
    figures = ("–" if value is None else f"{value:{form}}" for value in values)
    return [Cell(title, (meaning,) if meaning else ()), *figures]
