"""Names that are drawn, and how probable they are."""

import math
from collections import Counter

import numpy as np
import pytest

from rnn_core import network, sampling, scoring
from rnn_core.arrays import Workspace
from rnn_core.batching import Stream
from rnn_core.errors import ConfigError, DataError, TrainingError
from rnn_core.names import EncodedNames
from rnn_core.ordering import longest_first
from rnn_core.sampling import BLOCK, SamplingConfig, network_model
from rnn_core.tree import tree_map


def a_network(seed=0, vocabulary_size=5, hidden_size=6, dtype=np.float64):
    """One that has opinions."""
    rng = np.random.default_rng(seed)
    untrained = network.init(rng, "elman", vocabulary_size, hidden_size, dtype)
    return tree_map(lambda leaf: leaf + (0.5 * rng.standard_normal(leaf.shape)).astype(dtype), untrained)


def sample(parameters, config):
    return sampling.sample(network_model(parameters), config)


def as_lists(names):
    return [names.tokens[a:b].tolist() for a, b in zip(names.offsets, names.offsets[1:], strict=False)]


def next_probabilities(parameters, beginning, temperature=1.0):
    """(V,) by the formula."""
    ((W_xh, W_hh, b_h),), W_hy, b_y = parameters
    h = np.zeros(len(b_h))
    for token in [0, *beginning]:
        h = np.tanh(W_xh[token] + h @ W_hh + b_h)
    weights = np.exp((h @ W_hy + b_y) / temperature)
    if not beginning:
        weights[0] = 0.0  # no name is empty
    return weights / weights.sum()


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_sampled_letters_follow_the_softmax(temperature):
    parameters = a_network()
    names, _ = sample(parameters, SamplingConfig(count=30_000, temperature=temperature, seed=11))
    words = as_lists(names)
    for depth in range(4):
        (beginning, _), *_ = Counter(tuple(w[:depth]) for w in words if len(w) >= depth).most_common(1)
        beginning = list(beginning)
        followers = [[*word, 0][depth] for word in words if word[:depth] == beginning and len(word) >= depth]
        expected = len(followers) * next_probabilities(parameters, beginning, temperature)
        observed = np.bincount(followers, minlength=5)
        assert observed[expected == 0].sum() == 0
        counted = expected > 5
        chi_squared = float(((observed - expected)[counted] ** 2 / expected[counted]).sum())
        assert len(followers) > 200
        assert chi_squared < 23.5  # exceeded once in 10,000 with 4 degrees of freedom


def test_log_probabilities_of_drawn_names_are_those_of_scoring():
    parameters = a_network(seed=1)
    for temperature in (0.0, 0.5, 1.0):
        config = SamplingConfig(count=500, temperature=temperature, max_length=6)
        names, log_probabilities = sample(parameters, config)
        assert names.lengths.max() == 6
        np.testing.assert_allclose(
            log_probabilities, scoring.log_probabilities(parameters, names), rtol=1e-10, atol=1e-10
        )


def test_a_name_depends_on_its_number_and_not_on_how_many_are_drawn():
    parameters = a_network(dtype=np.float32)
    most, log_probabilities = sample(parameters, SamplingConfig(count=2 * BLOCK + 5))
    for count in (0, 1, 7, BLOCK, BLOCK + 1):
        names, some = sample(parameters, SamplingConfig(count=count))
        assert as_lists(names) == as_lists(most)[:count]
        assert some.tobytes() == log_probabilities[:count].tobytes()
    blocks = as_lists(most)
    assert blocks[:BLOCK] != blocks[BLOCK : 2 * BLOCK]


def test_a_seed_is_a_list_of_names():
    parameters = a_network()
    first, again, other = (
        as_lists(sample(parameters, SamplingConfig(count=50, seed=s))[0]) for s in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("temperature", [1e-300, 1e6, 1e300])
def test_an_extreme_temperature_draws_characters_that_there_are(temperature):
    parameters = a_network()
    names, log_probabilities = sample(parameters, SamplingConfig(count=200, temperature=temperature))
    assert set(names.tokens.tolist()) <= {1, 2, 3, 4}
    assert np.isfinite(log_probabilities).all()
    if temperature > 1:
        shares = np.bincount(names.tokens)[1:] / len(names.tokens)
        np.testing.assert_allclose(shares, 0.25, atol=0.06)


def test_no_name_is_empty_or_longer_than_allowed():
    parameters = a_network(seed=2)
    parameters.b_y[0] = 3.0  # eager to end
    names, _ = sample(parameters, SamplingConfig(count=3000, max_length=2))
    assert set(names.lengths.tolist()) == {1, 2}
    parameters.b_y[0] = -1e3  # never ends
    names, _ = sample(parameters, SamplingConfig(count=30, max_length=9))
    assert set(names.lengths.tolist()) == {9}


def test_a_temperature_of_zero_takes_the_most_probable_character_every_time():
    parameters = a_network(seed=3)
    names, _ = sample(parameters, SamplingConfig(count=3, temperature=0.0, max_length=8))
    word = as_lists(names)[0]
    assert as_lists(names) == [word] * 3
    for depth, token in enumerate(word):
        assert next_probabilities(parameters, word[:depth]).argmax() == token


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("model", "ngrams"),
        ("count", -1),
        ("count", 1.5),
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("max_length", 0),
        ("max_length", 10_001),
        ("seed", -1),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_it_was(knob, value):
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(**{knob: value})
    assert repr(value) in str(caught.value)


def test_a_model_that_overflows_is_refused():
    parameters = a_network()
    parameters.W_hy[0] = np.inf
    with pytest.raises(TrainingError):
        sample(parameters, SamplingConfig(count=3))


def test_a_score_is_the_summed_cross_entropy_of_the_name(monkeypatch):
    parameters = a_network(seed=4, vocabulary_size=20)
    rng = np.random.default_rng(5)
    names = EncodedNames.from_lists(rng.integers(1, 20, length) for length in rng.integers(1, 30, 300))
    scores = scoring.log_probabilities(parameters, names)
    assert scores.dtype == np.float64
    stream = Stream.of(names)
    batch = next(stream.packed([longest_first(stream.rows, np.arange(names.count))]))
    loss, _ = network.loss_and_gradient(parameters, batch, Workspace(np.float64))
    assert -scores.sum() == pytest.approx(loss * batch.wanted.total, rel=1e-12)
    assert scoring.cross_entropy_per_character(parameters, names) == pytest.approx(loss, rel=1e-12)
    word = as_lists(names)[7]
    steps = [network_log_p(parameters, word[:end], token) for end, token in enumerate([*word, 0])]
    assert scores[7] == pytest.approx(sum(steps), rel=1e-10)
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 7)  # less than some names have
    np.testing.assert_allclose(scoring.log_probabilities(parameters, names), scores, rtol=1e-12)


def test_the_score_of_a_name_is_the_sum_of_its_characters_in_their_order(monkeypatch):
    parameters = a_network(seed=6)
    rng = np.random.default_rng(7)
    names = EncodedNames.from_lists(rng.integers(1, 5, length) for length in rng.integers(1, 9, 40))
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 30)
    characters = scoring.character_log_probabilities(parameters, names)
    expected = [
        network_log_p(parameters, word[:end], token)
        for word in as_lists(names)
        for end, token in enumerate([*word, 0])
    ]
    np.testing.assert_allclose(characters, expected, rtol=1e-10)
    whole = scoring.of_whole_names(characters, names)
    np.testing.assert_allclose(whole, scoring.log_probabilities(parameters, names), rtol=1e-12)


def network_log_p(parameters, beginning, token):
    ((W_xh, W_hh, b_h),), W_hy, b_y = parameters
    h = np.zeros(len(b_h))
    for read in [0, *beginning]:
        h = np.tanh(W_xh[read] + h @ W_hh + b_h)
    logits = h @ W_hy + b_y
    return logits[token] - math.log(np.exp(logits).sum())


def test_scoring_nothing_is_nothing():
    parameters = a_network()
    nothing = EncodedNames.from_lists([])
    assert scoring.log_probabilities(parameters, nothing).shape == (0,)
    characters = scoring.character_log_probabilities(parameters, nothing)
    assert scoring.of_whole_names(characters, nothing).shape == (0,)
    assert math.isnan(scoring.cross_entropy_per_character(parameters, nothing))


def test_a_token_that_the_model_does_not_know_is_refused():
    with pytest.raises(DataError):
        scoring.log_probabilities(a_network(), EncodedNames.from_lists([[1, 5]]))


def test_a_capital_is_given_to_the_first_letter_alone():
    assert sampling.capitalised("de la cruz") == "De la cruz"
    assert sampling.capitalised("") == ""
