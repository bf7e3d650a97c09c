"""What a sample of names is like, beside names that no model has learnt.

Held-out names are measured as if a model had drawn them. One half of them stands for such a sample, the other
is what every sample is compared with. So beside each figure stands the one that a perfect model would reach.
Held-out names with weights are repeated as `resampling` does: a model draws a name as often as it counts.
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
from rnn_core.metrics.novelty import casefold_set, novelty, uniqueness, words
from rnn_core.text.names import EncodedNames

HELD_OUT = "held-out"
DISTANCE, DISTANCE_RATIO = "edit_distance_to_training", "edit_distance_ratio"

NGRAMS = (1, 2, 3)
# Of a sample: the mean of their distances is then good to some 3 in 100. Fewer where training names are so
# many or so long that these would take longer than half a minute: elements of tables of distances.
DISTANCE_NAMES = 500
MAX_DISTANCE_ELEMENTS = 4e9

Rows = npt.NDArray[np.int64]


class NameList(NamedTuple):
    """The same N names, written and encoded."""

    written: Sequence[str]
    encoded: EncodedNames

    def take(self, rows: Rows) -> "NameList":
        return NameList([self.written[row] for row in rows], self.encoded.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingNames:
    """The training names, made ready to tell what is new, and how new."""

    names: frozenset[str]
    words: frozenset[str]
    neighbours: NearestNames

    @classmethod
    def from_names(cls, training: NameList) -> "TrainingNames":
        """Raises ValueError without names."""
        written = training.written
        rows = {name: row for row, name in enumerate(written)}
        distinct = training.encoded.take(np.array(list(rows.values()), np.int64))
        return cls(casefold_set(written), casefold_set(words(written)), NearestNames.from_names(distinct))


class MetricValue(NamedTuple):
    """names: how many were measured."""

    metric: str
    value: float
    names: int


def compare_samples(
    samples: Mapping[str, NameList],
    held_out: NameList,
    training: NameList,
    rng: np.random.Generator,
    pause: Callable[[], None] = lambda: None,
) -> dict[str, list[MetricValue]]:
    """The figures of half of the held-out names, as HELD_OUT, then of each sample, all beside the other half.

    A sample has one more, `edit_distance_ratio`: its distance to the training names over that of the held-out
    names. Below 1 it keeps nearer to what was learnt than real names are to each other: it copies.

    rng:    draws the halves.
    pause:  called now and then, for whoever wants to stop it by an exception.

    Raises ValueError if there are no training names.
    """
    learnt = TrainingNames.from_names(training)
    if held_out.encoded.weights is not None:
        held_out = held_out.take(systematic_resample(held_out.encoded.weights, MIDPOINT))
    first, second = halves(held_out.written, rng)
    reference = held_out.encoded.take(first)
    most = max((sample.encoded.count for sample in samples.values()), default=0)
    real = measure_sample(held_out.take(second[:most]), reference, learnt, pause)
    found = {model: measure_sample(sample, reference, learnt, pause) for model, sample in samples.items()}
    for drawn in found.values():
        drawn += _ratio(drawn, real)
    return {HELD_OUT: real, **found}


def measure_sample(
    sample: NameList, reference: EncodedNames, learnt: TrainingNames, pause: Callable[[], None] = lambda: None
) -> list[MetricValue]:
    """All that could be measured of names in no particular order, beside reference names in none.

    Of the whole sample:

        uniqueness, novelty, word_novelty    `rnn_core.metrics.novelty`

    Of as many sampled names as there are reference names, the first of whichever are more:

        length_distance                      `rnn_core.metrics.distributions`
        ngram_divergence_1, _2 and _3        the same, for n-grams of so many characters

    Of the first of the sample, NAMES_PLACED or as many as ELEMENTS allow:

        edit_distance_to_training            `.edit_distance`, to the nearest training name: the mean
    """
    count = sample.encoded.count
    compared = min(count, reference.count)
    placed = min(count, DISTANCE_NAMES, max(1, int(MAX_DISTANCE_ELEMENTS // learnt.neighbours.elements)))
    left, right = (each.take(np.arange(compared)) for each in (sample.encoded, reference))
    distances = []
    for distance in learnt.neighbours.distances(sample.encoded.take(np.arange(placed))):
        distances.append(distance)
        pause()
    found = [
        MetricValue("uniqueness", uniqueness(sample.written), count),
        MetricValue("novelty", novelty(sample.written, learnt.names), count),
        MetricValue("word_novelty", novelty(words(sample.written), learnt.words), count),
        MetricValue("length_distance", length_distance(left, right), compared),
        *(MetricValue(f"ngram_divergence_{n}", ngram_divergence(left, right, n), compared) for n in NGRAMS),
        MetricValue(DISTANCE, sum(distances) / placed if placed else math.nan, placed),
    ]
    return [figure for figure in found if not math.isnan(figure.value)]


def halves(names: Sequence[str], rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows of two halves drawn at random, in random order. Equal names stand in one half.

    The halves are of one size if no names are equal and their number is even.
    """
    ids: dict[str, int] = {}
    name_ids = np.array([ids.setdefault(name, len(ids)) for name in names], np.int64)
    in_first = rng.permutation(len(ids)) < len(ids) // 2
    rows = rng.permutation(len(names))
    chosen = in_first[name_ids[rows]]
    return rows[chosen], rows[~chosen]


def _ratio(drawn: Sequence[MetricValue], real: Sequence[MetricValue]) -> list[MetricValue]:
    pairs = [(a, b) for a in drawn for b in real if a.metric == b.metric == DISTANCE and b.value > 0]
    return [MetricValue(DISTANCE_RATIO, a.value / b.value, a.names) for a, b in pairs]
