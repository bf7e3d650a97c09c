"""A network and n-grams together."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics import scoring
from rnn_core.ngram import mixture
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.ngram.mixture import Mixture, fit_weight, mixture_model, weight_from_array
from rnn_core.nn import network
from rnn_core.sample import sampler
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.tree import tree_map

LETTERS = Vocabulary(("\n", *"abcde"))
WEIGHTS = st.sampled_from([0.0, 0.2, 0.7, 1.0])


def some_names(seed, count, vocabulary_size=6):
    rng = np.random.default_rng(seed)
    return EncodedNames.from_lists(rng.integers(1, vocabulary_size, n) for n in rng.integers(1, 9, count))


def a_network(seed=0, vocabulary_size=6, dtype=np.float64, cell="gru", layers=1):
    """One that has opinions."""
    rng = np.random.default_rng(seed)
    untrained = network.init(rng, cell, vocabulary_size, 5, dtype, layers=layers)
    return tree_map(lambda leaf: leaf + (0.5 * rng.standard_normal(leaf.shape)).astype(dtype), untrained)


def a_mixture(weight=0.4, dtype=np.float64, **options):
    return Mixture(a_network(dtype=dtype, **options), KneserNey.fit(some_names(1, 60), 6, order=3), weight)


def sample(model, config):
    return sampler.sample(model, LETTERS, config)


def as_lists(names):
    return [names.tokens[a:b].tolist() for a, b in zip(names.offsets, names.offsets[1:], strict=False)]


def characters_one_by_one(mixed, names):
    """By the formula."""
    of_network = np.exp(scoring.character_log_probabilities(mixed.network, names))
    of_ngrams = np.exp(mixed.ngrams.character_log_probabilities(names))
    return np.log(mixed.weight * of_network + (1.0 - mixed.weight) * of_ngrams)


@settings(max_examples=20, deadline=None)
@given(weight=WEIGHTS, seed=st.integers(0, 100))
def test_a_character_is_as_probable_as_its_shares_of_both(weight, seed):
    mixed, names = a_mixture(weight), some_names(seed, 30)
    ends = names.offsets[1:] + np.arange(names.count)
    expected = np.add.reduceat(characters_one_by_one(mixed, names), ends - names.lengths)
    np.testing.assert_allclose(mixture.log_probabilities(mixed, names), expected, rtol=1e-12)


def test_all_weight_on_one_side_is_that_side_alone():
    names = some_names(3, 50)
    network_alone, ngrams_alone = a_mixture(1.0), a_mixture(0.0)
    np.testing.assert_array_equal(
        mixture.log_probabilities(network_alone, names),
        scoring.sum_per_name(scoring.character_log_probabilities(network_alone.network, names), names),
    )
    np.testing.assert_array_equal(
        mixture.log_probabilities(ngrams_alone, names), ngrams_alone.ngrams.log_probabilities(names)
    )


def test_names_are_scored_alike_in_one_part_and_in_many(monkeypatch):
    mixed, names = a_mixture(), some_names(4, 100)
    whole = mixture.log_probabilities(mixed, names)
    monkeypatch.setattr(mixture, "ROWS_AT_ONCE", 12)
    np.testing.assert_allclose(mixture.log_probabilities(mixed, names), whole, rtol=1e-12)
    assert mixture.log_probabilities(mixed, names.take(np.arange(0))).shape == (0,)


def test_the_weight_of_a_mixture_is_found_from_names_that_it_made_and_no_other_makes_them_more_probable():
    mixed = a_mixture(0.4)
    mixed.network.b_y[0] = -5.0  # no name that is drawn is empty; so the network had better expect none
    names, _ = sample(mixture_model(mixed), SamplingConfig(count=2000))
    fitted = fit_weight(mixed.network, mixed.ngrams, names)
    assert fitted == pytest.approx(0.4, abs=0.05)
    assert fit_weight(mixed.network, mixed.ngrams, names) == fitted

    def total(weight):
        return mixture.log_probabilities(Mixture(mixed.network, mixed.ngrams, weight), names).sum()

    assert total(fitted) > max(total(weight) for weight in np.linspace(0, 1, 51))
    # A step of expectation maximisation leaves the best weight where it is, to all its digits.
    p = np.exp(scoring.character_log_probabilities(mixed.network, names))
    q = np.exp(mixed.ngrams.character_log_probabilities(names))
    share = fitted * p / (fitted * p + (1.0 - fitted) * q)
    assert share.mean() == pytest.approx(fitted, abs=1e-10)


def test_a_network_that_knows_nothing_gets_no_weight():
    names = some_names(1, 60)
    untrained = network.init(np.random.default_rng(0), "elman", 6, 4, np.float64)
    assert fit_weight(untrained, KneserNey.fit(names, 6), names) < 1e-9


def test_beside_ngrams_of_no_names_a_network_that_knows_something_gets_all_the_weight():
    nothing = some_names(1, 0)
    untrained = network.init(np.random.default_rng(0), "elman", 6, 4, np.float64)
    untrained.b_y[1] = 1.0
    always_the_same = EncodedNames.from_lists([[1] * 30])
    assert fit_weight(untrained, KneserNey.fit(nothing, 6), always_the_same) > 0.99


def test_a_weight_needs_validation_names_and_probabilities_that_are_numbers():
    mixed = a_mixture()
    with pytest.raises(DataError, match=r"mixture\.no_validation"):
        fit_weight(mixed.network, mixed.ngrams, some_names(0, 0))
    with pytest.raises(DataError, match=r"names\.token"):
        fit_weight(mixed.network, mixed.ngrams, some_names(0, 9, vocabulary_size=9))
    mixed.network.b_y[2] = np.nan
    with pytest.raises(TrainingError, match=r"mixture\.not_finite"):
        fit_weight(mixed.network, mixed.ngrams, some_names(0, 9))


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_a_weight_outside_of_0_to_1_is_refused(weight):
    with pytest.raises(DataError, match=r"model\.arrays"):
        a_mixture(weight)


@pytest.mark.parametrize("array", [np.array([0.5]), np.array(1), np.array(None)], ids=repr)
def test_a_weight_is_read_from_one_number_alone(array):
    assert weight_from_array(np.array(0.5)) == 0.5
    with pytest.raises(DataError, match=r"model\.arrays"):
        weight_from_array(array)


def test_parts_of_two_vocabularies_are_refused():
    with pytest.raises(DataError, match="5 and 6 tokens"):
        Mixture(a_network(vocabulary_size=5), a_mixture().ngrams, 0.5)


@pytest.mark.parametrize("temperature", [0.6, 1.0])
def test_sampled_letters_follow_the_mixture(temperature):
    mixed = a_mixture()
    names, _ = sample(mixture_model(mixed), SamplingConfig(count=20_000, temperature=temperature, seed=3))
    words = as_lists(names)
    for depth in range(4):
        (beginning, _), *_ = Counter(tuple(w[:depth]) for w in words if len(w) >= depth).most_common(1)
        followers = [[*w, 0][depth] for w in words if tuple(w[:depth]) == beginning and len(w) >= depth]
        # What each character adds to the score of the beginning; the end token is added by scoring itself.
        asked = EncodedNames.from_lists([*beginning, token] for token in range(1, 6))
        places = np.cumsum(asked.lengths + 1) - 2
        scores = characters_one_by_one(mixed, asked)
        log_p = np.append(-np.inf, scores[places])
        if depth:
            log_p[0] = characters_one_by_one(mixed, EncodedNames.from_lists([beginning]))[-1]
        expected = np.exp(log_p / temperature)
        expected *= len(followers) / expected.sum()
        observed = np.bincount(followers, minlength=6)
        counted = expected > 5
        chi_squared = float(((observed - expected)[counted] ** 2 / expected[counted]).sum())
        assert len(followers) > 200
        assert chi_squared < 25.7  # exceeded once in 10,000 with 5 degrees of freedom


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@pytest.mark.parametrize("cell", ["elman", "lstm"])
def test_log_probabilities_of_drawn_names_are_those_of_scoring(cell, dtype, tolerance):
    mixed = a_mixture(cell=cell, dtype=dtype, layers=2)
    for temperature in (0.0, 0.5, 1.0):
        config = SamplingConfig(count=300, temperature=temperature, max_length=7)
        names, log_probabilities = sample(mixture_model(mixed), config)
        scored = mixture.log_probabilities(mixed, names)
        np.testing.assert_allclose(log_probabilities, scored, rtol=tolerance, atol=tolerance)


def test_a_name_depends_on_its_number_and_not_on_how_many_are_drawn():
    model = mixture_model(a_mixture(dtype=np.float32))
    most, log_probabilities = sample(model, SamplingConfig(count=4000))
    for count in (0, 1, 7, 3999):
        names, some = sample(model, SamplingConfig(count=count))
        assert as_lists(names) == as_lists(most)[:count]
        assert some.tobytes() == log_probabilities[:count].tobytes()
    assert as_lists(sample(model, SamplingConfig(count=50, seed=1))[0]) != as_lists(most)[:50]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_names_are_drawn_from_one_side_alone(weight):
    mixed = a_mixture(weight)
    names, log_probabilities = sample(mixture_model(mixed), SamplingConfig(count=100))
    scored = mixture.log_probabilities(mixed, names)
    np.testing.assert_allclose(log_probabilities, scored, rtol=1e-10)
    if weight:
        same, _ = sample(network_model(mixed.network), SamplingConfig(count=100))
        assert as_lists(same) == as_lists(names)


def test_a_mixture_that_overflows_is_refused():
    mixed = a_mixture()
    mixed.network.W_hy[0] = np.inf
    with pytest.raises(TrainingError, match=r"sampling\.not_finite"):
        sample(mixture_model(mixed), SamplingConfig(count=3))
