"""The Kneser-Ney baseline."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core import ngram
from rnn_core.errors import ConfigError
from rnn_core.names import EncodedNames
from rnn_core.ngram import KneserNey
from rnn_core.scoring import per_character

WORDS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=12)


def by_the_book(words, order, discount, vocabulary_size):
    """P(c | context) by dictionaries and recursion, straight from the formula."""
    occurrences = defaultdict(int)
    before = defaultdict(set)
    for word in words:
        text = (0, *word, 0)
        for end in range(1, len(text)):
            for start in range(max(0, end - order + 1), end + 1):
                gram = text[start : end + 1]
                occurrences[gram] += 1
                if start > 0:
                    before[gram].add(text[start - 1])

    def count(gram):
        begins_a_name = len(gram) > 1 and gram[0] == 0
        return occurrences[gram] if len(gram) == order or begins_a_name else len(before[gram])

    def probability(context, character):
        shorter = probability(context[1:], character) if context else 1 / vocabulary_size
        counts = [count((*context, other)) for other in range(vocabulary_size)]
        if not sum(counts):
            return shorter
        kinds = sum(c > 0 for c in counts)
        return (max(counts[character] - discount, 0) + discount * kinds * shorter) / sum(counts)

    return probability


@settings(max_examples=40, deadline=None)
@given(words=WORDS, beginning=st.lists(st.integers(1, 5), max_size=6), order=st.integers(1, 5))
def test_the_baseline_follows_its_formula(words, beginning, order):
    model = KneserNey.fit(EncodedNames.from_lists(words), 6, order=order, discount=0.7)
    expected = by_the_book(words, order, 0.7, 6)
    text = (0, *beginning)
    context = text[max(0, len(text) - order + 1) :]
    ours = model.next_probabilities(EncodedNames.from_lists([beginning]))[0]
    np.testing.assert_allclose(ours, [expected(context, c) for c in range(6)], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(words=WORDS, beginnings=st.lists(st.lists(st.integers(1, 9), max_size=8), min_size=1, max_size=8))
def test_the_probabilities_of_what_comes_next_sum_to_one(words, beginnings):
    model = KneserNey.fit(EncodedNames.from_lists(words), 10)
    probabilities = model.next_probabilities(EncodedNames.from_lists(beginnings))
    assert probabilities.shape == (len(beginnings), 10)
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(words=WORDS, asked=WORDS, order=st.integers(1, 6))
def test_a_name_is_as_probable_as_its_characters_one_after_another(words, asked, order):
    model = KneserNey.fit(EncodedNames.from_lists(words), 5, order=order)
    ours = model.log_probabilities(EncodedNames.from_lists(asked))
    for word, log_probability in zip(asked, ours, strict=True):
        beginnings = EncodedNames.from_lists(word[:end] for end in range(len(word) + 1))
        steps = model.next_probabilities(beginnings)[np.arange(len(word) + 1), [*word, 0]]
        assert log_probability == pytest.approx(float(np.log(steps).sum()), rel=1e-12)


def test_longer_contexts_predict_held_out_names_better_than_letters_alone():
    rng = np.random.default_rng(0)
    syllables = [rng.integers(1, 20, 3).tolist() for _ in range(30)]
    words = [
        [letter for i in rng.integers(0, 30, rng.integers(1, 4)) for letter in syllables[i]]
        for _ in range(600)
    ]
    training, held_out = EncodedNames.from_lists(words[:500]), EncodedNames.from_lists(words[500:])
    costs = [
        per_character(KneserNey.fit(training, 20, order=order).log_probabilities(held_out), held_out)
        for order in (1, 2, 4)
    ]
    assert costs[2] < costs[1] < costs[0] < math.log(20)


def test_names_are_scored_alike_in_one_part_and_in_many(monkeypatch):
    rng = np.random.default_rng(1)
    names = EncodedNames.from_lists(rng.integers(1, 9, length) for length in rng.integers(1, 12, 200))
    model = KneserNey.fit(names, 9)
    whole = model.log_probabilities(names)
    monkeypatch.setattr(ngram, "ROWS_AT_ONCE", 10)
    assert model.log_probabilities(names).tobytes() == whole.tobytes()
    assert model.log_probabilities(names.take(np.arange(0))).shape == (0,)


@pytest.mark.parametrize("wrong", [{"order": 0}, {"discount": 0.0}, {"discount": 1.0}])
def test_an_order_or_a_discount_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError):
        KneserNey.fit(EncodedNames.from_lists([[1, 2]]), 3, **wrong)
