"""The baseline: an interpolated Kneser-Ney n-gram model of characters.

    P(c | context) = (max(count(context c) - d, 0) + d kinds(context) P(c | context without its first))
                     / sum_c' count(context c')

kinds(context) is how many different characters were seen after it. For the longest n-grams, and for those
that begin a name, `count` is how often they occur; for all others it is how many different characters they
were seen after. Below the single character, all are equally probable. A context that was never seen defers to
the shorter one.

Source: R. Kneser & H. Ney, "Improved backing-off for m-gram language modeling", ICASSP (1995); interpolated
as in S. F. Chen & J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer
Speech & Language 13 (1999).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.resampling import MIDPOINT, systematic_resample
from rnn_core.metrics.scoring import OnScored, check_tokens, split_by_rows, sum_per_name
from rnn_core.state_dict import Layout, Layouts, invalid_arrays
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.validators import ValidatedConfig, between, whole

_invalid = partial(invalid_arrays, "n-gram model", "fit it again")

DISCOUNT_RANGE = 0.001, 0.999  # nearer to 0 or 1, some probabilities would be rounding errors
ORDER, DISCOUNT = 6, 0.85  # within 0.004 nats per character of the best for the bundled lists
ROWS_AT_ONCE = 1 << 18  # bounds the memory of scoring
UNSEEN = -1  # as an index: the last element, behind those of the n-grams that were seen

Indices = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
ContextIds = tuple[Indices, ...]


@dataclass(frozen=True, slots=True)
class NgramConfig(ValidatedConfig):
    """The n-gram model beside the network, and in the mixture.

    Attributes:
        order: Characters in an n-gram, including the predicted one.
        discount: Kneser-Ney discount, from 0.001 to 0.999.
    """

    order: Annotated[int, whole(1, 64)] = ORDER
    discount: Annotated[float, between(*DISCOUNT_RANGE)] = DISCOUNT


class NgramLevel(NamedTuple):
    """All G n-grams of one length that were seen, and their K contexts.

    An n-gram's id is its index in `codes`; those with one context are adjacent.

    codes:   (G,) sorted; id of the context in the level below, times vocabulary size, plus last character.
    counts:  (G,)
    seen:    (G + 1,) an n-gram's own part of its probability, (count - d) / total; 0 for UNSEEN.
    left:    (K + 1,) what a context leaves to the shorter one, d kinds / total; 1 for UNSEEN.
    first:   (K + 1,) the first n-gram of a context.
    kinds:   (K + 1,) how many n-grams a context has; 0 for UNSEEN.
    """

    codes: Indices
    counts: Indices
    seen: Probabilities
    left: Probabilities
    first: Indices
    kinds: Indices

    @classmethod
    def from_counts(
        cls, codes: Indices, counts: Indices, contexts: int, vocabulary_size: int, discount: float
    ) -> "NgramLevel":
        """The level of these n-grams and their counts; `contexts` is K."""
        context = codes // vocabulary_size
        totals = np.bincount(context, counts, minlength=contexts)
        counted = np.bincount(context, counts > 0, minlength=contexts)  # some counts of the first level are 0
        kinds = np.bincount(context, minlength=contexts)
        seen = np.maximum(counts - discount, 0.0) / np.maximum(totals, 1.0)[context]
        left = np.where(totals > 0, discount * counted / np.maximum(totals, 1.0), 1.0)
        return cls(
            codes,
            counts,
            seen=np.append(seen, 0.0),
            left=np.append(left, 1.0),
            first=np.append(np.cumsum(kinds) - kinds, 0),
            kinds=np.append(kinds, 0),
        )

    def find(self, codes: Indices) -> Indices:
        """The ids of n-grams with these codes, or UNSEEN."""
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[places] == codes, places, UNSEEN)


class NgramRows(NamedTuple):
    """The characters of names, as in `batching`, name after name.

    tokens:   (C + N,) the character read.
    targets:  (C + N,) the next one.
    places:   (C + N,) how far into the name.
    """

    tokens: Indices
    targets: Indices
    places: Indices

    @classmethod
    def from_names(cls, names: EncodedNames) -> "NgramRows":
        """The rows of these names, end tokens included."""
        stream = BatchStream.from_names(names.without_styles())
        places = np.arange(len(stream.tokens) - 1) - np.repeat(stream.starts, stream.rows)
        return cls(stream.tokens[:-1], stream.tokens[1:], places)


@dataclass(frozen=True, slots=True, eq=False)
class KneserNey:
    """A fitted model: `levels[k - 1]` holds the n-grams of k characters, the first every character.

    There are no levels for n-grams longer than any name.
    """

    vocabulary_size: int
    discount: float
    levels: tuple[NgramLevel, ...]

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
        counted: list[tuple[Indices, Indices]] = []
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
            # Nothing comes before the first n-gram of a name, so its occurrences count.
            counted.append((codes, np.where(seen_after > 0, seen_after, occurrences)))
            codes, occurrences = longer_codes, longer_occurrences
            grams = np.full(len(rows.tokens), UNSEEN)
            grams[complete] = longer
        counted.append((codes, occurrences))
        return cls._from_counts(counted, vocabulary_size, discount)

    @classmethod
    def _from_counts(
        cls, counted: list[tuple[Indices, Indices]], vocabulary_size: int, discount: float
    ) -> "KneserNey":
        """The model of the codes and counts of every level."""
        contexts = [1, *(len(codes) for codes, _ in counted)]  # nothing comes before one character
        levels = (
            NgramLevel.from_counts(codes, counts, below, vocabulary_size, discount)
            for (codes, counts), below in zip(counted, contexts, strict=False)
        )
        return cls(vocabulary_size, discount, tuple(levels))

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
            contexts = _contexts(rows, grams, length)
        np.log(probability, out=probability)
        return probability

    def initial_state(self, count: int) -> ContextIds:
        """The contexts before the first character: ids of those of 1, 2, ... characters, (count,) each."""
        return tuple(np.full(count, UNSEEN) for _ in self.levels[1:])

    def step(self, tokens: Integers, state: ContextIds) -> tuple[Probabilities, ContextIds]:
        """The probability of every next character, (B, V), and the next state, after reading tokens (B,).

        Names begin with the end token.
        """
        empty = np.zeros(len(tokens), np.int64)
        state = tuple(
            level.find(shorter * self.vocabulary_size + tokens)
            for level, shorter in zip(self.levels, (empty, *state), strict=True)
        )[: len(state)]
        first = self.levels[0]
        unigrams = first.left[0] / self.vocabulary_size + first.seen[:UNSEEN]
        probabilities = np.tile(unigrams, (len(tokens), 1))
        for level, contexts in zip(self.levels[1:], state, strict=True):
            probabilities *= level.left[contexts][:, np.newaxis]
            kinds = level.kinds[contexts]
            skipped = level.first[contexts] - (np.cumsum(kinds) - kinds)
            grams = np.arange(kinds.sum()) + np.repeat(skipped, kinds)
            # A code holds its context and the character; the name takes the place of the context.
            shifts = np.repeat((np.arange(len(tokens)) - contexts) * self.vocabulary_size, kinds)
            probabilities.reshape(-1)[level.codes[grams] + shifts] += level.seen[grams]
        return probabilities, state

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies by name: vocabulary size, discount, codes and counts of every level, as `ngrams.2.codes`."""
        arrays: dict[str, npt.NDArray[Any]] = {
            _SIZE: np.array(self.vocabulary_size, np.int64),
            _DISCOUNT: np.array(self.discount, np.float64),
        }
        for length, level in enumerate(self.levels, start=1):
            arrays[_name(length, "codes")] = level.codes.copy()
            arrays[_name(length, "counts")] = level.counts.copy()
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "KneserNey":
        """The model that `to_arrays` gave.

        Raises DataError for invalid arrays: names missing or unknown, a shape, type or number out of range,
        codes that are unsorted or have an unknown context.
        """
        levels = check_layout(arrays)
        size = _number(arrays, _SIZE, 2, 1 << 31)
        discount = _number(arrays, _DISCOUNT, *DISCOUNT_RANGE)
        counted: list[tuple[Indices, Indices]] = []
        for length in range(1, levels + 1):
            codes, counts = (arrays[_name(length, part)].copy() for part in ("codes", "counts"))
            contexts = len(counted[-1][0]) if counted else 1
            _check_level(length, codes, counts, contexts, int(size))
            counted.append((codes, counts))
        return cls._from_counts(counted, int(size), float(discount))


def check_layout(arrays: Layouts, vocabulary_size: int = 0) -> int:
    """The number of levels of an n-gram model in arrays of these types and shapes.

    vocabulary_size:  if it is known from elsewhere, else 0.

    Raises DataError as `KneserNey.from_arrays` does, but for their values, which are not looked at.
    """
    levels = (len(arrays) - 2) // 2
    names = [[_name(length, part) for part in ("codes", "counts")] for length in range(1, levels + 1)]
    if set(arrays) != {_SIZE, _DISCOUNT, *chain(*names)} or not levels:
        raise _invalid("missing or unknown arrays", "", f"names {', '.join(sorted(arrays))}")
    for name, dtype in ((_SIZE, np.int64), (_DISCOUNT, np.float64)):
        if arrays[name].dtype != dtype or arrays[name].shape != ():
            raise _invalid(f"it must be one {np.dtype(dtype)}", name, _layout(arrays[name]))
    size = most = vocabulary_size
    for codes, counts in names:
        for name in (codes, counts):
            if arrays[name].dtype != np.int64 or arrays[name].ndim != 1:
                raise _invalid("it must be a vector of int64", name, _layout(arrays[name]))
        count = arrays[codes].shape[0]
        if arrays[counts].shape != (count,) or not count:
            saw = f"{count} n-grams, {arrays[counts].shape[0]} counts"
            raise _invalid("every n-gram must have one count", codes, saw)
        size = size or count  # the first level has every character
        if most and count > most:
            raise _invalid(f"there are at most {most} such n-grams", codes, f"{count}")
        most = count * size
    return levels


def _layout(array: Layout) -> str:
    return f"{array.dtype} of shape {array.shape}"


_SIZE, _DISCOUNT = "ngrams.vocabulary_size", "ngrams.discount"


def _name(length: int, part: str) -> str:
    return f"ngrams.{length}.{part}"


def _number(arrays: Mapping[str, npt.NDArray[Any]], name: str, lowest: float, highest: float) -> float:
    array = arrays[name]
    if not lowest <= array <= highest:
        raise _invalid(f"it must lie from {lowest} to {highest}", name, f"{array}")
    return array.item()  # type: ignore[no-any-return]


def _check_level(length: int, codes: Indices, counts: Indices, contexts: int, size: int) -> None:
    where = _name(length, "codes")
    if length == 1 and len(codes) != size:
        raise _invalid("the first level must have every character", where, f"{len(codes)} of {size}")
    if not (codes[0] >= 0 and codes[-1] < contexts * size and (np.diff(codes) > 0).all()):
        raise _invalid(
            f"codes must ascend from 0 to below {contexts * size}", where, f"{codes[:3]} to {codes[-1]}"
        )
    if counts.min() < (0 if length == 1 else 1) or counts.max() > 1 << 53:
        raise _invalid(
            "a count is out of range", _name(length, "counts"), f"{counts.min()} to {counts.max()}"
        )


def _contexts(rows: NgramRows, grams: Indices, length: int) -> Indices:
    """The id of the n-gram of `length` characters that ends with what each row reads, or UNSEEN.

    grams:  the id of the n-gram of that length that ends with each row's target, or UNSEEN.
    """
    contexts = np.concatenate([[UNSEEN], grams[:-1]])
    contexts[rows.places < length - 1] = UNSEEN  # the name is not that long yet
    if length == 1:
        contexts[rows.places == 0] = END_TOKEN
    return contexts
