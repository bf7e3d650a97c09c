"""The discounts of the n-grams, fitted on validation names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.ngram import discounts
from rnn_core.ngram.discounts import EXPECTED, FIRMNESS, fit_discounts, fit_ngrams
from rnn_core.ngram.kneser_ney import KneserNey, NgramConfig
from rnn_core.ngram.newton import Expansion, maximize
from rnn_core.text.names import EncodedNames

CLASSES = np.array([1, 2, 3])


def made_of_syllables(seed, count):
    """Words of one language for every seed, of which some are common."""
    rng = np.random.default_rng(0)
    syllables = [rng.integers(1, 9, 3).tolist() for _ in range(20)]
    rng = np.random.default_rng(seed)
    picks = (20 * rng.random((count, 2)) ** 2).astype(int)
    return EncodedNames.from_lists([*syllables[a], *syllables[b]] for a, b in picks)


def objective(model, names):
    """What is maximized, by the scores of whole names."""
    scores = model.log_probabilities(names)
    weights = np.ones(names.count) if names.weights is None else names.weights
    return weights @ scores - FIRMNESS / 2 * ((model.discounts / CLASSES - EXPECTED) ** 2).sum()


def test_no_other_discounts_make_the_validation_names_more_probable():
    validation = made_of_syllables(2, 80)
    model = KneserNey.fit(made_of_syllables(1, 150), 9, order=4)
    fitted = fit_discounts(model, validation)
    best = objective(model.with_discounts(fitted), validation)
    rng = np.random.default_rng(3)
    for size in (0.3, 0.03, 0.003):
        for _ in range(100):
            shares = np.clip(fitted / CLASSES + size * rng.standard_normal(fitted.shape), 0.001, 0.999)
            assert objective(model.with_discounts(shares * CLASSES), validation) < best + 1e-6


def test_fitted_discounts_predict_other_names_better_than_one_for_all():
    training, others = made_of_syllables(1, 150), made_of_syllables(4, 500)
    fitted = fit_ngrams(NgramConfig(), training, made_of_syllables(2, 80), 9)
    costs = [
        mean_nats_per_character(model.log_probabilities(others), others)
        for model in (fitted, *(KneserNey.fit(training, 9, discount=one) for one in (0.3, 0.5, 0.7, 0.85)))
    ]
    assert costs[0] < min(costs[1:]) - 0.005


def test_a_discount_that_is_set_is_honored_and_without_validation_names_there_is_one():
    training, validation = made_of_syllables(1, 50), made_of_syllables(2, 20)
    chosen = fit_ngrams(NgramConfig(order=3, discount=0.4), training, validation, 9)
    assert chosen.discounts.tolist() == [[0.4] * 3] * 3
    alone = fit_ngrams(NgramConfig(order=3), training, made_of_syllables(2, 0), 9)
    assert alone.discounts.tolist() == [[0.85] * 3] * 3
    assert len(np.unique(fit_ngrams(NgramConfig(order=3), training, validation, 9).discounts)) == 9


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 50), order=st.integers(1, 5))
def test_a_validation_name_of_weight_two_counts_as_two(seed, order):
    validation = made_of_syllables(seed, 12)
    twice = np.repeat(np.arange(12), 1 + np.arange(12) % 2)
    weighted = EncodedNames(validation.tokens, validation.offsets, 1.0 + np.arange(12) % 2)
    model = KneserNey.fit(made_of_syllables(1, 40), 9, order=order)
    ours, repeated = fit_discounts(model, weighted), fit_discounts(model, validation.take(twice))
    np.testing.assert_allclose(ours, repeated, atol=1e-5)
    assert fit_discounts(model, weighted).tobytes() == ours.tobytes()


def test_of_very_many_validation_names_the_first_are_used(monkeypatch):
    model, validation = KneserNey.fit(made_of_syllables(1, 50), 9), made_of_syllables(2, 30)
    monkeypatch.setattr(discounts, "MAX_ROWS", 70)  # ten names of seven rows
    first = fit_discounts(model, validation.take(np.arange(10)))
    assert fit_discounts(model, validation).tobytes() == first.tobytes()


def test_discounts_stay_in_their_range_however_much_names_ask_for_more():
    training = EncodedNames.from_lists([[1, 2, 3]] * 40)
    for validation in ([[1, 2, 3]] * 400, [[3, 3, 3, 3, 3]] * 400):
        shares = fit_discounts(KneserNey.fit(training, 4), EncodedNames.from_lists(validation)) / CLASSES
        assert shares.min() >= 0.001 - 1e-12
        assert shares.max() <= 0.999 + 1e-12
        assert np.isin(shares.round(6), [0.001, 0.999]).any()


@pytest.mark.parametrize("start", [[0.0, 0.0], [2.0, -1.0], [-3.0, 3.0]])
def test_the_largest_value_within_bounds_is_found(start):
    def quadratic(point):  # its peak is at (3, -2), outside of the bounds
        H = np.array([[2.0, 0.6], [0.6, 1.0]])
        away = point - [3.0, -2.0]
        return Expansion(-0.5 * away @ H @ away, -H @ away, H)

    lowest, highest = np.array([-3.0, -1.0]), np.array([2.0, 3.0])
    found = maximize(quadratic, np.array(start), lowest, highest)
    np.testing.assert_allclose(found, [2.0, -1.0], atol=1e-9)  # both bounds hold there
    grid = np.stack(np.meshgrid(np.linspace(-3, 2, 51), np.linspace(-1, 3, 41)), -1).reshape(-1, 2)
    assert quadratic(found).value >= max(quadratic(point).value for point in grid)
