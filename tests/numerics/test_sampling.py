"""Names that are drawn, and how probable they are."""

import dataclasses
import itertools
import math
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from enumerated_names import (
    LETTERS,
    a_mixture,
    a_network,
    as_lists,
    exact_probabilities,
    log_softmax_after,
    may_come,
    next_probabilities,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.arrays import Workspace
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import longest_first
from rnn_core.errors import ConfigError, DataError, TrainingError
from rnn_core.metrics import scoring
from rnn_core.ngram.mixture import mixture_model
from rnn_core.nn import network
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample import logits_processor, prefix_tree
from rnn_core.sample import sampler as sampling
from rnn_core.sample.model import Model, network_model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.names import EncodedNames


def sample(parameters, config, **options):
    return sampling.sample(network_model(parameters), LETTERS, config, **options)


def assert_drawn_as_probable(words, expected):
    """Chi-squared, exceeded once in 10,000."""
    counts = Counter(map(tuple, words))
    assert set(counts) <= set(expected)
    rare = [name for name, probability in expected.items() if probability * len(words) < 5]
    cells = [
        (counts[name], probability * len(words)) for name, probability in expected.items() if name not in rare
    ]
    cells.append((sum(counts[name] for name in rare), sum(expected[name] for name in rare) * len(words)))
    chi_squared = sum((count - mean) ** 2 / mean for count, mean in cells if mean > 0)
    freedom = max(len(cells) - 1, 1)
    assert chi_squared < freedom * (1 - 2 / (9 * freedom) + 3.72 * math.sqrt(2 / (9 * freedom))) ** 3


SHARED = pytest.mark.parametrize("rare", [1, 30, prefix_tree.RARITY], ids=["alone", "some", "shared"])
OPTIONS = [
    {},
    {"temperature": 0.6},
    {"temperature": 1.7, "trimmed": False},
    {"top_k": 2},
    {"top_p": 0.7},
    {"top_k": 3, "top_p": 0.8, "temperature": 1.3},
    {"prefix": "ba"},
    {"prefix": "a ", "min_length": 3},
    {"min_length": 3},
    {"forbidden": "b", "min_length": 2},
    {"allowed": "ab ", "temperature": 0.8},
    {"allowed": "ac", "prefix": "b", "top_k": 2, "min_length": 2},
]


WHOLE = pytest.mark.parametrize("truncate", [False, True], ids=["whole", "truncated"])


@WHOLE
@SHARED
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_names_are_drawn_as_often_as_they_are_probable(options, rare, truncate, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    model = network_model(a_network(dtype=np.float32))
    config = SamplingConfig(**{"count": 40_000, "max_length": 4, "seed": 12, "truncate": truncate, **options})
    names, _ = sampling.sample(model, LETTERS, config)
    assert_drawn_as_probable(as_lists(names), exact_probabilities(model, config))


@WHOLE
@SHARED
@pytest.mark.parametrize(
    "model",
    [
        network_model(a_network(1, cell="lstm", layers=2)),
        network_model(a_network(2, cell="gru")),
        mixture_model(a_mixture()),
    ],
    ids=["lstm", "gru", "mixture"],
)
def test_names_of_every_model_are_drawn_as_often_as_they_are_probable(model, rare, truncate, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    lengths = {"min_length": 2, "max_length": 4, "truncate": truncate}
    config = SamplingConfig(count=20_000, temperature=0.9, top_p=0.95, **lengths)
    names, _ = sampling.sample(model, LETTERS, config)
    assert_drawn_as_probable(as_lists(names), exact_probabilities(model, config))


@WHOLE
@SHARED
def test_log_probabilities_of_drawn_names_are_those_of_scoring_whatever_the_constraints(
    rare, truncate, monkeypatch
):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    parameters = a_network(seed=1)
    for options in ({"temperature": 0.0, "truncate": True}, {"temperature": 0.5}, *OPTIONS):
        config = SamplingConfig(**{"count": 300, "max_length": 6, "truncate": truncate, **options})
        names, log_probabilities = sample(parameters, config)
        np.testing.assert_allclose(
            log_probabilities, scoring.log_probabilities(parameters, names), rtol=1e-10, atol=1e-10
        )


@settings(max_examples=150, deadline=None)
@given(
    rare=st.sampled_from([1, prefix_tree.RARITY]),
    options=st.fixed_dictionaries(
        {
            "prefix": st.text("abc ", max_size=4),
            "min_length": st.integers(1, 4),
            "allowed": st.text("abc ", max_size=3),
            "forbidden": st.text("abc z", max_size=4),
            "trimmed": st.booleans(),
            "truncate": st.booleans(),
            "temperature": st.sampled_from([0.0, 0.7, 1.0]),
            "top_k": st.sampled_from([None, 1, 2]),
        }
    ),
)
def test_constraints_always_hold_or_no_name_satisfies_them(rare, options):
    def is_one(name):
        after = name[len(options["prefix"]) :]
        return (
            name.startswith(options["prefix"])
            and len(name) >= options["min_length"]
            and not set(after) & set(options["forbidden"])
            and (not options["allowed"] or set(after) <= set(options["allowed"]))
            and (not options["trimmed"] or name == name.strip())
        )

    everything = ("".join(name) for n in range(1, 5) for name in itertools.product("abc ", repeat=n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_tree, "RARITY", rare)
        try:
            config = SamplingConfig(count=60, max_length=4, **options)
            names, _ = sample(a_network(dtype=np.float32), config)
        except ConfigError:
            assert not any(map(is_one, everything))
        except TrainingError:  # top-k and temperature 0 may exclude all whole names of these lengths
            assert not options["truncate"]
            assert options["temperature"] == 0 or options["top_k"]
        else:
            assert all(map(is_one, LETTERS.decode(names)))


class NameRange(NamedTuple):
    start: int
    stop: int


@pytest.mark.parametrize(
    "model",
    [
        network_model(a_network(dtype=np.float32, hidden_size=16)),
        network_model(a_network(dtype=np.float32, cell="gru")),
        mixture_model(a_mixture()),
    ],
    ids=["elman", "gru", "mixture"],
)
def test_a_name_depends_on_its_number_alone(model, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", 100)
    sampler = Sampler(model, LETTERS, SamplingConfig(max_length=9))
    end = 2 * NAMES_PER_BLOCK + 5
    (most, scores), words = (
        (whole := sampling.concatenate_samples(sampler.names(0, end))),
        as_lists(whole.names),
    )
    assert most.count == end
    assert words[:NAMES_PER_BLOCK] != words[NAMES_PER_BLOCK : 2 * NAMES_PER_BLOCK]
    ranges = [
        (0, 0),
        (0, 1),
        (0, 7),
        (5000, 5003),
        (0, NAMES_PER_BLOCK),
        (NAMES_PER_BLOCK - 2, NAMES_PER_BLOCK + 3),
        (2 * NAMES_PER_BLOCK, end),
    ]
    for start, stop in itertools.starmap(NameRange, ranges):
        names, some = sampling.concatenate_samples(sampler.names(start, stop))
        assert as_lists(names) == words[start:stop]
        assert some.tobytes() == scores[start:stop].tobytes()


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_change_no_byte(threads):
    parameters = a_network(dtype=np.float32)
    config = SamplingConfig(count=5 * NAMES_PER_BLOCK + 3, max_length=5)
    alone, together = sample(parameters, config), sample(parameters, config, threads=threads)
    assert alone.names.tokens.tobytes() == together.names.tokens.tobytes()
    assert alone.names.offsets.tobytes() == together.names.offsets.tobytes()
    assert alone.log_probabilities.tobytes() == together.log_probabilities.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_names_are_counted_as_they_end(threads):
    sampler = Sampler(network_model(a_network()), LETTERS, SamplingConfig())
    reports = []
    list(sampler.names(NAMES_PER_BLOCK - 500, NAMES_PER_BLOCK + 700, threads, on_progress=reports.append))
    assert sum(reports) == 1200
    assert len(reports) > 4


@pytest.mark.parametrize("threads", [1, 2])
def test_an_exception_of_the_progress_callback_ends_the_sampling(threads):
    sampler = Sampler(network_model(a_network()), LETTERS, SamplingConfig())

    def watch(_):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        list(sampler.names(0, 1 << 40, threads, watch))


def test_a_consumer_that_stops_waits_for_no_more_than_the_blocks_in_progress():
    drawing = Sampler(network_model(a_network()), LETTERS, SamplingConfig()).names(0, 1 << 40, threads=2)
    assert next(drawing).names.count == NAMES_PER_BLOCK
    drawing.close()


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
    names, _ = sample(parameters, SamplingConfig(count=30, max_length=9, truncate=True))
    assert set(names.lengths.tolist()) == {9}
    with pytest.raises(TrainingError, match=r"sampling\.too_rare"):
        sample(parameters, SamplingConfig(count=30, max_length=9))


def test_a_long_name_is_sampled_anew_and_only_truncated_if_that_is_asked_for():
    parameters = a_network()
    free, whole, cut = (
        Counter(LETTERS.decode(sample(parameters, SamplingConfig(count=50_000, seed=4, **options))[0]))
        for options in ({}, {"max_length": 5}, {"max_length": 5, "truncate": True})
    )
    short = [name for name in free if len(name) <= 5]
    assert set(map(len, whole)) == set(map(len, cut)) == {1, 2, 3, 4, 5}
    common = sorted(short, key=free.__getitem__)[-5:]
    share = sum(free[name] for name in short)
    for name in common:  # as often as among the short ones of all names
        assert whole[name] / 50_000 == pytest.approx(free[name] / share, rel=0.25)
    assert sum(count for name, count in cut.items() if len(name) == 5) > 2 * sum(
        count for name, count in whole.items() if len(name) == 5
    )


@SHARED
def test_a_name_that_is_not_accepted_is_sampled_anew(rare, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    model = network_model(a_network(cell="gru", dtype=np.float32))
    config = SamplingConfig(count=40_000, max_length=4, min_length=2, seed=3)

    def is_accepted(name):
        return sum(name) % 3 != 1 and name[:1] != [2]

    def accepts(names):
        return np.array([is_accepted(name) for name in as_lists(names)], bool)

    names, _ = sampling.sample(model, LETTERS, config, accepts=accepts)
    possible = {
        name: probability
        for name, probability in exact_probabilities(model, config).items()
        if is_accepted(list(name))
    }
    total = sum(possible.values())
    assert 0.1 < total < 0.7
    assert_drawn_as_probable(as_lists(names), {name: p / total for name, p in possible.items()})
    again, _ = sampling.sample(model, LETTERS, dataclasses.replace(config, count=70), 2, accepts)
    assert as_lists(again) == as_lists(names)[:70]


def test_names_that_are_next_to_impossible_are_an_error_that_says_how_rare_they_are(monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", 1)  # or the tree would find them
    parameters = a_network()
    parameters.b_y[0] = 12.0  # ends as soon as it may
    with pytest.raises(TrainingError, match=r"sampling\.too_rare") as caught:
        sample(parameters, SamplingConfig(count=1, min_length=3))
    rarity = int(caught.value.saw.removeprefix("fewer than one name in ").replace(",", ""))
    model = network_model(parameters)
    first = next_probabilities(model, [], SamplingConfig())
    longer = sum(
        probability * (1 - next_probabilities(model, [token], SamplingConfig())[0])
        for token, probability in enumerate(first)
        if token
    )
    assert 1000 < rarity < 1 / longer


def test_at_temperature_0_a_name_that_does_not_end_in_time_is_an_error():
    parameters = a_network()
    parameters.b_y[0] = -1e3  # never ends
    with pytest.raises(TrainingError, match=r"sampling\.too_rare"):
        sample(parameters, SamplingConfig(count=1, temperature=0.0))


@pytest.mark.parametrize("top_p", [1e-46, 1e-300, 5e-324])
def test_the_least_top_p_takes_the_most_probable_character(top_p):
    parameters = a_network(seed=3, dtype=np.float32)
    least, first = (
        sample(parameters, SamplingConfig(count=3, max_length=8, truncate=True, **options))
        for options in ({"top_p": top_p}, {"top_k": 1})
    )
    assert as_lists(least.names) == as_lists(first.names)


@pytest.mark.parametrize("rare", [1, prefix_tree.RARITY])
def test_a_temperature_of_zero_takes_the_most_probable_character_every_time(rare, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    parameters = a_network(seed=3)
    config = SamplingConfig(count=3, temperature=0.0, max_length=8, truncate=True)
    names, _ = sample(parameters, config)
    word = as_lists(names)[0]
    assert as_lists(names) == [word] * 3
    for depth, token in enumerate(word):
        scores = log_softmax_after(network_model(parameters), word[:depth])
        assert np.where(may_come(config, word[:depth]), scores, -np.inf).argmax() == token


def test_a_greedy_name_is_as_long_as_one_likes():
    parameters = a_network()
    parameters.b_y[0] = -1e3  # never ends
    names, scores = sample(
        parameters, SamplingConfig(count=2, temperature=0.0, max_length=500, truncate=True)
    )
    assert names.lengths.tolist() == [500, 500]
    np.testing.assert_allclose(scores, scoring.log_probabilities(parameters, names), rtol=1e-10)


@pytest.mark.parametrize("rare", [1, prefix_tree.RARITY])
@pytest.mark.parametrize("bias", [100.0, 1000.0])
def test_what_may_come_keeps_its_proportions_even_if_it_is_next_to_impossible(bias, rare, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    parameters = a_network(dtype=np.float32)
    parameters.b_y[0] = bias  # ends as soon as it may
    model = network_model(parameters)
    config = SamplingConfig(count=20_000, min_length=2, trimmed=False, truncate=True)
    names, scores = sample(parameters, config)
    assert set(names.lengths.tolist()) == {2}
    assert_drawn_as_probable(as_lists(names), exact_probabilities(model, config))
    np.testing.assert_allclose(scores, scoring.log_probabilities(parameters, names), rtol=1e-5)


def test_a_model_that_excludes_what_the_options_require_is_an_error():
    def step(tokens, *_):  # the end, and nothing else
        return np.where(np.arange(5)[:, np.newaxis] == 0, 0.0, -np.inf) + np.zeros(len(tokens))

    model = Model(5, np.dtype(np.float64), lambda count: (np.zeros((count, 1)),), step)
    with pytest.raises(TrainingError, match=r"sampling\.impossible"):
        sampling.sample(model, LETTERS, SamplingConfig())


def test_of_equally_probable_characters_no_more_are_kept_than_asked_for():
    untrained = network.init(np.random.default_rng(0), "elman", 5, 4, np.float32)
    names, _ = sample(untrained, SamplingConfig(count=500, top_k=2, max_length=6, truncate=True))
    assert set(names.tokens.tolist()) <= {1, 2, 3}
    first = names.tokens[names.offsets[:-1]]
    assert set(first.tolist()) == {2, 3}  # neither the end nor white space may come first


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("drawn_from", "ngrams"),
        ("count", -1),
        ("count", 1.5),
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_k", 0),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("top_p", True),
        ("prefix", None),
        ("min_length", 0),
        ("min_length", 51),
        ("max_length", 0),
        ("max_length", 10_001),
        ("seed", -1),
    ],
)
def test_a_sampling_option_out_of_range_is_refused_with_its_value(option, value):
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(**{option: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"prefix": "bz"}, "sampling.unknown_character", "'z'"),
        ({"prefix": "a\n"}, "sampling.unknown_character", r"'\n'"),
        ({"allowed": "aé"}, "sampling.unknown_character", "U+00E9"),
        ({"forbidden": "abc "}, "sampling.no_such_name", "forbidden 'abc '"),
        ({"allowed": " "}, "sampling.no_such_name", "allowed ' '"),
        ({"prefix": "abcab", "max_length": 4}, "sampling.no_such_name", "max_length 4"),
        ({"prefix": " a"}, "sampling.no_such_name", "white space"),
        ({"prefix": "abc ", "max_length": 4}, "sampling.no_such_name", "white space"),
        ({"allowed": "ab", "forbidden": "abc"}, "sampling.no_such_name", "allowed 'ab'"),
    ],
    ids=str,
)
def test_options_that_no_name_satisfies_are_one_clear_error(options, code, message):
    with pytest.raises(ConfigError) as caught:
        sample(a_network(), SamplingConfig(**options))
    assert caught.value.code == code
    assert message in str(caught.value)
    assert caught.value.fix


def test_a_vocabulary_of_another_model_is_refused():
    with pytest.raises(DataError, match=r"model\.vocabulary"):
        sample(a_network(vocabulary_size=6), SamplingConfig())


@pytest.mark.parametrize("size", [2, 255, 256, 700])
def test_a_character_is_found_among_few_and_among_many_and_never_one_without_weight(size):
    rng = np.random.default_rng(size)
    weights = rng.random((size, 5_000)).astype(np.float32) * (rng.random((size, 5_000)) < 0.3)
    weights[rng.integers(0, size, 5_000), np.arange(5_000)] += 1e-7
    chances = rng.integers(0, 1 << 24, 5_000) * 2.0**-24
    chances[:2_500] = 1 - 2.0**-24
    chances[:1_000] = 0.0
    tokens = logits_processor.sample_tokens(weights.copy(), chances.astype(np.float32))
    assert weights[tokens, np.arange(5_000)].min() > 0
    cumulative = weights.astype(np.float64).cumsum(axis=0)
    at, thresholds = np.arange(5_000), chances * cumulative[-1]
    nearly = 1e-5 * cumulative[-1]
    assert (cumulative[tokens, at] > thresholds - nearly).all()
    assert (cumulative[tokens, at] - weights[tokens, at] <= thresholds + nearly).all()


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
    stream = BatchStream.from_names(names)
    batch = next(stream.packed_batches([longest_first(stream.rows, np.arange(names.count))]))
    loss, _ = network.loss_and_gradient(parameters, batch, Workspace(np.float64))
    assert -scores.sum() == pytest.approx(loss * batch.targets.total, rel=1e-12)
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
    whole = scoring.sum_per_name(characters, names)
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
    assert scoring.sum_per_name(characters, nothing).shape == (0,)
    assert math.isnan(scoring.cross_entropy_per_character(parameters, nothing))


def test_a_token_that_the_model_does_not_know_is_refused():
    with pytest.raises(DataError):
        scoring.log_probabilities(a_network(), EncodedNames.from_lists([[1, 5]]))


def test_a_capital_is_given_to_the_first_letter_alone():
    assert sampling.capitalize_first("de la cruz") == "De la cruz"
    assert sampling.capitalize_first("") == ""
