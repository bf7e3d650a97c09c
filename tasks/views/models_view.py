"""What there is to tell of the models of a store, as tables of text."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from artifacts.manifest import Manifest
from artifacts.registry import Entry
from artifacts.store import Artifact, Store
from data.config import ALL_SOURCES
from tasks.config.promotion import NATS, DecidingConfig
from tasks.models.champion import CHAMPION, latest_evaluation, load_input, short_name
from tasks.report.markup import Column
from tasks.report.publish import lineage
from tasks.report.sheets import Sheet
from tasks.stages.deciding import DECISION, Candidate, decision_table, evaluate
from tasks.stages.evaluating import METRICS, MIXTURE, NETWORK, SAMPLE

_NUMBERS = ("network", "mixture", "challenger", "champion", "difference", "low", "high", "limit")


def models(store: Store) -> Sheet:
    """The last made first. Raises DataError if the registry is damaged."""
    registry = store.registry(CHAMPION)
    standing, withdrawn = registry.current(), registry.rolled_back()
    rows = []
    for made in sorted(store.list("mixture"), key=lambda made: made.created_at, reverse=True):
        digest, key = made.digest, made.recipe.key
        mark = "rolled back" if digest in withdrawn else ""
        if standing and standing.artifact.digest == digest:
            mark = CHAMPION
        mixture = Artifact(made.recipe.stage, key, digest, store.folder(made.recipe.stage, key))
        nats = _test_nats(store, mixture)
        rows.append((key[:12], made.created_at[:19], *nats, _lists(store, mixture), mark))
    heads = _heads("key", "made, UTC", "network", "mixture", "lists", "")
    return Sheet(
        "models, with nats per character on test names",
        heads,
        rows,
        f"no model in {store.root}; train one: namewright run",
    )


def card(store: Store, mixture: Artifact) -> Sheet:
    """What the manifests say of one model, and how it predicts held-out names and what its names are like."""
    made = mixture.manifest()
    rows = [("key", made.recipe.key), ("made, UTC", made.created_at), ("lists", _lists(store, mixture))]
    for each in (_manifest(store, mixture, "model"), made):
        facts = each.metadata.get("model_card", {}) if each else {}
        rows += [(name.replace("_", " "), _text(value)) for name, value in facts.items()]
    for (model, split, metric), value in _figures(store, mixture).items():
        if (metric == NATS and split == "test") or split == SAMPLE:
            rows.append((f"{model}, {split}: {metric}", _text(value)))
    return Sheet(f"{mixture.stage}/{mixture.key[:12]}", _heads("", " "), rows)


def decisions(store: Store, mixture: Artifact) -> Iterator[Sheet]:
    """Every one about this model, the first made first: what it says, and its figures."""
    made = [each for each in store.list("decision") if each.recipe.inputs.get("mixture") == mixture.digest]
    for each in sorted(made, key=lambda made: made.created_at):
        found, _ = store.examine(each.recipe.stage, each.recipe.key)
        if found:
            against = found.input("champion")
            said = _said(each.metadata["promote"], each.metadata["reasons"], each.metadata["notes"])
            other = short_name(against) if against else "none"
            title = f"decision/{each.recipe.key[:12]} against {other}: {said}"
            yield _decision(title, found.table(DECISION))


def history(entries: Sequence[Entry]) -> Sheet:
    """What stood there, the first first."""
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
    heads = _heads("since, UTC", "model", "compared with", "why", "by")
    return Sheet("champions", heads, rows, "there was none")


def comparison(store: Store, config: DecidingConfig, challenger: Artifact, champion: Artifact) -> Sheet:
    """What a decision about the one against the other would say, and its figures. Raises Interrupted."""
    evaluation = latest_evaluation(store, challenger)
    found, _, notes = evaluate(
        config,
        Candidate.of(challenger, load_input(store, challenger, "examples"), evaluation),
        Candidate.of(
            champion,
            load_input(store, champion, "examples"),
            latest_evaluation(store, champion, evaluation) if evaluation else None,
        ),
    )
    return _decision(_said(found.promote, found.reasons, notes), decision_table(found.figures))


def _decision(title: str, table: pa.Table) -> Sheet:
    rows = [tuple(_text(value) for value in row.values()) for row in table.to_pylist()]
    return Sheet(title, _heads(*table.column_names), rows)


def _heads(*names: str) -> list[Column]:
    return [Column(name, numeric=name in _NUMBERS) for name in names]


def _said(promote: bool, reasons: Sequence[str], notes: Sequence[str]) -> str:
    return "; ".join([f"{'promote' if promote else 'keep the champion'}: {reasons[0]}", *reasons[1:], *notes])


def _figures(store: Store, mixture: Artifact) -> Mapping[tuple[str, str, str], float]:
    """By model, split and metric; none if it was not evaluated."""
    evaluation = latest_evaluation(store, mixture)
    rows = evaluation.table(METRICS).to_pylist() if evaluation else []
    return {
        (row["model"], row["split"], row["metric"]): row["value"]
        for row in rows
        if row["source"] == ALL_SOURCES and row["model"] in (NETWORK, MIXTURE)
    }


def _test_nats(store: Store, mixture: Artifact) -> tuple[str, str]:
    figures = _figures(store, mixture)
    of_network, of_mixture = (figures.get((model, "test", NATS)) for model in (NETWORK, MIXTURE))
    return _text(of_network), _text(of_mixture)


def _lists(store: Store, mixture: Artifact) -> str:
    """The sources that it has learnt from, as far as that is known."""
    known = [made for made in lineage(store, mixture).values() if made and made.recipe.stage == "corpus"]
    return ", ".join(made.recipe.config["name"] for made in known)


def _manifest(store: Store, artifact: Artifact, role: str) -> Manifest | None:
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
            return str(value)
