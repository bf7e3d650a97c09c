"""What the report and the command line call the models and the metrics of an evaluation."""

from collections.abc import Iterable
from typing import NamedTuple

from rnn_core.metrics.sample_metrics import HELD_OUT

_MODELS = {"rnn": "network", HELD_OUT: "held-out names", "challenger": "candidate"}


class Metric(NamedTuple):
    """How a metric of sampled names is written: its title, what it means, and the format of a value."""

    title: str
    meaning: str
    format: str


METRICS = {
    "validity": Metric("valid", "would be accepted from a list, as they are", ".1%"),
    "uniqueness": Metric("distinct", "are left once repeats are dropped", ".1%"),
    "novelty": Metric("new", "equal no training name in any spelling", ".1%"),
    "word_novelty": Metric("new words", "of all their words, those in no training name", ".1%"),
    "length_distance": Metric(
        "lengths", "characters by which they differ from those of held-out names", ".2f"
    ),
    "ngram_divergence_1": Metric(
        "characters", "how differently from held-out names, in bits from 0 to 1", ".3f"
    ),
    "ngram_divergence_2": Metric("pairs of characters", "the same", ".3f"),
    "ngram_divergence_3": Metric("three in a row", "the same", ".3f"),
    "edit_distance_to_training": Metric(
        "nearest training name",
        "characters to insert, delete or replace to get there, on average",
        ".2f",
    ),
    "edit_distance_ratio": Metric("the same, to that of held-out names", "below 1 a model copies", ".2f"),
}


def model_title(model: str) -> str:
    """The word for a model that a table of metrics has: the network for `rnn`."""
    return _MODELS.get(model, model)


def metric(name: str) -> Metric:
    """How a metric is written, also one that is not known here."""
    return METRICS.get(name, Metric(name, "", ".3f"))


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics in the order in which they are shown; unknown ones last."""
    known = list(METRICS)
    return sorted(names, key=lambda name: known.index(name) if name in known else len(known))
