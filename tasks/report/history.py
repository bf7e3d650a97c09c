"""How the figures moved over the last models, from what their evaluations left in the store."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from artifacts.manifest import Manifest
from artifacts.store import Artifact, Store
from data.config import ALL_SOURCES
from rnn_core.errors import NamewrightError
from tasks.report.markup import Column
from tasks.report.parts import Part
from tasks.report.sparkline import sparkline

_SHOWN = 10
_EVALUATION = "evaluation"
_SPLITS = "test", "validation", "train"  # the first that there is tells most
_MODELS = "rnn", "mixture"
_NGRAMS = "n-grams"
_OF_SAMPLE = "novelty", "validity"


class PastRun(NamedTuple):
    """One evaluation. nats: per character, by model, on held-out names where there are any.

    model:   key of what was evaluated.
    sample:  by metric, of names that the network drew.
    """

    evaluation: str
    model: str
    created_at: str
    nats: dict[str, float]
    sample: dict[str, float]


def past_runs(store: Store) -> list[PastRun]:
    """The newest first. One whose files cannot be read is passed over: a run verifies what it uses."""
    manifests = sorted(_evaluations(store), key=lambda made: (made.created_at, made.recipe.key), reverse=True)
    return [run for made in manifests[:_SHOWN] if (run := _read(store, made))]


def metric_history(runs: Sequence[PastRun], now: str, champion: str) -> Part:
    """now:       the evaluation of the run that tells of it, as `stage/key`.
    champion:  its key; nothing if there is none.
    """
    heads = [
        Column("made, UTC"),
        Column("model"),
        *(Column(head, numeric=True) for head in ("network", "mixture", _NGRAMS, "new", "valid")),
    ]
    curve = sparkline(
        [run.nats.get(_MODELS[0], math.nan) for run in reversed(runs)],
        "Nats per character of the network, from the oldest of these runs to the newest",
    )
    note = (
        "Nats per character on names that the model had not read, of the lists as they were then: lower is "
        "better, and only models of the same lists compare. New and valid are shares of names that the "
        "network drew. " + ("The curve is the network's, the oldest first." if curve else "")
    )
    return Part(
        "The last models",
        heads=heads,
        rows=[[*_model(run, run.evaluation == now, run.model == champion), *_figures(run)] for run in runs],
        picture=curve,
        note=note.strip(),
    )


def _evaluations(store: Store) -> Iterator[Manifest]:
    for key in store.keys(_EVALUATION):
        try:
            yield Artifact(_EVALUATION, key, "", store.folder(_EVALUATION, key)).manifest()
        except NamewrightError:
            continue


def _read(store: Store, made: Manifest) -> PastRun | None:
    key = made.recipe.key
    artifact = Artifact(_EVALUATION, key, made.digest, store.folder(_EVALUATION, key))
    try:
        rows = artifact.table("metrics.parquet").to_pylist()
    except NamewrightError:
        return None
    of_all = [row for row in rows if row["source"] == ALL_SOURCES]
    split = next((split for split in _SPLITS if any(row["split"] == split for row in of_all)), "")
    scored = [row for row in of_all if (row["split"], row["metric"]) == (split, "nats_per_character")]
    return PastRun(
        artifact.origin,
        made.origins.get("mixture", "").partition("/")[2],
        made.created_at,
        {row["model"] if row["model"] in _MODELS else _NGRAMS: row["value"] for row in scored},
        {
            row["metric"]: row["value"]
            for row in of_all
            if (row["model"], row["split"]) == (_MODELS[0], "sample") and row["metric"] in _OF_SAMPLE
        },
    )


def _model(run: PastRun, is_now: bool, is_champion: bool) -> list[str]:
    marks = [mark for mark, is_so in (("this", is_now), ("champion", is_champion)) if is_so]
    called = f"{run.model[:8]} ({', '.join(marks)})" if marks else run.model[:8]
    return [f"{datetime.fromisoformat(run.created_at):%d %b %H:%M}", called]


def _figures(run: PastRun) -> list[str]:
    nats = (run.nats.get(model) for model in (*_MODELS, _NGRAMS))
    shares = (run.sample.get(metric) for metric in _OF_SAMPLE)
    return [
        *("–" if value is None else f"{value:.3f}" for value in nats),
        *("–" if value is None else f"{value:.1%}" for value in shares),
    ]
