"""The n-grams of one length that names hold: what was counted, and what Kneser-Ney makes of the counts."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.batching.batches import BatchStream
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

UNSEEN = -1  # as an index: the last element, behind those of the n-grams that were seen
CLASSES = 3  # of counts, each with a discount of its own: 1, 2, and 3 or more
CLASS_COUNTS = np.arange(1.0, CLASSES + 1)  # the smallest count of each class, and so more than its discount
DISCOUNT_RANGE = 0.001, 0.999  # shares of it; nearer to 0 or 1, some probabilities would be rounding errors

Indices = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
Discounts = npt.NDArray[np.float64]
Counted = list[tuple[Indices, Indices]]
"""The codes and the counts of the n-grams of each level."""


class NgramLevel(NamedTuple):
    """All G n-grams of one length that were seen, and their K contexts.

    An n-gram's id is its index in `codes`; those with one context are adjacent.

    codes:   (G,) sorted; id of the context in the level below, times vocabulary size, plus last character.
    counts:  (G,)
    seen:    (G + 1,) an n-gram's own part of its probability, (count - d) / total; 0 for UNSEEN.
    left:    (K + 1,) what a context leaves to the shorter one, the sum of its d / total; 1 for UNSEEN.
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
        cls, codes: Indices, counts: Indices, contexts: int, vocabulary_size: int, discounts: Discounts
    ) -> "NgramLevel":
        """The level of these n-grams and their counts; `contexts` is K, and discounts are (CLASSES,)."""
        context = codes // vocabulary_size
        totals, counted = context_counts(context, counts, contexts)
        kinds = np.bincount(context, minlength=contexts)
        ones, twos, more = discounts
        # Discounts of one value give the very digits of a model with a single discount.
        discounted = (
            more * counted.sum(axis=1) + (ones - more) * counted[:, 0] + (twos - more) * counted[:, 1]
        )
        own = np.maximum(counts - discounts[count_classes(counts)], 0.0)
        seen = own / np.maximum(totals, 1.0)[context]
        left = np.where(totals > 0, discounted / np.maximum(totals, 1.0), 1.0)
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

    def contexts(self, grams: Indices, length: int) -> Indices:
        """The id of the n-gram of `length` characters that ends with what each row reads, or UNSEEN.

        grams:  the id of the n-gram of that length that ends with each row's target, or UNSEEN.
        """
        contexts = np.concatenate([[UNSEEN], grams[:-1]])
        contexts[self.places < length - 1] = UNSEEN  # the name is not that long yet
        if length == 1:
            contexts[self.places == 0] = END_TOKEN
        return contexts


def count_classes(counts: Indices) -> Indices:
    """The class of each count, whose discount it has; 0 for a count of 0, too."""
    return np.clip(counts, 1, CLASSES) - 1


def context_counts(context: Indices, counts: Indices, contexts: int) -> tuple[Probabilities, Indices]:
    """(K,) the sum of the counts of each context, and (K, CLASSES) how many of them each class has.

    Some counts of the first level are 0: they belong to no class.
    """
    totals = np.bincount(context, counts, minlength=contexts).astype(np.float64)
    classes = context * CLASSES + count_classes(counts)
    counted = np.bincount(classes[counts > 0], minlength=contexts * CLASSES)
    return totals, counted.reshape(contexts, CLASSES)
