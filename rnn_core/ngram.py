"""The baseline: an interpolated Kneser-Ney n-gram model of characters.

    P(c | context) = (max(count(context c) - d, 0) + d kinds(context) P(c | context without its first))
                     / sum_c' count(context c')

kinds(context) is how many different characters were seen after it. For the longest n-grams, and for those
that begin a name, `count` is how often they occur; for all others it is how many different characters they
were seen after. Below the single character, all are equally probable. A context that was never seen says
nothing and leaves it to the shorter one.

Source: R. Kneser & H. Ney, "Improved backing-off for m-gram language modeling", ICASSP (1995); interpolated
as in S. F. Chen & J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer
Speech & Language 13 (1999).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.batching import Stream
from rnn_core.names import EncodedNames
from rnn_core.ranges import out_of_range
from rnn_core.scoring import check_tokens
from rnn_core.vocabulary import END_TOKEN

ROWS_AT_ONCE = 1 << 18  # bounds the memory of scoring
UNSEEN = -1

Indices = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


class Level(NamedTuple):
    """All n-grams of one length that were seen. An n-gram's id is its place in `codes`.

    codes:   (G,) sorted; id of the context in the level below, times vocabulary size, plus last character.
    counts:  (G,)
    totals:  counts summed over each context, by its id.
    kinds:   how many characters came after each context, by its id.
    """

    codes: Indices
    counts: Probabilities
    totals: Probabilities
    kinds: Probabilities

    def find(self, codes: Indices) -> Indices:
        """Ids, or UNSEEN."""
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[places] == codes, places, UNSEEN)


class Rows(NamedTuple):
    """Names as in `batching`, name after name: what is read, what comes next, how far into the name."""

    tokens: Indices
    targets: Indices
    places: Indices

    @classmethod
    def of(cls, names: EncodedNames) -> "Rows":
        stream = Stream.of(names)
        places = np.arange(len(stream.tokens) - 1) - np.repeat(stream.starts, stream.rows)
        return cls(stream.tokens[:-1], stream.tokens[1:], places)


@dataclass(frozen=True, slots=True)
class KneserNey:
    """A fitted model. `levels[k - 1]` holds the n-grams of k characters; the first knows every character.

    There are no levels for n-grams longer than any name.
    """

    vocabulary_size: int
    discount: float
    levels: tuple[Level, ...]

    @classmethod
    def fit(
        cls, training: EncodedNames, vocabulary_size: int, order: int = 6, discount: float = 0.85
    ) -> "KneserNey":
        """order: characters of the longest n-gram, the one that is predicted among them.

        Raises ConfigError for an order below 1 or a discount outside of 0 to 1, DataError for a token that is
        not in the vocabulary.
        """
        if order < 1:
            raise out_of_range("order", "1 or above", order)
        if not 0.0 < discount < 1.0:
            raise out_of_range("discount", "above 0 and below 1", discount)
        check_tokens(training, vocabulary_size)
        rows = Rows.of(training)
        codes = np.arange(vocabulary_size)
        grams = rows.targets  # id of the n-gram that ends with each row's target
        occurrences = np.bincount(grams, minlength=vocabulary_size)
        levels: list[Level] = []
        for length in range(2, order + 1):
            contexts = _contexts(rows, grams, length - 1)
            complete = np.flatnonzero(contexts != UNSEEN)
            if not len(complete):
                break  # no name is that long
            longer_codes, first, longer, longer_occurrences = np.unique(
                contexts[complete] * vocabulary_size + rows.targets[complete],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            seen_after = np.bincount(grams[complete[first]], minlength=len(codes))
            counts = np.where(seen_after > 0, seen_after, occurrences)  # nothing stands before a beginning
            levels.append(_level(codes, counts, vocabulary_size, contexts_below=_size(levels)))
            codes, occurrences = longer_codes, longer_occurrences
            grams = np.full(len(rows.tokens), UNSEEN)
            grams[complete] = longer
        levels.append(_level(codes, occurrences, vocabulary_size, contexts_below=_size(levels)))
        return cls(vocabulary_size, discount, tuple(levels))

    def log_probabilities(self, names: EncodedNames) -> Probabilities:
        """(N,) the log-probability of each name in nats, the end token included.

        Raises DataError for a token that is not in the vocabulary.
        """
        check_tokens(names, self.vocabulary_size)
        parts = [np.zeros(0)]
        for some in _in_parts(names):
            rows = Rows.of(some)
            costs = np.log(self._probabilities(self._all_contexts(rows), rows.targets))
            parts.append(np.add.reduceat(costs, np.flatnonzero(rows.places == 0)))
        return np.concatenate(parts)

    def next_probabilities(self, beginnings: EncodedNames) -> Probabilities:
        """(N, V) the probability of every character after each beginning, which may be empty."""
        check_tokens(beginnings, self.vocabulary_size)
        last = np.cumsum(beginnings.lengths + 1) - 1
        contexts = [ids[last, np.newaxis] for ids in self._all_contexts(Rows.of(beginnings))]
        return self._probabilities(contexts, np.arange(self.vocabulary_size))

    def _all_contexts(self, rows: Rows) -> list[Indices]:
        """For each length from 0 up, the id of the context of that length at every row, or UNSEEN."""
        contexts = [np.zeros_like(rows.tokens)]
        grams = rows.targets
        for length, level in enumerate(self.levels[1:], start=1):
            contexts.append(_contexts(rows, grams, length))
            known = contexts[-1] != UNSEEN
            grams = np.full(len(rows.tokens), UNSEEN)
            grams[known] = level.find(contexts[-1][known] * self.vocabulary_size + rows.targets[known])
        return contexts

    def _probabilities(self, contexts: list[Indices], characters: Indices) -> Probabilities:
        """Of each character after its context; contexts of each length broadcast against the characters."""
        shape = np.broadcast_shapes(contexts[0].shape, characters.shape)
        probability = np.full(shape, 1.0 / self.vocabulary_size)
        for level, ids in zip(self.levels, contexts, strict=True):
            totals = np.where(ids != UNSEEN, level.totals[ids], 0.0)
            grams = level.find(ids * self.vocabulary_size + characters)
            counts = np.where(grams != UNSEEN, level.counts[grams], 0.0)
            left_over = self.discount * level.kinds[ids]
            with np.errstate(invalid="ignore", divide="ignore"):  # contexts without a total are not taken
                mixed = (np.maximum(counts - self.discount, 0.0) + left_over * probability) / totals
            probability = np.where(totals > 0, mixed, probability)
        return probability


def _contexts(rows: Rows, grams: Indices, length: int) -> Indices:
    """The id of the n-gram of `length` characters that ends with what each row reads, or UNSEEN.

    grams:  the id of the n-gram of that length that ends with each row's target, or UNSEEN.
    """
    contexts = np.concatenate([[UNSEEN], grams[:-1]])
    contexts[rows.places < length - 1] = UNSEEN  # the name is not that long yet
    if length == 1:
        contexts[rows.places == 0] = END_TOKEN
    return contexts


def _level(codes: Indices, counts: Indices, vocabulary_size: int, contexts_below: int) -> Level:
    contexts = codes // vocabulary_size
    return Level(
        codes=codes,
        counts=counts.astype(np.float64),
        totals=np.bincount(contexts, weights=counts, minlength=contexts_below).astype(np.float64),
        kinds=np.bincount(contexts, weights=counts > 0, minlength=contexts_below).astype(np.float64),
    )


def _size(levels: list[Level]) -> int:
    return len(levels[-1].codes) if levels else 1  # below the first there is one context, the empty one


def _in_parts(names: EncodedNames) -> Iterator[EncodedNames]:
    """Runs of whole names of some 260,000 rows each."""
    ends = names.offsets[1:] + np.arange(1, names.count + 1)
    start = 0
    while start < names.count:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + ROWS_AT_ONCE, side="right")))
        yield names.take(np.arange(start, stop))
        start = stop
