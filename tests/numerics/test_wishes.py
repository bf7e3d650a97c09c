"""Names to order: wishes for whole names, against every name that there is."""

import itertools
import re

import numpy as np
import pytest
from enumerated_names import (
    LETTERS,
    a_mixture,
    a_network,
    as_lists,
    exact_probabilities,
    next_probabilities,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from data.wishes import excluding, excluding_containing, matching
from rnn_core.errors import ConfigError, TrainingError
from rnn_core.ngram.mixture import mixture_model
from rnn_core.random_numbers import NAMES_PER_BLOCK, RandomStream
from rnn_core.sample import automaton, prefix_tree, wished_block
from rnn_core.sample import sampler as sampling
from rnn_core.sample.block import PLACES_PER_ATTEMPT
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.sample.wishes import Wish, Wishes
from rnn_core.text.vocabulary import Vocabulary


def edit_distance(one, other):
    """By the recurrence, one cell at a time."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def is_as_wished(name, options):
    return (
        name.endswith(options.get("suffix", ""))
        and options.get("contains", "") in name
        and edit_distance(name, options.get("like", name)) <= options.get("within", 1)
    )


def expected_of(model, options):
    """The probability of every name that is as wished, among all that are."""
    constraints = {name: value for name, value in options.items() if name not in WISHES}
    plain = SamplingConfig(**{"max_length": 4, **constraints})
    everything = exact_probabilities(model, plain)
    names = {"".join(LETTERS.characters[token] for token in name): p for name, p in everything.items()}
    possible = {name: p for name, p in names.items() if is_as_wished(name, options)}
    total = sum(possible.values())
    return {name: p / total for name, p in possible.items()}, total


def assert_within_4_standard_errors(names, expected):
    """Of each name alone, and of all together."""
    counts = dict.fromkeys(expected, 0)
    for name in names:
        counts[name] += 1  # a KeyError for a name that is not as wished
    observed, p = np.array([*counts.values()]) / len(names), np.array([*expected.values()])
    errors = (observed - p) / np.sqrt(p * (1 - p) / len(names) + 1e-300)
    is_common = p * len(names) >= 10  # of a rarer one the count is not normal
    assert np.abs(errors[is_common]).max(initial=0) < 4.5
    chi_squared = np.sum(np.square(observed - p)[is_common] / p[is_common]) * len(names)
    freedom = is_common.sum()
    assert chi_squared < freedom + 4 * np.sqrt(2 * freedom) + 4


WISHES = ("suffix", "contains", "like", "within")
SINGLE = [
    {"suffix": "a"},
    {"suffix": "ab"},
    {"suffix": "aa"},
    {"contains": "b"},
    {"contains": "bb"},
    {"contains": "a c"},
    {"like": "abc"},
    {"like": "cab", "within": 2},
    {"like": "bb", "within": 0},
]
PAIRS = [{**one, **other} for one, other in itertools.combinations(SINGLE, 2) if not set(one) & set(other)]
WITH_OPTIONS = [
    {"suffix": "a", "prefix": "b"},
    {"contains": "ab", "prefix": "ca"},
    {"suffix": "b", "min_length": 3},
    {"contains": "c", "temperature": 0.6, "top_k": 3},
    {"like": "abc", "forbidden": "a"},
    {"suffix": "c", "allowed": "ac"},
    {"contains": "b", "truncate": True},
    {"suffix": "b", "truncate": True, "min_length": 2},
    {"like": "aba", "trimmed": False, "within": 2},
]
A_FEW_PREFIXES = 2_400  # bytes of the tree, which would hold all names of such a model
every_tree = pytest.mark.parametrize("room", [0, A_FEW_PREFIXES], ids=["alone", "shared"])


@every_tree
@pytest.mark.parametrize("options", [*SINGLE, *PAIRS, *WITH_OPTIONS], ids=str)
def test_names_as_wished_come_as_often_as_the_model_gives_them_among_all_that_are(options, room, monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", room)
    model = network_model(a_network(4, dtype=np.float32))
    expected, total = expected_of(model, options)
    count = int(min(5_000, 1e5 * total))  # so many attempts at most
    config = SamplingConfig(**{"count": count or 1, "max_length": 4, "seed": 5, **options})
    if not expected:
        monkeypatch.setattr(wished_block, "MOST_REJECTIONS", 1 << 15)
        with pytest.raises((ConfigError, TrainingError), match=r"sampling\.(no_such_name|too_rare)"):
            sampling.sample(model, LETTERS, config)
        return
    names, _ = sampling.sample(model, LETTERS, config)
    assert_within_4_standard_errors(LETTERS.decode(names), expected)


FROM_ELSEWHERE = {
    "matching": (
        lambda: matching("[ab]+(c| a).*", LETTERS),
        lambda name: re.fullmatch("[ab]+(c| a).*", name),
    ),
    "matching, whole names alone": (
        lambda: matching("(?i)A.*[^C]", LETTERS),
        lambda name: re.fullmatch("a.*[^c]", name),
    ),
    "exclude": (
        lambda: excluding(["A", "b", "AB", "ca", "cc"], LETTERS),
        lambda name: name not in ("a", "b", "ab", "ca", "cc"),
    ),
    "exclude_containing": (
        lambda: excluding_containing(["AA", "b c", "ca"], LETTERS),
        lambda name: not any(word in name for word in ("aa", "b c", "ca")),
    ),
}


@every_tree
@pytest.mark.parametrize(
    ("kinds", "options"),
    [
        *(([kind], {}) for kind in FROM_ELSEWHERE),
        *((pair, {}) for pair in itertools.combinations(FROM_ELSEWHERE, 2)),
        *(([kind], options) for kind in FROM_ELSEWHERE for options in ({"suffix": "a"}, {"contains": "b"})),
        *(([kind], {"like": "abc", "within": 2}) for kind in FROM_ELSEWHERE),
        (["exclude", "exclude_containing"], {"suffix": "a", "prefix": "b"}),
    ],
    ids=str,
)
def test_wishes_from_patterns_and_lists_are_exact_alone_and_in_pairs(kinds, options, room, monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", room)
    model = network_model(a_network(4, dtype=np.float32))
    everything, share = expected_of(model, options)
    wanted = {
        name: p for name, p in everything.items() if all(FROM_ELSEWHERE[kind][1](name) for kind in kinds)
    }
    total = sum(wanted.values())
    count = int(min(5_000, 1e5 * total * share))
    config = SamplingConfig(**{"count": max(count, 20), "max_length": 4, "seed": 6, **options})
    wishes = [FROM_ELSEWHERE[kind][0]() for kind in kinds]
    names, _ = sampling.sample(model, LETTERS, config, wishes=wishes)
    assert_within_4_standard_errors(LETTERS.decode(names), {name: p / total for name, p in wanted.items()})


@every_tree
@pytest.mark.parametrize("suffix", ["", "a"])
def test_a_wish_that_is_asked_of_whole_names_alone_is_exact_too(suffix, room, monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", room)
    model = network_model(a_network(4, dtype=np.float32))

    def is_wanted(name):
        return sum(map(ord, name)) % 3 == 0

    wish = Wish("a sum", accepts=lambda names: np.array([*map(is_wanted, LETTERS.decode(names))], bool))
    everything, _ = expected_of(model, {"suffix": suffix})
    wanted = {name: p for name, p in everything.items() if is_wanted(name)}
    total = sum(wanted.values())
    config = SamplingConfig(count=5_000, max_length=4, suffix=suffix)
    names, _ = sampling.sample(model, LETTERS, config, wishes=[wish])
    assert_within_4_standard_errors(LETTERS.decode(names), {name: p / total for name, p in wanted.items()})


@pytest.mark.parametrize(
    "model",
    [network_model(a_network(4, dtype=np.float32, cell="gru")), mixture_model(a_mixture())],
    ids=["gru", "mixture"],
)
def test_a_name_as_wished_depends_on_its_number_alone(model, monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", A_FEW_PREFIXES)
    sampler = Sampler(model, LETTERS, SamplingConfig(max_length=5, contains="a"))
    end = NAMES_PER_BLOCK + 300
    whole = sampling.concatenate_samples(sampler.names(0, end, threads=2))
    words = LETTERS.decode(whole.names)
    assert len(words) == end
    for start, stop in [(0, 0), (0, 1), (0, 7), (5000, 5003), (NAMES_PER_BLOCK - 2, NAMES_PER_BLOCK + 3)]:
        names, scores = sampling.concatenate_samples(sampler.names(start, stop))
        assert LETTERS.decode(names) == words[start:stop]
        assert scores.tobytes() == whole.log_probabilities[start:stop].tobytes()


@pytest.mark.parametrize(
    "options",
    [
        {"like": "abca", "max_length": 50},
        {"like": "cb a", "within": 2, "prefix": "c", "max_length": 50},
        {"suffix": "ab", "max_length": 5},
    ],
    ids=str,
)
def test_where_few_names_are_as_wished_the_tree_holds_them_all_and_none_is_rejected(options, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", 1 << 40)  # or it leaves out what hardly ever comes
    model = network_model(a_network(4, dtype=np.float32))
    expected, _ = expected_of(model, options | {"max_length": min(options["max_length"], 6)})
    sampler = Sampler(model, LETTERS, SamplingConfig(**options))
    tree = sampler._context.tree
    assert (tree.leaves.tokens == 0).all()
    shares = tree.leaves.probability / tree.cumulative[-1]
    names = LETTERS.decode(
        prefix_tree.first_characters(
            tree.prefixes.characters[tree.leaves.prefixes], tree.prefixes.lengths[tree.leaves.prefixes]
        )
    )
    assert dict(zip(names, shares, strict=True)) == pytest.approx(expected, rel=1e-5)
    trial = sampler.try_out(lambda _accepted, _rejected: True)
    assert trial.accepted == trial.attempts > 0


def attempt_after_attempt(model, config, name, tree_sampler):
    """The first attempt at a name that is as wished, and its number: one attempt at a time, to its end."""
    tree, stream = tree_sampler._context.tree, RandomStream(config.seed, 0)
    for number in range(100_000):
        place = number * PLACES_PER_ATTEMPT
        leaf = tree.sample_leaves(stream.doubles(np.array([name]), place))
        before = tree.prefixes.take(leaf.prefixes)
        tokens = [*before.characters[0, : before.lengths.item()].tolist(), leaf.tokens.item()]
        while tokens[-1] and len(tokens) <= config.max_length:
            weights = next_probabilities(model, tokens, config).cumsum()
            uniform = stream.singles(np.array([name]), place + len(tokens)).item()
            tokens.append(int(np.count_nonzero(weights <= uniform * weights[-1])))
        text = "".join(LETTERS.characters[token] for token in tokens if token)
        if not tokens[-1] and is_as_wished(text, {"suffix": config.suffix, "contains": config.contains}):
            return text, number
    raise AssertionError("none")


def test_a_name_is_its_first_attempt_that_is_as_wished_though_many_are_made_together(monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", 400)  # five prefixes
    model = network_model(a_network(4))
    config = SamplingConfig(max_length=5, suffix="b", contains="ab", count=25, seed=2)
    sampler = Sampler(model, LETTERS, config)
    expected, numbers = zip(
        *(attempt_after_attempt(model, config, name, sampler) for name in range(config.count)), strict=True
    )
    assert max(numbers) > 40
    names, _ = sampling.concatenate_samples(sampler.names(0, config.count))
    assert LETTERS.decode(names) == list(expected)


def test_what_is_given_up_early_would_have_been_rejected_at_its_end(monkeypatch):
    model = network_model(a_network(4))
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", A_FEW_PREFIXES)
    for options in ({"suffix": "ab"}, {"like": "abc"}, {"contains": "bb", "suffix": "a"}):
        sampler = Sampler(model, LETTERS, SamplingConfig(max_length=6, **options))
        early = sampling.concatenate_samples(sampler.names(0, 500))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                Wishes, "hopeless", lambda _self, states, _lengths: np.zeros(states.shape[:-1], bool)
            )
            late = sampling.concatenate_samples(sampler.names(0, 500))
        assert as_lists(early.names) == as_lists(late.names)


@settings(max_examples=100, deadline=None)
@given(
    text=st.text("abc", min_size=1, max_size=5),
    names=st.lists(st.text("abc ", max_size=8), min_size=1),
    within=st.integers(0, 4),
)
def test_automata_accept_the_names_that_they_should_and_know_how_much_is_missing(text, names, within):
    tokens = LETTERS.encode([text]).tokens
    usable = np.arange(1, LETTERS.size)
    for machine, is_accepted in (
        (automaton.containing(tokens, LETTERS.size), lambda name: text in name),
        (automaton.ending_with(tokens, LETTERS.size), lambda name: name.endswith(text)),
        (
            automaton.similar_to(tokens, within, LETTERS.size),
            lambda name: edit_distance(name, text) <= within,
        ),
    ):
        needed = machine.needed(usable)
        for name in names:
            state = machine.read(LETTERS.encode([name]).tokens)
            assert machine.accepting[state] == is_accepted(name)
            assert (needed[state] == 0) == is_accepted(name)
            if needed[state] in (1, 2):  # so long an end makes it one, and no shorter one
                ends = ["".join(end) for end in itertools.product("abc ", repeat=int(needed[state]))]
                assert any(is_accepted(name + end) for end in ends)


def test_a_wish_that_no_name_can_be_is_an_error_before_anything_is_drawn():
    model = network_model(a_network(4))
    for options, words in (
        ({"suffix": "abcabc", "max_length": 5}, "suffix 'abcabc'"),
        ({"contains": "ab", "forbidden": "b"}, "contains 'ab'"),
        ({"contains": "ab", "allowed": "ac"}, "contains 'ab'"),
        ({"like": "aaaaaa", "within": 2, "max_length": 3}, "like 'aaaaaa' within 2"),
        ({"like": "aaa", "prefix": "bcb"}, "like 'aaa' within 1"),
        ({"like": "aaa", "min_length": 5}, "names of 5 to 50 characters"),
        ({"suffix": "aa", "like": "cbbbb"}, "suffix 'aa', like 'cbbbb' within 1"),
        ({"suffix": "ab", "prefix": "a", "max_length": 3, "contains": "ca"}, "suffix 'ab', contains 'ca'"),
        ({"suffix": " "}, "suffix ' '"),
        ({"like": " ", "within": 0, "trimmed": True}, "like ' ' within 0"),
    ):
        with pytest.raises(ConfigError, match=r"sampling\.no_such_name") as caught:
            sampling.sample(model, LETTERS, SamplingConfig(**options))
        assert words in caught.value.saw


def test_a_wish_for_a_character_that_the_model_does_not_know_is_an_error():
    for name in ("suffix", "contains", "like"):
        with pytest.raises(ConfigError, match=r"sampling\.unknown_character") as caught:
            sampling.sample(network_model(a_network()), LETTERS, SamplingConfig(**{name: "aé"}))
        assert caught.value.where == f"SamplingConfig.{name}"


def test_a_wish_is_spelled_as_the_vocabulary_spells():
    accented = Vocabulary.from_characters("abé")
    sampler = Sampler(
        network_model(a_network(vocabulary_size=4)), accented, SamplingConfig(suffix="e\u0301", max_length=6)
    )
    names, _ = sampling.concatenate_samples(sampler.names(0, 20))
    assert all(name.endswith("é") for name in accented.decode(names))


def test_what_is_wished_and_too_rare_is_an_error_that_says_how_rare(monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", 0)
    monkeypatch.setattr(wished_block, "MOST_REJECTIONS", 1 << 14)
    wish = Wish("nothing", accepts=lambda names: np.zeros(names.count, bool))
    with pytest.raises(TrainingError, match=r"sampling\.too_rare") as caught:
        sampling.sample(network_model(a_network()), LETTERS, SamplingConfig(count=3), wishes=[wish])
    assert caught.value.saw.startswith("fewer than one name in ")
    with pytest.raises(TrainingError, match=r"sampling\.too_rare"):
        sampling.sample(
            network_model(a_network()), LETTERS, SamplingConfig(temperature=0, contains="cccc", count=1)
        )


def test_an_edit_distance_without_a_name_is_an_error_and_one_by_default():
    with pytest.raises(ConfigError, match=r"config\.within"):
        SamplingConfig(within=2)
    assert SamplingConfig(like="Ana") == SamplingConfig(like="Ana", within=1)
    with pytest.raises(ConfigError, match=r"sampling\.too_far"):
        automaton.similar_to(np.arange(1, 40), 8, 50)
