"""Metrics of samples of names, next to those of held-out names.

One half of the held-out names is measured like a sample, the other half is the reference of all samples. So
next to each metric stands the value that a perfect model would reach. Held-out names with weights are
repeated by resampling: a model samples a name as often as it counts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.batching.resampling import MIDPOINT, systematic_resample
from rnn_core.metrics.distributions import length_distance, ngram_divergence
from rnn_core.metrics.edit_distance import NearestNames
from rnn_core.metrics.novelty import novelty, spelling_keys, uniqueness, words
from rnn_core.text.names import EncodedNames

HELD_OUT = "held-out"
DISTANCE, DISTANCE_RATIO = "edit_distance_to_training", "edit_distance_ratio"

NGRAMS = (1, 2, 3)
# Names of a sample whose distance is measured: enough for a mean within 3 %. Fewer where training names are
# so many or so long that these would take over half a minute: the elements of all distance tables.
DISTANCE_NAMES = 500
MAX_DISTANCE_ELEMENTS = 4e9

Rows = npt.NDArray[np.int64]


class NameList(NamedTuple):
    """The same N names as strings and encoded."""

    strings: Sequence[str]
    encoded: EncodedNames

    def take(self, rows: Rows) -> "NameList":
        """The names at `rows`, in that order."""
        return NameList([self.strings[row] for row in rows], self.encoded.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingNames:
    """The training names, prepared to measure what is new, and how new."""

    names: frozenset[str]
    words: frozenset[str]
    nearest: NearestNames

    @classmethod
    def from_names(cls, training: NameList) -> "TrainingNames":
        """The prepared training names. Raises ValueError without any."""
        strings = training.strings
        rows = {name: row for row, name in enumerate(strings)}
        distinct = training.encoded.take(np.array(list(rows.values()), np.int64))
        return cls(spelling_keys(strings), spelling_keys(words(strings)), NearestNames.from_names(distinct))


class MetricValue(NamedTuple):
    """The value of a metric; names: how many were measured."""

    metric: str
    value: float
    names: int


def compare_samples(
    samples: Mapping[str, NameList],
    held_out: NameList,
    training: NameList,
    rng: np.random.Generator,
    on_progress: Callable[[], None] = lambda: None,
) -> dict[str, list[MetricValue]]:
    """The metrics of half of the held-out names, as HELD_OUT, then of each sample, against the other half.

    A sample has one more, `edit_distance_ratio`: its distance to the training names over that of the held-out
    names. Below 1, it is nearer to the training names than real names are: it copies.

    rng:          splits the held-out names.
    on_progress:  called often; what it raises ends the measurement.

    Raises ValueError if there are no training names.
    """
    training_names = TrainingNames.from_names(training)
    if held_out.encoded.weights is not None:
        held_out = held_out.take(systematic_resample(held_out.encoded.weights, MIDPOINT))
    first, second = halves(held_out.strings, rng)
    reference = held_out.encoded.take(first)
    largest = max((sample.encoded.count for sample in samples.values()), default=0)
    real = measure_sample(held_out.take(second[:largest]), reference, training_names, on_progress)
    measured = {
        model: measure_sample(sample, reference, training_names, on_progress)
        for model, sample in samples.items()
    }
    for metrics in measured.values():
        metrics += _ratio(metrics, real)
    return {HELD_OUT: real, **measured}


def measure_sample(
    sample: NameList,
    reference: EncodedNames,
    training_names: TrainingNames,
    on_progress: Callable[[], None] = lambda: None,
) -> list[MetricValue]:
    """All metrics of a sample in random order, against reference names in random order.

    Of the whole sample:

        uniqueness, novelty, word_novelty    `rnn_core.metrics.novelty`

    Of as many sampled names as there are reference names, the first of whichever are more:

        length_distance                      `rnn_core.metrics.distributions`
        ngram_divergence_1, _2 and _3        the same, for n-grams of so many characters

    Of the first of the sample, NAMES_PLACED or as many as ELEMENTS allow:

        edit_distance_to_training            `.edit_distance`: the mean, to the nearest training name
    """
    count = sample.encoded.count
    compared = min(count, reference.count)
    distance_count = min(
        count, DISTANCE_NAMES, max(1, int(MAX_DISTANCE_ELEMENTS // training_names.nearest.elements))
    )
    left, right = (names.take(np.arange(compared)) for names in (sample.encoded, reference))
    distances = []
    for distance in training_names.nearest.distances(sample.encoded.take(np.arange(distance_count))):
        distances.append(distance)
        on_progress()
    metrics = [
        MetricValue("uniqueness", uniqueness(sample.strings), count),
        MetricValue("novelty", novelty(sample.strings, training_names.names), count),
        MetricValue("word_novelty", novelty(words(sample.strings), training_names.words), count),
        MetricValue("length_distance", length_distance(left, right), compared),
        *(MetricValue(f"ngram_divergence_{n}", ngram_divergence(left, right, n), compared) for n in NGRAMS),
        MetricValue(
            DISTANCE, sum(distances) / distance_count if distance_count else math.nan, distance_count
        ),
    ]
    return [metric for metric in metrics if not math.isnan(metric.value)]


def halves(names: Sequence[str], rng: np.random.Generator) -> tuple[Rows, Rows]:
    """The rows of two random halves, in random order. Equal names are in one half.

    The halves have one size if no names are equal and their number is even.
    """
    ids: dict[str, int] = {}
    name_ids = np.array([ids.setdefault(name, len(ids)) for name in names], np.int64)
    in_first = rng.permutation(len(ids)) < len(ids) // 2
    rows = rng.permutation(len(names))
    is_first = in_first[name_ids[rows]]
    return rows[is_first], rows[~is_first]


def _ratio(measured: Sequence[MetricValue], real: Sequence[MetricValue]) -> list[MetricValue]:
    pairs = [(a, b) for a in measured for b in real if a.metric == b.metric == DISTANCE and b.value > 0]
    return [MetricValue(DISTANCE_RATIO, a.value / b.value, a.names) for a, b in pairs]
