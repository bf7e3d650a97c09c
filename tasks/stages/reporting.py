"""The stage `report`: what the other stages left, read and counted for one page."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data.config import ALL_SOURCES
from data.examples import SPLITS
from data.profile import Profile
from tasks.config.report import ReportConfig
from tasks.core.stage import StageContext, stage
from tasks.models.name_predicate import name_predicate
from tasks.report import html, markdown, plots
from tasks.report.changes import changes_section
from tasks.report.lists import characters_section, lists_section, notices_section, rejected_section
from tasks.report.publish import FILE, OUTLINE
from tasks.report.sample import (
    Sample,
    lengths_section,
    names_section,
    sample_tiles,
    styles_section,
    temperatures_section,
)
from tasks.report.scores import Scores, prediction_sections, resemblance_section, score_tiles, scores
from tasks.report.sections import Section, Tile
from tasks.report.text import escape_invisible
from tasks.stages.corpora import NAMES, REJECTED
from tasks.stages.encoding import EXAMPLES, load_vocabulary
from tasks.stages.evaluating import METRICS, MIXTURE, NETWORK, SAMPLE
from tasks.stages.list_notices import list_notices
from tasks.stages.mixing import load_models
from tasks.stages.notebook_training import TRANSCRIPT
from tasks.stages.profiling import load_profile
from tasks.stages.report_samples import style_samples, temperature_samples
from tasks.stages.training import HISTORY

_NAMES_KEPT = 200  # more than a page shows
_REJECTED_SHOWN = 5
_CHARACTERS_SHOWN = 240

Counts = npt.NDArray[np.int64]


@stage(version=6)
def report(
    context: StageContext,
    config: ReportConfig,
    *,
    corpora: Sequence[Artifact],
    merged: Artifact,
    validated: Artifact,
    profile: Artifact,
    gate: Artifact,
    vocabulary: Artifact,
    examples: Artifact,
    model: Artifact,
    mixture: Artifact,
    evaluation: Artifact,
    names: Artifact,
) -> None:
    """Build the sections of the report and render them as HTML and as Markdown."""
    trained_on = examples.table(EXAMPLES, ["source", "split", "tokens"])
    metrics = evaluation.table(METRICS).to_pylist()
    of_splits = scores(row for row in metrics if row["split"] != SAMPLE)
    lists, characters = load_profile(profile), load_vocabulary(vocabulary)
    splits = _splits(trained_on, lists.sources)
    by_epochs = TRANSCRIPT not in model.manifest().files  # the notebook's recipe reads name after name
    history = model.table(HISTORY)
    models = load_models(mixture)
    drawn_from = models.resolve(config.drawn_from)
    sample = _sample(names.table(NAMES, ["name", "length", "in_training"]), trained_on, drawn_from)
    list_names = validated.table(NAMES, ["name"])["name"]
    opening = [names_section(sample)]
    notices = list_notices(corpora, merged, validated, profile)
    accepts, workers = name_predicate(validated, characters), context.settings.workers
    by_temperature = temperature_samples(
        models, drawn_from, characters, list_names, accepts, not by_epochs, workers
    )
    by_style = style_samples(models, drawn_from, characters, accepts, workers)
    sections = [
        *([notices_section(notices)] if notices else []),
        Section(
            "In numbers",
            _training_text(splits, len(characters.characters) - 1),
            tiles=[*score_tiles(of_splits), _training_tile(history), *sample_tiles(sample)],
        ),
        temperatures_section(by_temperature, drawn_from),
        *([styles_section(by_style, drawn_from)] if by_style else []),
        _loss_section(history, by_epochs, of_splits),
        lengths_section(sample),
        *prediction_sections(of_splits),
        resemblance_section(row for row in metrics if row["split"] == SAMPLE),
        lists_section(lists, splits, _plot(lists)),
        rejected_section(lists, _first_rows(corpora, merged, validated)),
        characters_section(lists, _CHARACTERS_SHOWN),
    ]
    title = f"{sample.names:,} names"
    context.writer.write_text(
        FILE, html.page(title, lists.sources, opening, [*sections, changes_section(gate)])
    )
    context.writer.write_text(OUTLINE, markdown.render([*opening, *sections]))


def _splits(trained_on: pa.Table, sources: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many names each split has of every source."""
    splits = {source: dict.fromkeys(SPLITS, 0) for source in sources}
    columns = ["source", "split"]
    groups = trained_on.select(columns).unify_dictionaries().group_by(columns, use_threads=False)
    for row in groups.aggregate([([], "count_all")]).to_pylist():
        splits[row["source"]][row["split"]] = row["count_all"]
    return splits


def _training_text(splits: Mapping[str, Mapping[str, int]], characters: int) -> str:
    train, validation, test = (sum(split[name] for split in splits.values()) for name in SPLITS)
    text = f"The network was trained on {train:,} names, written with {characters:,} characters"
    held_out = f"; {validation + test:,} were kept from it to evaluate it."
    return text + (held_out if validation + test else ". No name was kept from it.")


def _training_tile(history: pa.Table) -> Tile:
    if not len(history):
        return Tile("training", "0", "epochs", "0 steps, no validation")
    epochs, validation = _reals(history, "epoch"), _reals(history, "validation_loss")
    measured = np.isfinite(validation).any()
    best = f"lowest validation loss in epoch {epochs[np.nanargmin(validation)]:g}" if measured else ""
    note = f"{history['step'][-1].as_py():,} steps, {best or 'no validation'}"
    return Tile("training", f"{epochs[-1]:,.1f}".removesuffix(".0"), "epochs", note)


def _loss_section(history: pa.Table, by_epochs: bool, of_splits: Sequence[Scores]) -> Section:
    if not len(history):
        return Section("Loss", "No history was recorded.")
    curves = plots.Curves(
        x=_reals(history, "epoch" if by_epochs else "step"),
        training=_reals(history, "training_loss"),
        validation=_reals(history, "validation_loss"),
        x_label="epochs" if by_epochs else "names read",
        y_label="nats per character" if by_epochs else "nats per name, smoothed",
        reference=_reference(of_splits) if by_epochs else None,
    )
    return Section("Loss", plot=plots.loss_curves(curves))


def _reals(history: pa.Table, column: str) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = history[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _reference(of_splits: Sequence[Scores]) -> tuple[str, float] | None:
    """What the n-grams reach on the names that the validation curve is measured on."""
    for row in of_splits:
        if (row.split, row.source) == ("validation", ALL_SOURCES):
            ngrams = (nats for nats in row.nats.items() if nats[0] not in (NETWORK, MIXTURE))
            return next(ngrams, None)
    return None


def _plot(lists: Profile) -> str:
    """Lengths in each list; of those with the most names, if there are more than a reader can tell apart."""
    sources = sorted(lists.sources, key=lambda source: -lists.count("kept", source))[: plots.MOST_LINES]
    lengths = {source: lists.lengths(source) for source in lists.sources if source in sources}
    return plots.lengths_by_source(lengths) if any(map(len, lengths.values())) else ""


def _first_rows(
    corpora: Sequence[Artifact], merged: Artifact, validated: Artifact
) -> dict[tuple[str, str, str], list[str]]:
    """By step, source and reason, the first few rejected rows."""
    steps = [("reading", corpus.table(REJECTED)) for corpus in corpora]
    steps += [("merging", merged.table(REJECTED)), ("validating", validated.table(REJECTED))]
    first: dict[tuple[str, str, str], list[str]] = {}
    for step, table in steps:
        sources = table["source"].cast(pa.string())
        for reason in table["reason"].unique().to_pylist():
            of_reason = pc.equal(table["reason"], reason)
            for source in sources.filter(of_reason).unique().to_pylist():
                rows = table.filter(pc.and_(of_reason, pc.equal(sources, source))).slice(0, _REJECTED_SHOWN)
                first[step, source, reason] = [_row_text(row) for row in rows.to_pylist()]
    return first


def _row_text(row: Mapping[str, object]) -> str:
    content = row.get("name", row.get("raw"))
    text = content.decode(errors="backslashreplace") if isinstance(content, bytes) else str(content)
    return f"line {row['line']:,}: {escape_invisible(text) if text.strip() else 'nothing'}"


def _sample(sampled: pa.Table, trained_on: pa.Table, drawn_from: str) -> Sample:
    training = trained_on["tokens"].filter(pc.equal(trained_on["split"].cast(pa.string()), "train"))
    lengths = [_whole_numbers(pc.list_value_length(training)), _whole_numbers(sampled["length"])]
    first = sampled.slice(0, _NAMES_KEPT)
    counted = all(map(len, lengths))
    return Sample(
        names=len(sampled),
        distinct=pc.count_distinct(sampled["name"]).as_py(),
        new=len(sampled) - (pc.sum(sampled["in_training"]).as_py() or 0),
        first=list(zip(first["name"].to_pylist(), first["in_training"].to_pylist(), strict=True)),
        mean_lengths=(float(lengths[0].mean()), float(lengths[1].mean())) if counted else (0.0, 0.0),
        lengths=plots.length_distributions(*map(np.bincount, lengths)) if counted else "",
        drawn_from=drawn_from,
    )


def _whole_numbers(column: pa.ChunkedArray) -> Counts:
    numbers: Counts = column.cast(pa.int64()).to_numpy()
    return numbers
