"""What there is to tell of the models of a store, as tables of text: heads, then rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from artifacts.manifest import Manifest
from artifacts.registry import Entry
from artifacts.store import Artifact, Store
from data.config import ALL_SOURCES
from tasks.champion import CHAMPION, called, evaluation_of, whole_input
from tasks.making.decision import DECISION, Contender, as_table, judged
from tasks.making.evaluation import METRICS, MIXTURE, NETWORK, SAMPLE
from tasks.promotion import NATS, DecidingConfig
from tasks.report_page import lineage

Rows = Sequence[tuple[str, ...]]


class Table(NamedTuple):
    heads: tuple[str, ...]
    rows: Rows


def models(store: Store) -> Table:
    """The last made first. Raises DataError if the registry is damaged."""
    registry = store.registry(CHAMPION)
    standing, withdrawn = registry.standing(), registry.withdrawn()
    rows = []
    for made in sorted(store.list("mixture"), key=lambda made: made.made_at, reverse=True):
        digest, key = made.digest, made.recipe.key
        mark = "rolled back" if digest in withdrawn else ""
        if standing and standing.artifact.digest == digest:
            mark = CHAMPION
        mixture = Artifact(made.recipe.stage, key, digest, store.folder(made.recipe.stage, key))
        nats = _test_nats(store, mixture)
        rows.append((key[:12], made.made_at[:19], *nats, _lists(store, mixture), mark))
    return Table(("key", "made, UTC", "network", "mixture", "lists", ""), rows)


def card(store: Store, mixture: Artifact) -> Table:
    """What the manifests say of one model, and how it predicts held-out names and what its names are like."""
    made = mixture.manifest()
    rows = [("key", made.recipe.key), ("made, UTC", made.made_at), ("lists", _lists(store, mixture))]
    for each in (_manifest(store, mixture, "model"), made):
        facts = each.facts.get("model_card", {}) if each else {}
        rows += [(name.replace("_", " "), _text(value)) for name, value in facts.items()]
    for (model, split, metric), value in _figures(store, mixture).items():
        if (metric == NATS and split == "test") or split == SAMPLE:
            rows.append((f"{model}, {split}: {metric}", _text(value)))
    return Table(("of this model", ""), rows)


def decisions(store: Store, mixture: Artifact) -> Iterator[tuple[str, Table]]:
    """Every one about this model, the first made first: what it says, and its figures."""
    made = [each for each in store.list("decision") if each.recipe.inputs.get("mixture") == mixture.digest]
    for each in sorted(made, key=lambda made: made.made_at):
        found, _ = store.examine(each.recipe.stage, each.recipe.key)
        if found:
            against = found.input("champion")
            said = _said(each.facts["promote"], each.facts["reasons"], each.facts["notes"])
            title = (
                f"decision/{each.recipe.key[:12]} against {called(against) if against else 'none'}: {said}"
            )
            yield title, _decision(found.table(DECISION))


def history(entries: Sequence[Entry]) -> Table:
    """What stood there, the first first."""
    rows = [
        (
            entry.made_at[:19],
            called(entry.artifact),
            called(entry.against) if entry.against else "",
            entry.why,
            ", ".join(entry.by.values()),
        )
        for entry in entries
    ]
    return Table(("since, UTC", "model", "compared with", "why", "by"), rows)


def comparison(
    store: Store, config: DecidingConfig, challenger: Artifact, champion: Artifact
) -> tuple[str, Table]:
    """What a decision about the one against the other would say, and its figures. Raises Interrupted."""
    evaluation = evaluation_of(store, challenger)
    found, _, notes = judged(
        config,
        Contender.of(challenger, whole_input(store, challenger, "examples"), evaluation),
        Contender.of(
            champion,
            whole_input(store, champion, "examples"),
            evaluation_of(store, champion, evaluation) if evaluation else None,
        ),
    )
    return _said(found.promote, found.reasons, notes), _decision(as_table(found.figures))


def _decision(table: pa.Table) -> Table:
    rows = [tuple(_text(value) for value in row.values()) for row in table.to_pylist()]
    return Table(tuple(table.column_names), rows)


def _said(promote: bool, reasons: Sequence[str], notes: Sequence[str]) -> str:
    return "; ".join([f"{'promote' if promote else 'keep the champion'}: {reasons[0]}", *reasons[1:], *notes])


def _figures(store: Store, mixture: Artifact) -> Mapping[tuple[str, str, str], float]:
    """By model, split and metric; none if it was not evaluated."""
    evaluation = evaluation_of(store, mixture)
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
    found = whole_input(store, artifact, role)
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
