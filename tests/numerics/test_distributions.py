"""Distances between sets of names: by their lengths and by their n-grams."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.metrics.distributions import jensen_shannon, length_distance, ngram_divergence
from rnn_core.text.names import EncodedNames

NAMES = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=12)
SHARES = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any).map(lambda n: np.array(n) / sum(n))


def transported(left, right):
    """By moving each of the shortest names that are left to a place among the shortest that are right."""
    copies = math.lcm(len(left), len(right))
    pairs = zip(
        *(
            sorted(len(name) for name in names for _ in range(copies // len(names)))
            for names in (left, right)
        ),
        strict=True,
    )
    return Fraction(sum(abs(a - b) for a, b in pairs), copies)


def grams(names, length):
    """n-grams of each name between end tokens, counted."""
    padded = [(*[0] * length, *name, 0) for name in names]
    return Counter(name[end - length + 1 : end + 1] for name in padded for end in range(length, len(name)))


def divergence(left, right):
    """As the mean of two relative entropies, to the mean of the two distributions."""
    total = 0.0
    for one, other in ((left, right), (right, left)):
        for gram, count in one.items():
            p, q = count / one.total(), other[gram] / other.total()
            total += p * math.log2(p / ((p + q) / 2)) / 2
    return total


@settings(deadline=None)
@given(left=NAMES, right=NAMES)
def test_the_length_distance_is_the_least_change_of_lengths(left, right):
    measured = length_distance(EncodedNames.from_lists(left), EncodedNames.from_lists(right))
    assert measured == pytest.approx(float(transported(left, right)), abs=1e-12)


@settings(deadline=None)
@given(left=NAMES, right=NAMES, length=st.integers(1, 3))
def test_the_ngram_divergence_is_that_of_counted_ngrams(left, right, length):
    measured = ngram_divergence(EncodedNames.from_lists(left), EncodedNames.from_lists(right), length)
    assert measured == pytest.approx(divergence(grams(left, length), grams(right, length)), abs=1e-12)


@given(p=SHARES, q=SHARES)
def test_a_divergence_is_symmetric_and_lies_between_0_and_1(p, q):
    assert 0.0 <= jensen_shannon(p, q) <= 1.0 + 1e-12
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p), abs=1e-12)
    assert jensen_shannon(p, p) == 0.0


def test_names_without_an_ngram_in_common_are_one_bit_apart():
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
    left, right = EncodedNames.from_lists([[1, 2]]), EncodedNames.from_lists([[3, 3, 3]])
    assert ngram_divergence(left, right, 3) == pytest.approx(1.0)


def test_the_last_characters_of_unicode_make_ngrams_of_their_own():
    last = 0x10FFFF + 1
    left, right = (EncodedNames.from_lists([[last, last, token]]) for token in (last, last - 1))
    assert ngram_divergence(left, left, 3) == 0.0
    assert ngram_divergence(left, right, 3) > 0.4


def test_of_no_names_there_is_no_distance():
    some, nobody = EncodedNames.from_lists([[1]]), EncodedNames.from_lists([])
    for left, right in ((some, nobody), (nobody, some), (nobody, nobody)):
        assert math.isnan(length_distance(left, right))
        assert math.isnan(ngram_divergence(left, right, 2))
