"""The Kneser-Ney baseline."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.ngram import kneser_ney
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.text.names import EncodedNames

WORDS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=12)


def textbook(words, order, discounts, vocabulary_size):
    """P(c | context) by dictionaries and recursion, straight from the formula.

    discounts:  [length - 1][0, 1, 2] of n-grams counted once, twice, more often.
    """
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
        taken = [discounts[len(context)][min(c, 3) - 1] if c else 0 for c in counts]
        return (counts[character] - taken[character] + sum(taken) * shorter) / sum(counts)

    return probability


def after(model, beginnings):
    """(N, V) the probability of every character after each beginning, all read side by side."""
    found = np.zeros((len(beginnings), model.vocabulary_size))
    state = model.initial_state(len(beginnings))
    for place in range(max(map(len, beginnings)) + 1):
        read = [[0, *beginning, *[1] * place][place] for beginning in beginnings]
        state = model.advance(np.array(read), state)
        probabilities = model.distributions(state, len(beginnings))
        ends = [len(beginning) == place for beginning in beginnings]
        found[ends] = probabilities[ends]
    return found


@settings(max_examples=40, deadline=None)
@given(
    words=WORDS,
    beginnings=st.lists(st.lists(st.integers(1, 5), max_size=6), min_size=1, max_size=6),
    order=st.integers(1, 5),
)
def test_the_baseline_follows_its_formula(words, beginnings, order):
    model = KneserNey.fit(EncodedNames.from_lists(words), 6, order=order, discount=0.7)
    assert_follows_the_formula(model, words, beginnings, order, np.full((order, 3), 0.7))


@settings(max_examples=40, deadline=None)
@given(
    words=WORDS,
    beginnings=st.lists(st.lists(st.integers(1, 5), max_size=6), min_size=1, max_size=6),
    order=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_three_discounts_of_each_length_follow_their_formula(words, beginnings, order, seed):
    discounts = np.random.default_rng(seed).uniform(0.01, 0.99, (order, 3)) * [1, 2, 3]
    model = KneserNey.fit(EncodedNames.from_lists(words), 6, order=order)
    model = model.with_discounts(discounts[: len(model.levels)])
    assert_follows_the_formula(model, words, beginnings, order, discounts)


def assert_follows_the_formula(model, words, beginnings, order, discounts):
    expected = textbook(words, order, discounts, 6)
    for beginning, ours in zip(beginnings, after(model, beginnings), strict=True):
        text = (0, *beginning)
        context = text[max(0, len(text) - order + 1) :]
        np.testing.assert_allclose(ours, [expected(context, c) for c in range(6)], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(words=WORDS, beginnings=st.lists(st.lists(st.integers(1, 9), max_size=8), min_size=1, max_size=8))
def test_the_probabilities_of_what_comes_next_sum_to_one(words, beginnings):
    model = KneserNey.fit(EncodedNames.from_lists(words), 10)
    model = model.with_discounts(np.linspace(0.01, 0.99, len(model.levels))[:, np.newaxis] * [1, 2, 3])
    probabilities = after(model, beginnings)
    assert probabilities.shape == (len(beginnings), 10)
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(words=WORDS, asked=WORDS, order=st.integers(1, 6))
def test_a_name_is_as_probable_as_its_characters_one_after_another(words, asked, order):
    model = KneserNey.fit(EncodedNames.from_lists(words), 5, order=order)
    names = EncodedNames.from_lists(asked)
    steps = [
        np.log(after(model, [word[:end] for end in range(len(word) + 1)])[range(len(word) + 1), [*word, 0]])
        for word in asked
    ]
    np.testing.assert_allclose(model.character_log_probabilities(names), np.concatenate(steps), atol=1e-12)
    np.testing.assert_allclose(model.log_probabilities(names), [each.sum() for each in steps], rtol=1e-12)


def test_longer_contexts_predict_held_out_names_better_than_letters_alone():
    rng = np.random.default_rng(0)
    syllables = [rng.integers(1, 20, 3).tolist() for _ in range(30)]
    words = [
        [letter for i in rng.integers(0, 30, rng.integers(1, 4)) for letter in syllables[i]]
        for _ in range(600)
    ]
    training, held_out = EncodedNames.from_lists(words[:500]), EncodedNames.from_lists(words[500:])
    costs = [
        mean_nats_per_character(
            KneserNey.fit(training, 20, order=order).log_probabilities(held_out), held_out
        )
        for order in (1, 2, 4)
    ]
    assert costs[2] < costs[1] < costs[0] < math.log(20)


def test_names_are_scored_alike_in_one_part_and_in_many(monkeypatch):
    rng = np.random.default_rng(1)
    names = EncodedNames.from_lists(rng.integers(1, 9, length) for length in rng.integers(1, 12, 200))
    model = KneserNey.fit(names, 9)
    whole = model.log_probabilities(names)
    monkeypatch.setattr(kneser_ney, "ROWS_AT_ONCE", 10)
    assert model.log_probabilities(names).tobytes() == whole.tobytes()
    assert model.log_probabilities(names.take(np.arange(0))).shape == (0,)


@settings(max_examples=20, deadline=None)
@given(words=WORDS, order=st.integers(1, 6))
def test_a_model_comes_back_from_its_arrays_as_it_was(words, order):
    model = KneserNey.fit(EncodedNames.from_lists(words), 6, order=order, discount=0.6)
    again = KneserNey.from_arrays(model.to_arrays())
    beginnings = [word[:2] for word in words]
    assert after(again, beginnings).tobytes() == after(model, beginnings).tobytes()
    assert again.discounts.tobytes() == model.discounts.tobytes()


def test_a_file_with_one_discount_for_all_gives_the_model_that_it_gave():
    model = KneserNey.fit(EncodedNames.from_lists([[1, 2, 3], [2, 2, 1], [3, 1]]), 4, order=3, discount=0.6)
    arrays = model.to_arrays()
    del arrays["ngrams.discounts"]
    again = KneserNey.from_arrays({**arrays, "ngrams.discount": np.array(0.6)})
    for ours, theirs in zip(again.levels, model.levels, strict=True):
        assert ours.seen.tobytes() == theirs.seen.tobytes()
        assert ours.left.tobytes() == theirs.left.tobytes()
    with pytest.raises(DataError, match=r"model\.arrays"):
        KneserNey.from_arrays({**arrays, "ngrams.discount": np.array(1.0)})


def replaced(name, change):
    return lambda arrays: arrays.update({f"ngrams.{name}": change(arrays[f"ngrams.{name}"])})


DAMAGE = {
    "nothing at all": lambda arrays: arrays.clear(),
    "a level is missing": lambda arrays: [arrays.pop(f"ngrams.2.{part}") for part in ("codes", "counts")],
    "an unknown array": lambda arrays: arrays.update({"ngrams.1.total": np.zeros(1)}),
    "no vocabulary size": lambda arrays: arrays.pop("ngrams.vocabulary_size"),
    "a vocabulary of one": replaced("vocabulary_size", lambda _: np.array(1)),
    "another vocabulary": replaced("vocabulary_size", lambda size: size + 1),
    "a size in a vector": replaced("vocabulary_size", np.atleast_1d),
    "a discount that is no number": replaced("discounts", lambda discounts: discounts * np.nan),
    "a discount of all that is counted": replaced("discounts", lambda discounts: np.ones_like(discounts)),
    "discounts of fewer levels": replaced("discounts", lambda discounts: discounts[1:]),
    "a discount and discounts": lambda arrays: arrays.update({"ngrams.discount": np.array(0.5)}),
    "objects": replaced("discounts", lambda _: np.array(None)),
    "fewer counts than n-grams": replaced("2.counts", lambda counts: counts[1:]),
    "an empty level": lambda arrays: arrays.update(
        {f"ngrams.3.{part}": np.zeros(0, np.int64) for part in ("codes", "counts")}
    ),
    "codes in a matrix": replaced("2.codes", lambda codes: codes[:, np.newaxis]),
    "codes of another type": replaced("2.codes", lambda codes: codes.astype(np.float64)),
    "codes not sorted": replaced("2.codes", lambda codes: codes[::-1].copy()),
    "an n-gram twice": replaced("2.codes", lambda codes: np.maximum(codes, codes[1])),
    "a context that there is not": replaced("3.codes", lambda codes: codes + 10_000),
    "a code below zero": replaced("2.codes", lambda codes: codes - codes[-1]),
    "a count of zero": replaced("3.counts", lambda counts: counts * 0),
    "a count below zero": replaced("1.counts", lambda counts: counts - 1000),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_arrays_that_are_not_an_ngram_model_are_refused(damage):
    words = EncodedNames.from_lists([[1, 2, 3], [2, 2, 1], [3, 1]])
    arrays = KneserNey.fit(words, 4, order=3).to_arrays()
    KneserNey.from_arrays(arrays)
    damage(arrays)
    with pytest.raises(DataError, match=r"model\.arrays"):
        KneserNey.from_arrays(arrays)


@pytest.mark.parametrize("wrong", [{"order": 0}, {"discount": 0.0}, {"discount": 1.0}])
def test_an_order_or_a_discount_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError):
        KneserNey.fit(EncodedNames.from_lists([[1, 2]]), 3, **wrong)
