"""A network and n-grams together, by the geometric rule and by the linear one of older files."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics import scoring
from rnn_core.ngram import exponents, mixture
from rnn_core.ngram.endings import MAX_SHIFT, fit_shifts
from rnn_core.ngram.exponents import EXPECTED, FIRMNESS, fit_exponents
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.ngram.mixture import Mixture, fit_rule, mixture_model
from rnn_core.ngram.rules import GeometricRule, LinearRule, rule_from_arrays
from rnn_core.nn import network
from rnn_core.nn.ensemble import Ensemble
from rnn_core.sample import sampler
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.tree import tree_map

LETTERS = Vocabulary(("\n", *"abcde"))
RULE = GeometricRule(np.array([0.7, 0.4]), np.array([0.5, 0.6]), np.array([[0.0, -0.4, 0.3, 0.1]]))
RULES = {"geometric": RULE, "linear": LinearRule(0.4)}
ANY_RULE = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def some_names(seed, count, vocabulary_size=6):
    rng = np.random.default_rng(seed)
    return EncodedNames.from_lists(rng.integers(1, vocabulary_size, n) for n in rng.integers(1, 9, count))


def a_network(seed=0, vocabulary_size=6, dtype=np.float64, cell="gru", layers=1, style_count=0):
    """One that has opinions."""
    rng = np.random.default_rng(seed)
    untrained = network.init(rng, cell, vocabulary_size, 5, dtype, layers=layers, style_count=style_count)
    return tree_map(lambda leaf: leaf + (0.5 * rng.standard_normal(leaf.shape)).astype(dtype), untrained)


def a_mixture(rule=RULE, dtype=np.float64, **options):
    return Mixture(a_network(dtype=dtype, **options), KneserNey.fit(some_names(1, 60), 6, order=3), rule)


def sample(model, config):
    return sampler.sample(model, LETTERS, config)


def as_lists(names):
    return [names.tokens[a:b].tolist() for a, b in zip(names.offsets, names.offsets[1:], strict=False)]


def distribution(mixed, beginning, start=None):
    """(V,) P(character | beginning), from the log-probabilities of names and the formula of the rule."""
    asked = EncodedNames.from_lists([[*beginning, token] for token in range(1, 6)] + [beginning])
    of_network = asked if start is None else asked.with_styles(start, 6)
    last = np.append(np.cumsum(asked.lengths + 1)[:-1] - 2, asked.offsets[-1] + asked.count - 1)
    p, q = (
        np.roll(np.exp(log_p[last]), 1)  # the end token first
        for log_p in (
            scoring.character_log_probabilities(mixed.network, of_network),
            mixed.ngrams.character_log_probabilities(asked),
        )
    )
    if isinstance(mixed.rule, LinearRule):
        return mixed.rule.weight * p + (1.0 - mixed.rule.weight) * q
    (a, b), (c, d), shifts = mixed.rule
    of_style = shifts[start if start and len(shifts) > 1 else 0]
    shift = of_style[min(len(beginning), len(of_style) - 1)]
    odds = (p[0] / (1.0 - p[0])) ** c * (q[0] / (1.0 - q[0])) ** d * math.exp(shift)
    others = p[1:] ** a * q[1:] ** b
    return np.append(odds / (1.0 + odds), others / others.sum() / (1.0 + odds))


@ANY_RULE
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 100))
def test_a_name_is_as_probable_as_its_characters_by_the_rule(rule, seed):
    mixed, names = a_mixture(rule), some_names(seed, 6)
    expected = [
        sum(math.log(distribution(mixed, word[:end])[[*word, 0][end]]) for end in range(len(word) + 1))
        for word in as_lists(names)
    ]
    np.testing.assert_allclose(mixture.log_probabilities(mixed, names), expected, rtol=1e-10)


@ANY_RULE
@settings(max_examples=10, deadline=None)
@given(beginning=st.lists(st.integers(1, 5), max_size=7))
def test_what_may_come_next_sums_to_one(rule, beginning):
    mixed = a_mixture(rule)
    model = mixture_model(mixed)
    state, workspace = model.initial_state(1), scoring.Workspace(np.float64)
    for token in (0, *beginning):
        logits = model.step(np.array([token]), state, workspace)
    shares = np.exp(logits[:, 0]) / np.exp(logits[:, 0]).sum()
    np.testing.assert_allclose(shares, distribution(mixed, beginning), rtol=1e-10)
    assert shares.sum() == pytest.approx(1.0)


def test_all_weight_on_one_side_is_that_side_alone():
    names = some_names(3, 50)
    network_alone, ngrams_alone = a_mixture(LinearRule(1.0)), a_mixture(LinearRule(0.0))
    np.testing.assert_allclose(
        mixture.log_probabilities(network_alone, names),
        scoring.log_probabilities(network_alone.network, names),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        mixture.log_probabilities(ngrams_alone, names),
        ngrams_alone.ngrams.log_probabilities(names),
        rtol=1e-12,
    )


def test_a_name_has_its_style_in_the_mixture_too():
    shifts = np.array([[0.0, 0.5, -0.2], [0.0, -0.3, 0.6]])
    mixed = a_mixture(RULE._replace(shifts=shifts), style_count=2)
    word = [3, 1, 2]
    for style in (0, 1):
        names = EncodedNames.from_lists([word]).with_styles(style, 6)
        parts = [distribution(mixed, word[:end], style)[[*word, 0][end]] for end in range(4)]
        np.testing.assert_allclose(mixture.log_probabilities(mixed, names), [np.log(parts).sum()], rtol=1e-10)
    with pytest.raises(DataError, match=r"names\.style"):
        mixture.log_probabilities(mixed, EncodedNames.from_lists([word]))


@ANY_RULE
def test_an_ensemble_is_one_network_of_the_mixture(rule):
    members = a_network(0), a_network(1)
    mixed = Mixture(Ensemble(members), a_mixture().ngrams, rule)
    names = some_names(5, 20)
    scored = mixture.log_probabilities(mixed, names)
    expected = [
        sum(math.log(distribution(mixed, word[:end])[[*word, 0][end]]) for end in range(len(word) + 1))
        for word in as_lists(names)
    ]
    np.testing.assert_allclose(scored, expected, rtol=1e-10)
    drawn, log_probabilities = sample(mixture_model(mixed), SamplingConfig(count=50))
    np.testing.assert_allclose(log_probabilities, mixture.log_probabilities(mixed, drawn), rtol=1e-9)


def test_names_are_scored_alike_in_one_part_and_in_many(monkeypatch):
    mixed, names = a_mixture(), some_names(4, 100)
    whole = mixture.log_probabilities(mixed, names)
    monkeypatch.setattr(mixture, "MAX_ELEMENTS", 60)
    np.testing.assert_allclose(mixture.log_probabilities(mixed, names), whole, rtol=1e-12)
    assert mixture.log_probabilities(mixed, names.take(np.arange(0))).shape == (0,)


def objective(mixed, names, characters, ends):
    """What the exponents maximize, by the scores of whole names."""
    rule = GeometricRule(characters, ends, np.zeros((1, 1)))
    scores = mixture.log_probabilities(Mixture(mixed.network, mixed.ngrams, rule), names)
    weights = np.ones(names.count) if names.weights is None else names.weights
    away = np.append(characters, ends) - EXPECTED
    return weights @ scores - FIRMNESS / 2 * away @ away


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_other_exponents_make_the_validation_names_more_probable(dtype):
    mixed, names = a_mixture(dtype=dtype), some_names(7, 60)
    names = names.with_weights(np.random.default_rng(0).uniform(0.5, 2.0, 60))
    fitted = fit_exponents(mixed.network, mixed.ngrams, names)
    best, rng = objective(mixed, names, *fitted), np.random.default_rng(1)
    for size in (0.3, 0.03, 0.003):
        for _ in range(20):
            other = np.clip(fitted + size * rng.standard_normal((2, 2)), 1e-3, 4.0)
            assert objective(mixed, names, *other) < best + 1e-5


def test_exponents_are_found_again_from_names_that_their_mixture_made():
    rule = GeometricRule(np.array([0.9, 0.3]), np.array([0.4, 0.7]), np.zeros((1, 1)))
    mixed = a_mixture(rule)
    names, _ = sample(mixture_model(mixed), SamplingConfig(count=20_000))
    words = [word for word in as_lists(names) if len(word) > 1]  # no name is empty
    characters, _ = fit_exponents(mixed.network, mixed.ngrams, EncodedNames.from_lists(words))
    np.testing.assert_allclose(characters, rule.characters, atol=0.05)


def test_a_network_that_knows_nothing_gets_no_say_and_ngrams_all():
    untrained = network.init(np.random.default_rng(0), "elman", 6, 4, np.float64)
    names = EncodedNames.from_lists([[1, 2, 3, 4, 5]] * 300)
    characters, ends = fit_exponents(untrained, KneserNey.fit(names, 6), names)
    assert characters[0] == pytest.approx(EXPECTED)  # the network changes nothing, whatever its exponent
    assert min(characters[1], ends[1]) > 0.99


def test_of_very_many_validation_names_the_first_are_fitted_on(monkeypatch):
    mixed, names = a_mixture(), some_names(8, 50)
    monkeypatch.setattr(exponents, "MAX_ELEMENTS", 6 * 100)
    rows = np.cumsum(names.lengths + 1)
    first = names.take(np.arange(np.searchsorted(rows, 100, side="right")))
    for ours, theirs in zip(
        *(fit_exponents(mixed.network, mixed.ngrams, n) for n in (names, first)), strict=True
    ):
        assert ours.tobytes() == theirs.tobytes()


def test_shifts_make_sampled_names_as_long_as_the_training_names():
    mixed = a_mixture(GeometricRule(np.array([0.5, 0.5]), np.array([0.6, 0.4]), np.zeros((1, 1))))
    rng = np.random.default_rng(0)
    lengths = 2 + rng.binomial(6, 0.6, 2_000)  # the training names: nearly all of 4 to 7
    training = EncodedNames.from_lists(rng.integers(1, 6, length) for length in lengths)
    shifts = fit_shifts(mixture_model(mixed), training, 0, np.random.default_rng(1))
    assert len(shifts) == 1
    assert shifts[0, 0] == 0.0
    assert np.abs(shifts).max() <= MAX_SHIFT
    before, after = (
        sample(mixture_model(Mixture(mixed.network, mixed.ngrams, rule)), SamplingConfig(count=4_000))[0]
        for rule in (mixed.rule, mixed.rule._replace(shifts=shifts))
    )
    expected = np.bincount(lengths, minlength=12) / len(lengths)
    away = [
        np.abs(
            np.cumsum(np.bincount(np.minimum(names.lengths, 11), minlength=12) / names.count - expected)
        ).sum()
        for names in (before, after)
    ]
    assert away[1] < 0.8 * away[0]  # the rest would take larger shifts
    again = fit_shifts(mixture_model(mixed), training, 0, np.random.default_rng(1))
    assert again.tobytes() == shifts.tobytes()


def test_shifts_know_how_much_a_training_name_counts():
    mixed = a_mixture()
    short, long = [[1, 2]] * 100, [[1, 2, 3, 4, 5, 1]] * 100
    model = mixture_model(mixed)
    few, many = (
        fit_shifts(
            model,
            EncodedNames.from_lists([*short, *long]).with_weights(np.repeat([weight, 1.0], 100)),
            0,
            np.random.default_rng(0),
        )
        for weight in (0.05, 20.0)
    )
    assert many[0, 2] > few[0, 2] + 0.5


def test_each_style_has_shifts_of_its_own():
    mixed = a_mixture(style_count=2)
    words = [[1, 2]] * 300 + [[1, 2, 3, 4, 5, 1]] * 300
    training = EncodedNames.from_lists(words).with_styles(np.repeat([0, 1], 300), 6)
    short, long = fit_shifts(mixture_model(mixed), training, 2, np.random.default_rng(0))
    assert short[2] == pytest.approx(MAX_SHIFT)
    assert long[2] == pytest.approx(-MAX_SHIFT)
    alone = training.take(np.arange(300))
    only, unknown = fit_shifts(mixture_model(mixed), alone, 2, np.random.default_rng(0))
    assert only[2] == pytest.approx(MAX_SHIFT)
    np.testing.assert_allclose(unknown[: len(only)], 0.0, atol=1e-6)  # no name tells how long they are


def test_a_rule_needs_validation_names_and_probabilities_that_are_numbers():
    mixed, training = a_mixture(), some_names(1, 60)
    with pytest.raises(DataError, match=r"mixture\.no_validation"):
        fit_rule(mixed.network, mixed.ngrams, training, some_names(0, 0))
    with pytest.raises(DataError, match=r"names\.token"):
        fit_rule(mixed.network, mixed.ngrams, training, some_names(0, 9, vocabulary_size=9))
    mixed.network.b_y[2] = np.nan
    with pytest.raises(TrainingError, match=r"mixture\.not_finite"):
        fit_rule(mixed.network, mixed.ngrams, training, some_names(0, 9))


@ANY_RULE
def test_a_rule_comes_back_from_its_arrays(rule):
    again = rule_from_arrays({**rule.to_arrays(), "b_y": np.zeros(3)})
    assert type(again) is type(rule)
    for ours, theirs in zip(again, rule, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert rule_from_arrays({"b_y": np.zeros(3)}) is None


FILES = {
    "a weight below 0": {"mixture.weight": np.array(-0.1)},
    "a weight above 1": {"mixture.weight": np.array(1.1)},
    "a weight that is no number": {"mixture.weight": np.array(math.nan)},
    "a weight in a vector": {"mixture.weight": np.array([0.5])},
    "a whole number as weight": {"mixture.weight": np.array(1)},
    "an object as weight": {"mixture.weight": np.array(None)},
    "a weight and exponents": {**RULE.to_arrays(), "mixture.weight": np.array(0.5)},
    "no shifts": {"mixture.exponents": np.full((2, 2), 0.5)},
    "no exponents": {"mixture.shifts": np.zeros((1, 1))},
    "exponents of the characters alone": {**RULE.to_arrays(), "mixture.exponents": np.full(2, 0.5)},
    "an exponent of 0": {**RULE.to_arrays(), "mixture.exponents": np.array([[0.5, 0.5], [0.0, 0.5]])},
    "an exponent that is no number": {**RULE.to_arrays(), "mixture.exponents": np.full((2, 2), math.nan)},
    "single precision": {**RULE.to_arrays(), "mixture.exponents": np.full((2, 2), 0.5, np.float32)},
    "shifts of no length": {**RULE.to_arrays(), "mixture.shifts": np.zeros((1, 0))},
    "shifts in a vector": {**RULE.to_arrays(), "mixture.shifts": np.zeros(3)},
    "an infinite shift": {**RULE.to_arrays(), "mixture.shifts": np.array([[0.0, math.inf]])},
}


@pytest.mark.parametrize("arrays", FILES.values(), ids=FILES)
def test_arrays_that_are_not_a_rule_are_refused(arrays):
    with pytest.raises(DataError, match=r"model\.arrays"):
        rule_from_arrays(arrays)


def test_a_rule_of_other_styles_is_refused():
    with pytest.raises(DataError, match="knows 2 styles"):
        a_mixture(RULE._replace(shifts=np.zeros((3, 4))), style_count=2)
    with pytest.raises(DataError, match="knows 0 styles"):
        a_mixture(RULE._replace(shifts=np.zeros((2, 4))))


def test_parts_of_two_vocabularies_are_refused():
    with pytest.raises(DataError, match="5 and 6 tokens"):
        Mixture(a_network(vocabulary_size=5), a_mixture().ngrams, RULE)


@ANY_RULE
@pytest.mark.parametrize("temperature", [0.6, 1.0])
def test_sampled_letters_follow_the_mixture(temperature, rule):
    mixed = a_mixture(rule)
    names, _ = sample(mixture_model(mixed), SamplingConfig(count=20_000, temperature=temperature, seed=3))
    words = as_lists(names)
    for depth in range(4):
        (beginning, _), *_ = Counter(tuple(w[:depth]) for w in words if len(w) >= depth).most_common(1)
        followers = [[*w, 0][depth] for w in words if tuple(w[:depth]) == beginning and len(w) >= depth]
        p = distribution(mixed, list(beginning))
        if not depth:
            p[0] = 0.0  # no name is empty
        expected = p ** (1.0 / temperature)
        expected *= len(followers) / expected.sum()
        observed = np.bincount(followers, minlength=6)
        counted = expected > 5
        chi_squared = float(((observed - expected)[counted] ** 2 / expected[counted]).sum())
        assert len(followers) > 200
        assert chi_squared < 25.7  # exceeded once in 10,000 with 5 degrees of freedom


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@pytest.mark.parametrize("cell", ["elman", "lstm"])
@ANY_RULE
def test_log_probabilities_of_drawn_names_are_those_of_scoring(rule, cell, dtype, tolerance):
    mixed = a_mixture(rule, cell=cell, dtype=dtype, layers=2)
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
    mixed = a_mixture(LinearRule(weight))
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
