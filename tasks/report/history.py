"""How the figures moved over the last models, from what their evaluations left in the store."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from artifacts.manifest import Manifest
from artifacts.registry import Reference
from artifacts.store import Store
from data.config import ALL_SOURCES
from rnn_core.errors import NamewrightError
from tasks.report.sections import Row, Section, Table, columns
from tasks.report.sparkline import sparkline

_SHOWN = 10
_EVALUATION = "evaluation"
_SPLITS = "test", "validation", "train"  # the first that there is says most
_MODELS = "rnn", "mixture"
_NGRAMS = "n-grams"
_OF_SAMPLE = "novelty", "validity"


class PastRun(NamedTuple):
    """One evaluation.

    evaluation:  its origin, `stage/key`.
    model:       key of what was evaluated.
    nats:        per character, by model, on held-out names where there are any.
    sample:      by metric, of names that the network drew.
    """

    evaluation: str
    model: str
    created_at: str
    nats: dict[str, float]
    sample: dict[str, float]


def past_runs(store: Store) -> list[PastRun]:
    """The last evaluations, the newest first. One whose files cannot be read is passed over."""
    # Not verified: a run verifies what it uses.
    manifests = sorted(
        _evaluations(store), key=lambda manifest: (manifest.created_at, manifest.recipe.key), reverse=True
    )
    return [run for manifest in manifests[:_SHOWN] if (run := _past_run(store, manifest))]


def history_section(runs: Sequence[PastRun], current: str, champion: str) -> Section:
    """The figures of the last models, with the curve of the network's loss.

    current:   origin of the evaluation of the run that the report is about.
    champion:  key of the champion; empty if there is none.
    """
    curve = sparkline(
        [run.nats.get(_MODELS[0], math.nan) for run in reversed(runs)],
        "Nats per character of the network, from the oldest of these runs to the newest",
    )
    note = (
        "Nats per character on names that the model was not trained on, of its lists at that time. Lower is "
        "better, and only models of the same lists compare. New and valid are shares of names that the "
        "network drew. " + ("The curve is the network's, the oldest first." if curve else "")
    )
    heads = ("network", "mixture", _NGRAMS, "new", "valid")
    rows = [_row(run, run.evaluation == current, run.model == champion) for run in runs]
    return Section(
        "The last models",
        f"{len(runs)} evaluated.",
        plot=curve,
        table=Table(columns("made, UTC", "model", numeric=heads), rows),
        note=note.strip(),
        folded=True,
    )


def _evaluations(store: Store) -> Iterator[Manifest]:
    with contextlib.suppress(NamewrightError):  # of a bucket that does not answer now
        yield from filter(None, (store.read_manifest(_EVALUATION, key) for key in store.keys(_EVALUATION)))


def _past_run(store: Store, manifest: Manifest) -> PastRun | None:
    key = manifest.recipe.key
    artifact = store.handle(Reference(_EVALUATION, key, manifest.digest))
    try:
        rows = artifact.table("metrics.parquet").to_pylist()
    except NamewrightError:
        return None
    of_all = [row for row in rows if row["source"] == ALL_SOURCES]
    split = next((split for split in _SPLITS if any(row["split"] == split for row in of_all)), "")
    scored = [row for row in of_all if (row["split"], row["metric"]) == (split, "nats_per_character")]
    return PastRun(
        artifact.origin,
        manifest.origins.get("mixture", "").partition("/")[2],
        manifest.created_at,
        {row["model"] if row["model"] in _MODELS else _NGRAMS: row["value"] for row in scored},
        {
            row["metric"]: row["value"]
            for row in of_all
            if (row["model"], row["split"]) == (_MODELS[0], "sample") and row["metric"] in _OF_SAMPLE
        },
    )


def _row(run: PastRun, is_current: bool, is_champion: bool) -> Row:
    marks = [mark for mark, applies in (("this", is_current), ("champion", is_champion)) if applies]
    nats = (run.nats.get(model) for model in (*_MODELS, _NGRAMS))
    shares = (run.sample.get(metric) for metric in _OF_SAMPLE)
    return [
        f"{datetime.fromisoformat(run.created_at):%d %b %H:%M}",
        f"{run.model[:8]} ({', '.join(marks)})" if marks else run.model[:8],
        *("–" if value is None else f"{value:.3f}" for value in nats),
        *("–" if value is None else f"{value:.1%}" for value in shares),
    ]
