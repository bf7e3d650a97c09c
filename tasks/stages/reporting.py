"""The stage `report`: what the other stages left, read and counted for one page."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data.config import ALL_SOURCES
from data.examples import SPLITS
from data.profile import Profile
from tasks.core.stage import EmptyConfig, StageContext, stage
from tasks.report import plots
from tasks.report.figures import figures
from tasks.report.gate_changes import format_changes
from tasks.report.outline import outline
from tasks.report.page import (
    Findings,
    Measure,
    RejectedRow,
    Rejection,
    Sample,
    Scores,
    Source,
    Training,
    page,
)
from tasks.report.publish import FILE, OUTLINE
from tasks.stages.corpora import NAMES, REJECTED
from tasks.stages.encoding import EXAMPLES, VOCABULARY, load_vocabulary
from tasks.stages.evaluating import METRICS, MIXTURE, NETWORK, SAMPLE, UNSEEN
from tasks.stages.notebook_training import TRANSCRIPT
from tasks.stages.profiling import load_profile
from tasks.stages.temperatures import tastes
from tasks.stages.training import HISTORY

_ROWS_KEPT = 200  # of names, and characters: more than a page shows
_REJECTED_SHOWN = 5

Counts = npt.NDArray[np.int64]


@stage(version=3)
def report(
    context: StageContext,
    _config: EmptyConfig,
    *,
    corpora: Sequence[Artifact],
    merged: Artifact,
    validated: Artifact,
    profile: Artifact,
    gate: Artifact,
    vocabulary: Artifact,
    examples: Artifact,
    model: Artifact,
    evaluation: Artifact,
    names: Artifact,
) -> None:
    """The report of a run, as a page and as Markdown."""
    learnt = examples.table(EXAMPLES, ["source", "split", "tokens"])
    metrics = evaluation.table(METRICS).to_pylist()
    scores = _scores(row for row in metrics if row["split"] != SAMPLE)
    known = load_profile(profile)
    steps = [("reading", one.table(REJECTED)) for one in corpora]
    steps += [("merging", merged.table(REJECTED)), ("validating", validated.table(REJECTED))]
    found = Findings(
        sources=[_source(place, one, learnt) for place, one in enumerate(corpora, start=1)],
        figures=figures(known),
        source_lengths=_source_lengths(known),
        changes=format_changes(gate),
        rejections=list(_rejections(steps)),
        characters=_characters(vocabulary.table(VOCABULARY)),
        training=_training(model.table(HISTORY), _by_epochs(model), scores),
        scores=scores,
        measures=_measures(row for row in metrics if row["split"] == SAMPLE),
        sample=_sample(names.table(NAMES, ["name", "length", "in_training"]), learnt),
        tastes=tastes(
            model,
            load_vocabulary(vocabulary),
            validated.table(NAMES, ["name"])["name"],
            capitalise_first=not _by_epochs(model),
        ),
    )
    context.writer.write_text(FILE, page(found))
    context.writer.write_text(OUTLINE, outline(found))


def _source(place: int, corpus: Artifact, learnt: pa.Table) -> Source:
    """What became of the lines of one source."""
    sources = [corpus.table(name, ["source"])["source"] for name in (NAMES, REJECTED)]
    lines = sum(map(len, sources))
    name = next((each[0].as_py() for each in sources if len(each)), f"an empty list ({place}.)")
    splits = learnt["split"].filter(pc.equal(learnt["source"].cast(pa.string()), name))
    kept = dict.fromkeys(SPLITS, 0)
    kept |= {each["values"]: each["counts"] for each in splits.value_counts().to_pylist()}
    return Source(name, lines, lines - sum(kept.values()), **kept)


def _source_lengths(known: Profile) -> str:
    """Of the sources with the most names, if there are more than can be told apart."""
    sources = sorted(known.sources, key=lambda source: -known.count("kept", source))[: plots.MOST_LINES]
    lengths = {source: known.lengths(source) for source in known.sources if source in sources}
    return plots.lengths_by_source(lengths) if any(map(len, lengths.values())) else ""


def _rejections(steps: Sequence[tuple[str, pa.Table]]) -> Iterator[Rejection]:
    """By reason, in the order of the steps; within one, the most frequent reason first."""
    for step in dict.fromkeys(step for step, _ in steps):
        tables = [table for each, table in steps if each == step]
        counts: dict[str, int] = {}
        for table in tables:
            for count in table["reason"].value_counts().to_pylist():
                counts[count["values"]] = counts.get(count["values"], 0) + count["counts"]
        for reason in sorted(counts, key=lambda reason: (-counts[reason], reason)):
            first = [row for table in tables for row in _first_rows(table, reason)][:_REJECTED_SHOWN]
            yield Rejection(step, reason, counts[reason], first)


def _first_rows(table: pa.Table, reason: str) -> list[RejectedRow]:
    rows = table.filter(pc.equal(table["reason"], reason)).slice(0, _REJECTED_SHOWN).to_pylist()
    return [RejectedRow(row["source"], row["line"], _text(row.get("name", row.get("raw")))) for row in rows]


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode(errors="backslashreplace")


def _characters(vocabulary: pa.Table) -> list[tuple[str, int]]:
    """Without the end of a name, index 0."""
    letters = vocabulary.filter(pc.greater(vocabulary["index"], 0)).sort_by(
        [("count", "descending"), ("index", "ascending")]
    )
    return list(zip(letters["character"].to_pylist(), letters["count"].to_pylist(), strict=True))


def _by_epochs(model: Artifact) -> bool:
    """Or by the notebook's recipe: name after name, its loss smoothed and summed over a name."""
    return TRANSCRIPT not in model.manifest().files


def _training(history: pa.Table, by_epochs: bool, scores: Sequence[Scores]) -> Training:
    if not len(history):
        return Training(0, 0.0, None, "")
    column = {
        name: history[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in history.column_names
    }
    epochs, validation = column["epoch"], column["validation_loss"]
    measured = np.isfinite(validation).any()
    best = int(np.nanargmin(validation)) if measured else 0
    curves = plots.Curves(
        x=epochs if by_epochs else column["step"],
        training=column["training_loss"],
        validation=validation,
        x_label="epochs" if by_epochs else "names read",
        y_label="nats per character" if by_epochs else "nats per name, smoothed",
        reference=_reference(scores) if by_epochs else None,
    )
    return Training(
        steps=int(column["step"][-1]),
        epochs=float(epochs[-1]),
        best=(float(validation[best]), float(epochs[best])) if measured else None,
        curves=plots.loss_curves(curves),
    )


def _reference(scores: Sequence[Scores]) -> tuple[str, float] | None:
    """What the baseline reaches on the names that the validation curve is measured on."""
    for row in scores:
        if (row.split, row.source) == ("validation", ALL_SOURCES):
            baselines = (each for each in row.nats.items() if each[0] not in (NETWORK, MIXTURE))
            return next(baselines, None)
    return None


def _scores(metrics: Iterable[dict[str, Any]]) -> list[Scores]:
    """Held-out names first, all sources before each; the network first of the models."""
    rows: dict[tuple[str, str], Scores] = {}
    for row in metrics:
        split = row["split"].removesuffix(UNSEEN)
        new = Scores(split, row["source"], split != row["split"], row["names"], {}, {})
        scores = rows.setdefault((row["split"], row["source"]), new)
        values = {"nats_per_character": scores.nats, "perplexity": scores.perplexity}.get(row["metric"])
        if values is not None:
            values[row["model"]] = row["value"]
    return sorted(rows.values(), key=lambda row: SPLITS.index(row.split), reverse=True)


def _measures(metrics: Iterable[dict[str, Any]]) -> list[Measure]:
    rows: dict[str, Measure] = {}
    for row in metrics:
        measure = rows.setdefault(row["metric"], Measure(row["metric"], {}, {}))
        measure.values[row["model"]], measure.names[row["model"]] = row["value"], row["names"]
    return list(rows.values())


def _sample(drawn: pa.Table, learnt: pa.Table) -> Sample:
    read = learnt["tokens"].filter(pc.equal(learnt["split"].cast(pa.string()), "train"))
    lengths = [_numbers(pc.list_value_length(read)), _numbers(drawn["length"])]
    first = drawn.slice(0, _ROWS_KEPT)
    counted = all(map(len, lengths))
    return Sample(
        names=len(drawn),
        distinct=pc.count_distinct(drawn["name"]).as_py(),
        new=len(drawn) - (pc.sum(drawn["in_training"]).as_py() or 0),
        first=list(zip(first["name"].to_pylist(), first["in_training"].to_pylist(), strict=True)),
        mean_lengths=(float(lengths[0].mean()), float(lengths[1].mean())) if counted else (0.0, 0.0),
        lengths=plots.length_distributions(*map(np.bincount, lengths)) if counted else "",
    )


def _numbers(column: pa.ChunkedArray) -> Counts:
    numbers: Counts = column.cast(pa.int64()).to_numpy()
    return numbers
