"""The baseline: an interpolated Kneser-Ney n-gram model of characters, with modified discounts.

    P(c | context) = (max(n - d(n), 0) + left P(c | context without its first)) / sum_c' count(context c')
    n = count(context c),   left = sum_c' d(count(context c'))

The discount d depends on the length of the n-gram and on the count: D1, D2, or D3 for 3 and more; d(0) is
0. For the longest n-grams, and for those that begin a name, `count` is how often they occur; for all others
it is how many different characters they were seen after. Below the single character, all are equally
probable. A context that was never seen defers to the shorter one.

Source: R. Kneser & H. Ney, "Improved backing-off for m-gram language modeling", ICASSP (1995); interpolated,
and with three discounts, as in S. F. Chen & J. Goodman, "An empirical study of smoothing techniques for
language modeling", Computer Speech & Language 13 (1999).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.batching.resampling import MIDPOINT, systematic_resample
from rnn_core.metrics.scoring import OnScored, check_tokens, split_by_rows, sum_per_name
from rnn_core.ngram import stored
from rnn_core.ngram.levels import (
    CLASSES,
    DISCOUNT_RANGE,
    UNSEEN,
    Counted,
    Discounts,
    NgramLevel,
    NgramRows,
    Probabilities,
)
from rnn_core.ngram.walk import ContextIds, ContextWalk
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.validators import ValidatedConfig, between, whole

ORDER, DISCOUNT = 8, 0.85
ROWS_AT_ONCE = 1 << 18  # bounds the memory of scoring


@dataclass(frozen=True, slots=True)
class NgramConfig(ValidatedConfig):
    """The n-gram model beside the network, and in the mixture.

    Attributes:
        order: Characters in an n-gram, including the predicted one.
        discount: Kneser-Ney discount of all n-grams, from 0.001 to 0.999. Default: three for each length,
            for n-grams counted once, twice and more often, fitted on the validation names; 0.85 if there
            are none.
    """

    order: Annotated[int, whole(1, 64)] = ORDER
    discount: Annotated[float | None, between(*DISCOUNT_RANGE)] = None


@dataclass(frozen=True, slots=True, eq=False)
class KneserNey(ContextWalk):
    """A fitted model: `levels[k - 1]` holds the n-grams of k characters, the first every character.

    There are no levels for n-grams longer than any name.

    discounts:  (K, 3) of the K levels: D1, D2 and D3.
    """

    vocabulary_size: int
    discounts: Discounts
    levels: tuple[NgramLevel, ...]

    @property
    def order(self) -> int:
        """The characters of the longest n-gram."""
        return len(self.levels)

    @property
    def counts(self) -> list[int]:
        """How many n-grams of each length there are, from one character on."""
        return [len(level.codes) for level in self.levels]

    @classmethod
    def fit(
        cls, training: EncodedNames, vocabulary_size: int, order: int = ORDER, discount: float = DISCOUNT
    ) -> "KneserNey":
        """The model of these names; order: characters of the longest n-gram, the predicted one included.

        Names with weights are counted as often as `resampling` repeats them, because the discount needs
        integer counts. So a light name may not be counted.

        Raises ConfigError for an invalid order or discount, DataError for a token that is
        not in the vocabulary.
        """
        NgramConfig(order, discount)
        check_tokens(training, vocabulary_size)
        if training.weights is not None:
            training = training.take(systematic_resample(training.weights, MIDPOINT))
        rows = NgramRows.from_names(training)
        codes = np.arange(vocabulary_size)
        grams = rows.targets  # id of the n-gram that ends with each row's target
        occurrences = np.bincount(grams, minlength=vocabulary_size)
        counted: Counted = []
        for length in range(2, order + 1):
            contexts = rows.contexts(grams, length - 1)
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
            # Nothing comes before the first n-gram of a name, so its occurrences count.
            counted.append((codes, np.where(seen_after > 0, seen_after, occurrences)))
            codes, occurrences = longer_codes, longer_occurrences
            grams = np.full(len(rows.tokens), UNSEEN)
            grams[complete] = longer
        counted.append((codes, occurrences))
        return cls._from_counts(vocabulary_size, np.full((len(counted), CLASSES), discount), counted)

    @classmethod
    def _from_counts(cls, vocabulary_size: int, discounts: Discounts, counted: Counted) -> "KneserNey":
        """The model of the codes and counts of every level."""
        contexts = [1, *(len(codes) for codes, _ in counted)]  # nothing comes before one character
        levels = (
            NgramLevel.from_counts(codes, counts, below, vocabulary_size, of_level)
            for (codes, counts), below, of_level in zip(counted, contexts, discounts, strict=False)
        )
        return cls(vocabulary_size, discounts, tuple(levels))

    def with_discounts(self, discounts: Discounts) -> "KneserNey":
        """The model of the same counts with other discounts, (K, CLASSES)."""
        counted = [(level.codes, level.counts) for level in self.levels]
        return self._from_counts(self.vocabulary_size, discounts, counted)

    def character_log_probabilities(self, names: EncodedNames) -> Probabilities:
        """(C + N,) the log-probability of each character in nats, name after name, end tokens included.

        Raises DataError for a token that is not in the vocabulary.
        """
        check_tokens(names, self.vocabulary_size)
        scored = [self._score(NgramRows.from_names(part)) for part in split_by_rows(names, ROWS_AT_ONCE)]
        return np.concatenate([np.zeros(0), *scored])

    def log_probabilities(
        self, names: EncodedNames, on_scored: OnScored = lambda _names: None
    ) -> Probabilities:
        """(N,) the log-probability of each name in nats, the end token included.

        Raises DataError for a token that is not in the vocabulary.
        """
        check_tokens(names, self.vocabulary_size)
        scored = [np.zeros(0)]
        for part in split_by_rows(names, ROWS_AT_ONCE):
            scored.append(sum_per_name(self._score(NgramRows.from_names(part)), part))
            on_scored(part.count)
        return np.concatenate(scored)

    def _score(self, rows: NgramRows) -> Probabilities:
        probability = np.full(len(rows.tokens), 1.0 / self.vocabulary_size)
        contexts = np.zeros_like(rows.tokens)
        for length, level in enumerate(self.levels, start=1):
            grams = level.find(contexts * self.vocabulary_size + rows.targets)
            probability *= level.left[contexts]
            probability += level.seen[grams]
            contexts = rows.contexts(grams, length)
        np.log(probability, out=probability)
        return probability

    def initial_state(self, count: int) -> ContextIds:
        """The contexts before the first character: ids of those of 1, 2, ... characters, (count,) each."""
        return tuple(np.full(count, UNSEEN) for _ in self.levels[1:])

    def advance(self, tokens: Integers, contexts: ContextIds) -> ContextIds:
        """The contexts after reading tokens, (B,). Names begin with the end token, whatever their style."""
        tokens = np.where(tokens < self.vocabulary_size, tokens, END_TOKEN)
        shorter = np.zeros(len(tokens), np.int64), *contexts[:-1]
        return tuple(
            level.find(ids * self.vocabulary_size + tokens)
            for level, ids in zip(self.levels, shorter, strict=False)
        )[: len(contexts)]

    def distributions(self, contexts: ContextIds, count: int) -> Probabilities:
        """The probability of every next character after these contexts, (B, V); count: B."""
        first = self.levels[0]
        unigrams = first.left[0] / self.vocabulary_size + first.seen[:UNSEEN]
        probabilities = np.tile(unigrams, (count, 1))
        for level, ids in zip(self.levels[1:], contexts, strict=True):
            probabilities *= level.left[ids][:, np.newaxis]
            kinds = level.kinds[ids]
            skipped = level.first[ids] - (np.cumsum(kinds) - kinds)
            grams = np.arange(kinds.sum()) + np.repeat(skipped, kinds)
            # A code holds its context and the character; the row takes the place of the context.
            shifts = np.repeat((np.arange(count) - ids) * self.vocabulary_size, kinds)
            probabilities.reshape(-1)[level.codes[grams] + shifts] += level.seen[grams]
        return probabilities

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies by name: vocabulary size, discounts, codes and counts of a level, as `ngrams.2.codes`."""
        counted = [(level.codes, level.counts) for level in self.levels]
        return stored.arrays(self.vocabulary_size, self.discounts, counted)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "KneserNey":
        """The model that `to_arrays` gave, or an earlier version of it, with a single discount.

        Raises DataError for invalid arrays: names missing or unknown, a shape, type or number out of range,
        codes that are unsorted or have an unknown context.
        """
        return cls._from_counts(*stored.contents(arrays))
