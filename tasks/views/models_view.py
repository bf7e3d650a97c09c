"""What is known of the models of a store, as sections of tables."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from artifacts.errors import StoreError
from artifacts.manifest import Manifest
from artifacts.registry import Entry, Reference
from artifacts.store import Artifact, Store
from data.config import ALL_SOURCES
from rnn_core.errors import DataError
from tasks.config.promotion import NATS, DecisionConfig
from tasks.models.champion import (
    CHAMPION,
    champion_registries,
    current_champions,
    latest_evaluation,
    load_input,
    short_name,
)
from tasks.report.outcome import figure_text
from tasks.report.sections import Cell, Column, Row, Section, Table, columns
from tasks.report.terms import model_title
from tasks.stages.deciding import DECISION, Candidate, decision_table, evaluate
from tasks.stages.evaluating import METRICS, MIXTURE, NETWORK, SAMPLE
from tasks.views.model_settings import SOURCE, StoredModel, differing_settings, short_titles

_SETTINGS_SHOWN = 3  # columns of the list of models, so that 80 characters are enough
_WORDS = ("metric", "kept")  # columns of a decision that hold no numbers


def models_section(store: Store) -> Section:
    """Every model of a store, the last made first, with the settings in which they differ.

    Raises DataError if the registry is damaged.
    """
    champions = {entry.artifact.digest for entry in current_champions(store)}
    rolled_back = {digest for registry in champion_registries(store) for digest in registry.rolled_back()}
    models, marks = [], []
    # As they are listed now: who removes one meanwhile disturbs nobody.
    manifests = sorted(store.list("mixture"), key=lambda manifest: manifest.created_at, reverse=True)
    for manifest in manifests:
        mixture = store.handle(Reference("mixture", manifest.recipe.key, manifest.digest))
        models.append(StoredModel(store, mixture))
        mark = Cell("rolled back", tone="muted") if manifest.digest in rolled_back else Cell("")
        marks.append(Cell(CHAMPION, tone="good") if manifest.digest in champions else mark)
    settings = [model.settings() for model in models]
    # How a list is read is no setting of a model, and there are as many as lists; `compare` shows them.
    differing = [name for name in differing_settings(settings) if not name.startswith(SOURCE)]
    rows: list[Row] = [
        [
            model.mixture.key[:12],
            manifest.created_at[:10],
            *_test_nats(store, model.mixture),
            *(of_model.get(name, "–") for name in differing[:_SETTINGS_SHOWN]),
            model.lists(),
            mark,
        ]
        for manifest, model, of_model, mark in zip(manifests, models, settings, marks, strict=True)
    ]
    numeric = [model_title(NETWORK), model_title(MIXTURE), *short_titles(differing[:_SETTINGS_SHOWN])]
    more = len(differing) - _SETTINGS_SHOWN
    return Section(
        "Models, with nats per character on test names and the settings that differ"
        + (f" ({more:,} more: namewright models compare)" if more > 0 else ""),
        f"no model in {store.where}; train one: namewright run LIST",
        table=Table([*columns("key", "made, UTC", numeric=numeric), *columns("lists", "")], rows),
    )


def model_section(store: Store, mixture: Artifact) -> Section:
    """All that the manifests say of one model, its settings, and its metrics."""
    manifest, model = mixture.manifest(), StoredModel(store, mixture)
    rows: list[Row] = [
        ("key", manifest.recipe.key),
        ("made, UTC", manifest.created_at),
        ("lists", model.lists()),
    ]
    for of_model in (_input_manifest(store, mixture, "model"), manifest):
        card = of_model.metadata.get("model_card", {}) if of_model else {}
        rows += [(name.replace("_", " "), figure_text(value)) for name, value in card.items()]
    for (kind, split, name), value in _metrics(store, mixture).items():
        if (name == NATS and split == "test") or split == SAMPLE:
            rows.append((f"{model_title(kind)}, {split}: {name.replace('_', ' ')}", _text(value)))
    rows += model.settings().items()
    return Section(f"{mixture.stage}/{mixture.key[:12]}", table=Table(columns("", " "), rows))


def settings_section(store: Store, candidate: Artifact, champion: Artifact) -> Section:
    """The settings and lists in which two models differ."""
    models = [StoredModel(store, mixture) for mixture in (candidate, champion)]
    settings = [{"lists": model.lists()} | model.settings() for model in models]
    rows = [
        [name, *(of_model.get(name, "–") for of_model in settings)] for name in differing_settings(settings)
    ]
    heads = columns("setting", *(short_name(mixture.reference) for mixture in (candidate, champion)))
    return Section("Settings that differ", "no setting differs", table=Table(heads, rows))


def decision_sections(store: Store, mixture: Artifact) -> Iterator[Section]:
    """Every decision about this model, the first made first, with its figures."""
    for manifest in sorted(store.list("decision"), key=lambda manifest: manifest.created_at):
        if manifest.recipe.inputs.get("mixture") != mixture.digest:
            continue
        decision, _ = store.examine(manifest.recipe.stage, manifest.recipe.key)
        if decision:
            champion, metadata = decision.input("champion"), manifest.metadata
            verdict = _verdict_text(metadata["promote"], metadata["reasons"], metadata["notes"])
            against = short_name(champion) if champion else "none"
            title = f"decision/{manifest.recipe.key[:12]} against {against}: {verdict}"
            yield _figures_section(title, decision.table(DECISION))


def history_section(entries: Sequence[Entry]) -> Section:
    """What was champion since when, the first first."""
    rows = [
        (
            entry.created_at[:19],
            short_name(entry.artifact),
            short_name(entry.against) if entry.against else "",
            entry.why,
            ", ".join(entry.by.values()),
        )
        for entry in entries
    ]
    heads = columns("since, UTC", "model", "compared with", "why", "by")
    return Section("Champions", "no model was ever champion", table=Table(heads, rows))


def comparison_section(
    store: Store, config: DecisionConfig, candidate: Artifact, champion: Artifact
) -> Section:
    """What a decision about one model against another would say, and its figures. Raises Interrupted."""
    evaluation = latest_evaluation(store, candidate)
    verdict, _, notes = evaluate(
        config,
        Candidate.of(candidate, load_input(store, candidate, "examples"), evaluation),
        Candidate.of(
            champion,
            load_input(store, champion, "examples"),
            latest_evaluation(store, champion, evaluation) if evaluation else None,
        ),
    )
    title = _verdict_text(verdict.promote, verdict.reasons, notes)
    return _figures_section(title, decision_table(verdict.figures))


def _figures_section(title: str, figures: pa.Table) -> Section:
    rows = [tuple(_text(value) for value in row.values()) for row in figures.to_pylist()]
    heads = [Column(model_title(name), numeric=name not in _WORDS) for name in figures.column_names]
    return Section(title, table=Table(heads, rows))


def _verdict_text(promote: bool, reasons: Sequence[str], notes: Sequence[str]) -> str:
    return "; ".join([f"{'promote' if promote else 'keep the champion'}: {reasons[0]}", *reasons[1:], *notes])


def _metrics(store: Store, mixture: Artifact) -> Mapping[tuple[str, str, str], float]:
    """By model, split and metric; none if the model was not evaluated."""
    evaluation = latest_evaluation(store, mixture)
    rows = evaluation.table(METRICS).to_pylist() if evaluation else []
    return {
        (row["model"], row["split"], row["metric"]): row["value"]
        for row in rows
        if row["source"] == ALL_SOURCES and row["model"] in (NETWORK, MIXTURE)
    }


def _test_nats(store: Store, mixture: Artifact) -> list[str]:
    try:
        metrics = _metrics(store, mixture)
    except (DataError, StoreError):  # the evaluation was intact, and is removed at this moment
        metrics = {}
    return [_text(metrics.get((model, "test", NATS))) for model in (NETWORK, MIXTURE)]


def _input_manifest(store: Store, artifact: Artifact, role: str) -> Manifest | None:
    found = load_input(store, artifact, role)
    return found.manifest() if found else None


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4f}"
        case _:
            return str(value).replace("_", " ")
