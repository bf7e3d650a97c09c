"""The report's page, from what was found: one HTML file, no script, nothing fetched, whatever names hold."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from data.config import ALL_SOURCES
from rnn_core.metrics.sample_metrics import HELD_OUT
from tasks.report.figures import Figures
from tasks.report.gate_changes import ChangeRow
from tasks.report.markup import (
    Column,
    Html,
    element,
    escaped,
    foreign,
    glyph,
    joined,
    nothing,
    section,
    table,
    visible,
)
from tasks.report.parts import as_html
from tasks.report.publish import OUTCOME, PROVENANCE
from tasks.report.temperatures import TemperatureSample, by_temperature

_STYLE_SHEET = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_NAMES_SHOWN = 96
_CHARACTERS_SHOWN = 240
_REASONS_SHOWN = 20
_CHANGES_SHOWN = 60
_FIGURES = ("distinct", "shortest", "median", "longest", "characters")

_SPLIT_TITLES = {
    "test": "test: names that no decision has seen",
    "validation": "validation: names that told training when to stop",
    "train": "train: names it has learnt from",
}

_MODELS = {"rnn": "network", HELD_OUT: "held-out names"}

# By metric: what it is called here, what it says, and how it is written.
MEASURES = {
    "validity": ("valid", "would be taken from a list, as they are", ".1%"),
    "uniqueness": ("distinct", "are left once repeats are dropped", ".1%"),
    "novelty": ("new", "equal no training name, whatever the case", ".1%"),
    "word_novelty": ("new words", "of all their words, those in no training name", ".1%"),
    "length_distance": ("lengths", "characters by which they differ from those of held-out names", ".2f"),
    "ngram_divergence_1": ("letters", "how differently from held-out names, in bits from 0 to 1", ".3f"),
    "ngram_divergence_2": ("pairs of letters", "the same", ".3f"),
    "ngram_divergence_3": ("three in a row", "the same", ".3f"),
    "edit_distance_to_training": (
        "nearest training name",
        "characters to insert, delete or replace to get there, on average",
        ".2f",
    ),
    "edit_distance_ratio": ("the same, to that of held-out names", "below 1 a model copies", ".2f"),
}


class Source(NamedTuple):
    """lines = not_taken + train + validation + test, in rows."""

    name: str
    lines: int
    not_taken: int
    train: int
    validation: int
    test: int


class RejectedRow(NamedTuple):
    source: str
    line: int
    text: str


class Rejection(NamedTuple):
    """rows: how many; first: the first few of them."""

    step: str
    reason: str
    rows: int
    first: Sequence[RejectedRow]


class Scores(NamedTuple):
    """What the models reach on the names of one source in one split.

    unseen:      whether of those alone that equal no training name, whatever the case.
    nats:        per character, by model, the network first and the baseline last.
    perplexity:  the same.
    """

    split: str
    source: str
    unseen: bool
    names: int
    nats: dict[str, float]
    perplexity: dict[str, float]


class Measure(NamedTuple):
    """By model, one figure of names that it drew, and how many were measured. HELD_OUT has real names."""

    metric: str
    values: dict[str, float]
    names: dict[str, int]


class Training(NamedTuple):
    """curves: SVG, or empty if nothing was recorded. best: the lowest validation loss and its epoch."""

    steps: int
    epochs: float
    best: tuple[float, float] | None
    curves: str


class Sample(NamedTuple):
    """What the network made of it.

    first:         names, and whether they stand in the lists.
    mean_lengths:  in characters, of training names and of sampled ones.
    lengths:       SVG, or empty if there are no names.
    """

    names: int
    distinct: int
    new: int
    first: Sequence[tuple[str, bool]]
    mean_lengths: tuple[float, float]
    lengths: str


class Findings(NamedTuple):
    """source_lengths:  SVG, or empty if there are no names.
    changes:         since the last accepted lists; none if there were none.
    characters:      what names are written with and how often, the most frequent first.
    """

    sources: Sequence[Source]
    figures: Sequence[Figures]
    source_lengths: str
    changes: Sequence[ChangeRow]
    rejections: Sequence[Rejection]
    characters: Sequence[tuple[str, int]]
    training: Training
    scores: Sequence[Scores]
    measures: Sequence[Measure]
    sample: Sample
    tastes: Sequence[TemperatureSample]


def page(found: Findings) -> str:
    sample = f"{found.sample.names:,} names"
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html('<link rel="icon" href="data:,">'),
        element("title", f"{sample} · Namewright"),
        Html(f"<style>\n{_STYLE_SHEET.read_text(encoding='utf-8')}</style>"),
    )
    body = element(
        "body",
        element(
            "header",
            element("p", "Namewright", class_="mark"),
            element("h1", f"{sample}, learnt from ", _listed([each.name for each in found.sources])),
            _lead(found),
        ),
        element(
            "main",
            _tiles(found),
            OUTCOME,
            _names(found.sample),
            as_html(by_temperature(found.tastes)),
            element("div", _curves(found.training), _lengths(found.sample), class_="pair"),
            _scores(found.scores),
            _measures(found.measures),
            _sources(found.sources),
            element("div", _figures(found.figures), _source_lengths(found.source_lengths), class_="pair"),
            _changes(found.changes),
            _rejections(found.rejections),
            _characters(found.characters),
            PROVENANCE,
        ),
    )
    return f'<!doctype html>\n<html lang="en">{head}\n{body}</html>\n'


def _lead(found: Findings) -> Html:
    read = sum(each.train for each in found.sources)
    held_out = sum(each.validation + each.test for each in found.sources)
    written = f"The network has read {read:,} names, written with {len(found.characters):,} characters"
    kept = f"; {held_out:,} were kept from it to judge it by." if held_out else ". No name was kept from it."
    return element("p", written + kept, class_="lead")


def _tiles(found: Findings) -> Html:
    tiles = [*_score_tiles(found.scores), _training_tile(found.training), *_sample_tiles(found.sample)]
    return element("section", *tiles, class_="tiles", aria_label="At a glance")


def _score_tiles(scores: Sequence[Scores]) -> list[Html]:
    if not scores:
        return []
    total = scores[0]
    return [
        _tile(
            called(model),
            number(nats),
            f"nats per character, perplexity {number(total.perplexity.get(model), 2)}",
            f"on {total.names:,} names {'it has learnt from' if total.split == 'train' else 'kept from it'}",
        )
        for model, nats in total.nats.items()
    ]


def _training_tile(training: Training) -> Html:
    best = f"lowest validation loss in epoch {training.best[1]:g}" if training.best else "no validation"
    epochs = f"{training.epochs:,.1f}".removesuffix(".0")
    return _tile("training", epochs, "epochs", f"{training.steps:,} steps, {best}")


def _sample_tiles(sample: Sample) -> list[Html]:
    if not sample.names:
        return [_tile("sample", "0", "names", "none was asked for")]
    return [
        _tile("new", f"{sample.new / sample.names:.1%}", "of the sample", "stands in none of the lists"),
        _tile(
            "distinct", f"{sample.distinct / sample.names:.1%}", "of the sample", f"{sample.distinct:,} names"
        ),
    ]


def _tile(head: str, figure: str, unit: str, note: str) -> Html:
    return element(
        "div",
        element("h2", head),
        element("p", element("strong", figure), " ", unit),
        element("p", note, class_="note"),
        class_="tile",
    )


def _names(sample: Sample) -> Html:
    shown = sample.first[:_NAMES_SHOWN]
    known = any(listed for _, listed in shown)
    note = f"The first {len(shown):,} of {sample.names:,}." if len(shown) < sample.names else ""
    legend = element("span", element("span", "Marked", class_="known"), " are names that stand in the lists.")
    return section(
        "Names",
        element("p", note, " ", legend if known else "", class_="note") if note or known else "",
        element("ol", *(_name(*each) for each in shown), class_="names", translate="no")
        if shown
        else nothing("No names were sampled."),
    )


def _name(name: str, listed: bool) -> Html:
    text = foreign(name) if name else element("i", "empty")
    if not listed:
        return element("li", text)
    return element("li", text, element("span", " (in the lists)", class_="aside"), class_="known")


def _curves(training: Training) -> Html:
    return section("Loss", Html(training.curves) if training.curves else nothing("No history was recorded."))


def _lengths(sample: Sample) -> Html:
    if not sample.lengths:
        return section("Lengths", nothing("There are no names to measure."))
    read, sampled = sample.mean_lengths
    note = f"Mean: {number(read, 2)} characters in training names, {number(sampled, 2)} in sampled ones."
    return section("Lengths", Html(sample.lengths), element("p", note, class_="note"))


def _scores(scores: Sequence[Scores]) -> Html:
    title = "How well it predicts names"
    if not scores:
        return section(title, nothing("Nothing was scored."))
    models = list(scores[0].nats)
    network, baseline = models[0], models[-1]
    heads = [
        Column("source"),
        Column("names", numeric=True),
        *(Column(called(model), numeric=True) for model in models),
        *([Column(f"network against {baseline}", numeric=True)] if baseline != network else []),
    ]
    groups = [
        (_SPLIT_TITLES.get(split, split), [_score_row(row, models) for row in rows])
        for split, rows in groupby(scores, key=lambda row: row.split)
    ]
    note = (
        "Nats per character, the end of a name included, and below them the perplexity, the number of "
        "characters among which a model is as unsure. Lower is better."
    )
    return section(title, table(heads, groups, class_="scores"), element("p", note, class_="note"))


def _score_row(row: Scores, models: Sequence[str]) -> list[str]:
    network, *others = models
    source = element("b", "all") if row.source == ALL_SOURCES else foreign(row.source)
    cells = [
        element("span", "never seen, in capitals or not") if row.unseen else source,
        f"{row.names:,}",
        *(_score(row.nats.get(model), row.perplexity.get(model)) for model in models),
    ]
    # Of names that were learnt, n-grams remember the most, which says nothing of any other name.
    if others:
        cells.append("" if row.split == "train" else _gap(row.nats.get(network), row.nats.get(others[-1])))
    return cells


def _score(nats: float | None, perplexity: float | None) -> Html:
    return element("span", number(nats), element("small", number(perplexity, 2)))


def called(model: str) -> str:
    return _MODELS.get(model, model)


def _gap(network: float | None, other: float | None) -> Html:
    if network is None or other is None or not abs(network - other) < float("inf"):
        return element("span", "–")
    better = network < other
    word = "better" if better else "worse"
    return element("span", f"{abs(network - other):.3f} {word}", class_=word)


def _measures(measures: Sequence[Measure]) -> Html:
    title = "What its names are like"
    if not measures:
        return section(title, nothing("No names were drawn to be measured."))
    models = list(dict.fromkeys(model for measure in measures for model in measure.values))
    models.sort(key=lambda model: model == HELD_OUT)
    heads = [Column("measure"), *(Column(called(model), numeric=True) for model in models)]
    rows = [_measure_row(each, models) for each in sorted(measures, key=_place)]
    return section(
        title, element("p", _measured(measures, models), class_="note"), table(heads, [("", rows)])
    )


def _measured(measures: Sequence[Measure], models: Sequence[str]) -> str:
    most = {model: max(measure.names.get(model, 0) for measure in measures) for model in models}
    drawn = max(count for model, count in most.items() if model != HELD_OUT)
    told = f"Of {drawn:,} names drawn from each model at temperature 1."
    if HELD_OUT not in most:
        return told
    return (
        f"{told} The last column is of {most[HELD_OUT]:,} real names that were kept from training, as if a "
        "model had drawn them: what a perfect one would come to."
    )


def _place(measure: Measure) -> int:
    known = list(MEASURES)
    return known.index(measure.metric) if measure.metric in known else len(known)


def _measure_row(measure: Measure, models: Sequence[str]) -> list[str]:
    title, meaning, form = MEASURES.get(measure.metric, (measure.metric, "", ".3f"))
    values = (measure.values.get(model) for model in models)
    return [
        element("span", title, element("small", meaning)),
        *("–" if value is None else f"{value:{form}}" for value in values),
    ]


def _sources(sources: Sequence[Source]) -> Html:
    heads = [
        Column("source"),
        *(Column(name.replace("_", " "), numeric=True) for name in Source._fields[1:]),
    ]
    rows = [[foreign(each.name), *(f"{count:,}" for count in each[1:])] for each in sources]
    if len(sources) > 1:
        totals = map(sum, zip(*(each[1:] for each in sources), strict=True))
        rows.append([element("b", "all"), *(f"{total:,}" for total in totals)])
    return section("Where the names come from", table(heads, [("", rows)]))


def _figures(figures: Sequence[Figures]) -> Html:
    heads = [Column("source"), *(Column(name, numeric=True) for name in _FIGURES)]
    rows = [
        [
            element("b", "all") if each.source == ALL_SOURCES else foreign(each.source),
            *(f"{getattr(each, name):,}" for name in _FIGURES),
        ]
        for each in figures
    ]
    return section(
        "What the lists are like",
        table(heads, [("", rows)]),
        element(
            "p", "Distinct names are those of the files; the rest is of names that were kept.", class_="note"
        ),
    )


def _source_lengths(lengths: str) -> Html:
    return section("Lengths in each list", Html(lengths) if lengths else nothing("There are no names."))


def _changes(changes: Sequence[ChangeRow]) -> Html:
    title = "What changed since the last accepted lists"
    if not changes:
        return section(title, nothing("No lists were accepted before: there is nothing to compare with."))
    shown = changes[:_CHANGES_SHOWN]
    heads = [Column("what"), *(Column(name, numeric=True) for name in ("before", "now", "change", "limit"))]
    rows = [
        [
            element("b", each.what) if each.limit else foreign(each.what),
            each.before,
            each.now,
            each.change if each.within else element("span", f"{each.change} too much", class_="worse"),
            each.limit,
        ]
        for each in shown
    ]
    more = len(changes) - len(shown)
    return section(
        title,
        table(heads, [("", rows)]),
        element("p", f"And {more:,} more characters, in changes.parquet.", class_="note") if more else "",
    )


def _rejections(rejections: Sequence[Rejection]) -> Html:
    if not rejections:
        return section("What was not taken", nothing("Every line was taken."))
    more = len(rejections) - _REASONS_SHOWN
    return section(
        "What was not taken",
        element("div", *(_rejection(each) for each in rejections[:_REASONS_SHOWN]), class_="cards"),
        element("p", f"And {more:,} more reasons.", class_="note") if more > 0 else "",
    )


def _rejection(rejection: Rejection) -> Html:
    rows = [
        element(
            "li",
            element("code", foreign(visible(row.text))) if row.text else element("i", "nothing"),
            element("span", foreign(row.source), f" line {row.line:,}", class_="note"),
        )
        for row in rejection.first
    ]
    more = rejection.rows - len(rows)
    return element(
        "article",
        element("h3", visible(rejection.reason, 200)),
        element("p", element("strong", f"{rejection.rows:,}"), f" when {rejection.step}", class_="note"),
        element("ul", *rows, class_="rejected"),
        element("p", f"and {more:,} more", class_="note") if more else "",
        class_="card",
    )


def _characters(characters: Sequence[tuple[str, int]]) -> Html:
    chips = [
        element("li", element("bdi", glyph(character)), element("small", f"{count:,}"))
        for character, count in characters[:_CHARACTERS_SHOWN]
    ]
    more = len(characters) - len(chips)
    return section(
        "Characters",
        element("ul", *chips, class_="characters", translate="no") if chips else nothing("There are none."),
        element("p", f"And {more:,} that are rarer.", class_="note") if more > 0 else "",
    )


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or not abs(value) < float("inf") else f"{value:,.{digits}f}"


def _listed(names: Sequence[str]) -> Html:
    """The names themselves, as long as that reads well."""
    if len(names) > 4:
        return escaped(f"{len(names)} lists")
    before = [""] + [", "] * (len(names) - 2) + [" and "]
    return joined(*(part for pair in zip(before, map(foreign, names), strict=False) for part in pair))
