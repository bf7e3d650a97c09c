"""Names of styles are drawn as often as they are probable, against enumeration on a small model."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from rnn_core.arrays import Workspace
from rnn_core.errors import TrainingError
from rnn_core.metrics import scoring
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.ngram.mixture import Mixture, mixture_model
from rnn_core.ngram.rules import GeometricRule
from rnn_core.nn import network
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample import prefix_tree, sampler
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.sample.styles import blended, of_style, with_styles
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.tree import tree_map

LETTERS = Vocabulary.from_characters("abc")
V, SHARES = LETTERS.size, (0.2, 0.5, 0.3)
FEW = {"count": 30_000, "max_length": 3, "seed": 5}
every_tree = pytest.mark.parametrize("rare", [1, 30, prefix_tree.RARITY], ids=["alone", "some", "shared"])


def a_network(dtype=np.float64):
    rng = np.random.default_rng(7)
    untrained = network.init(rng, "gru", V, 6, dtype, style_count=len(SHARES))
    return tree_map(lambda leaf: leaf + rng.standard_normal(leaf.shape).astype(dtype), untrained)


def a_mixture():
    rng = np.random.default_rng(3)
    learned = EncodedNames.from_lists(rng.integers(1, V, length) for length in rng.integers(1, 5, 40))
    rule = GeometricRule(np.array([0.6, 0.5]), np.array([0.8, 0.3]), np.array([[0.0, 0.4, -0.3]]))
    return Mixture(a_network(), KneserNey.fit(learned, V, order=3), rule)


MODELS = {
    "network": with_styles(network_model(a_network(np.float32)), SHARES),
    "mixture": with_styles(mixture_model(a_mixture()), SHARES),
}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def log_p(model, start, word):
    """Of the word and of whatever may end or continue it, by the model's own steps."""
    state, total = model.initial_state(1), 0.0
    for read, token in itertools.pairwise([start, *word, 0]):
        logits = model.step(np.array([read]), state, Workspace(model.dtype)).astype(np.float64)[:, 0]
        total += logits[token] - np.logaddexp.reduce(logits)
    return total


def words(longest):
    return [
        word for length in range(1, longest + 1) for word in itertools.product(range(1, V), repeat=length)
    ]


def exact(model, prefix=()):
    """(start, word) -> probability, of words of up to 3 letters that begin with the prefix; none is empty."""
    joint = {
        (start, word): share * math.exp(log_p(model, start, word)) / (1 - math.exp(log_p(model, start, ())))
        for start, share in zip(model.starts, model.shares, strict=True)
        for word in words(3)
        if word[: len(prefix)] == prefix
    }
    total = sum(joint.values())
    return {name: probability / total for name, probability in joint.items()}


def drawn(names):
    starts = np.zeros(names.count, int) if names.starts is None else names.starts
    tokens = np.split(names.tokens, names.offsets[1:-1])
    return [(int(start), tuple(word.tolist())) for start, word in zip(starts, tokens, strict=True)]


def assert_drawn_as_probable(names, expected):
    """Each name, and all together, to 4 standard errors."""
    counts, total = Counter(drawn(names)), names.count
    assert set(counts) <= set(expected)
    chi_squared = freedom = 0.0
    for name, probability in expected.items():
        error = math.sqrt(total * probability * (1 - probability))
        assert abs(counts[name] - total * probability) < 4 * error + 4
        if total * probability >= 5:
            chi_squared += (counts[name] - total * probability) ** 2 / (total * probability)
            freedom += 1
    assert chi_squared < freedom + 4 * math.sqrt(2 * freedom)


def sample(model, **options):
    return sampler.sample(model, LETTERS, SamplingConfig(**{**FEW, **options}))


@every_model
@every_tree
@pytest.mark.parametrize("prefix", ["", "b", "ac"])
def test_styles_come_by_their_shares_and_by_how_probable_the_prefix_is_in_each(
    model, prefix, rare, monkeypatch
):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    beginning = tuple(LETTERS.encode([prefix]).tokens.tolist())
    names, log_probabilities = sample(model, prefix=prefix)
    assert_drawn_as_probable(names, exact(model, beginning))
    for (start, word), scored in list(zip(drawn(names), log_probabilities, strict=True))[:50]:
        assert scored == pytest.approx(log_p(model, start, word), abs=1e-4)


@every_model
@every_tree
def test_names_of_one_style_are_drawn_as_often_as_they_are_probable(model, rare, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    one = of_style(model, 2)
    assert_drawn_as_probable(sample(one).names, exact(one))


@every_model
@pytest.mark.parametrize("room", [0, 2_400, prefix_tree.MAX_BYTES], ids=["alone", "some", "shared"])
@pytest.mark.parametrize(
    "options", [{"suffix": "b"}, {"contains": "ca"}, {"suffix": "b", "prefix": "a"}], ids=str
)
def test_styles_come_by_how_probable_what_is_wished_is_in_each(model, options, room, monkeypatch):
    monkeypatch.setattr(prefix_tree, "MAX_BYTES", room)

    def is_as_wished(name):
        text = "".join(LETTERS.characters[token] for token in name)
        return text.endswith(options.get("suffix", "")) and options.get("contains", "") in text

    beginning = tuple(LETTERS.encode([options.get("prefix", "")]).tokens.tolist())
    everything = exact(model, beginning)
    wished = {name: p for name, p in everything.items() if is_as_wished(name[1])}
    total = sum(wished.values())
    names, log_probabilities = sample(model, count=6_000, **options)
    assert_drawn_as_probable(names, {name: p / total for name, p in wished.items()})
    for (start, word), scored in list(zip(drawn(names), log_probabilities, strict=True))[:30]:
        assert scored == pytest.approx(log_p(model, start, word), abs=1e-4)


@every_model
@every_tree
def test_a_blend_is_the_geometric_mean_of_its_styles_character_by_character(model, rare, monkeypatch):
    monkeypatch.setattr(prefix_tree, "RARITY", rare)
    weights = {0: 0.3, 2: 0.7}
    blend = blended(model, weights)

    def mean(word):
        """log P of the word, from the log-probabilities of both styles at every place."""
        states, total = {style: model.initial_state(1) for style in weights}, 0.0
        for place, token in enumerate([*word, 0]):
            scores = np.zeros(V)
            for style, weight in weights.items():
                read = word[place - 1] if place else model.starts[style]
                logits = model.step(np.array([read]), states[style], Workspace(model.dtype))
                logits = logits.astype(np.float64)[:, 0]
                scores += weight * (logits - np.logaddexp.reduce(logits))
            total += scores[token] - np.logaddexp.reduce(scores)
        return total

    joint = {(0, word): math.exp(mean(word)) for word in words(3)}
    total = sum(joint.values())
    names, log_probabilities = sample(blend)
    assert names.starts is None
    assert_drawn_as_probable(names, {name: p / total for name, p in joint.items()})
    for (_, word), scored in list(zip(drawn(names), log_probabilities, strict=True))[:50]:
        assert scored == pytest.approx(mean(word), abs=1e-4)


def test_a_blend_of_one_style_alone_gives_the_names_of_that_style():
    model = MODELS["network"]
    alone, blend = sample(of_style(model, 1)), sample(blended(model, {1: 1.0}))
    assert alone.names.tokens.tolist() == blend.names.tokens.tolist()
    assert set(alone.names.starts.tolist()) == {V + 1}


@every_model
def test_a_name_and_its_style_depend_on_its_number_alone(model):
    config = SamplingConfig(seed=9, min_length=2, max_length=6)
    begin, end = NAMES_PER_BLOCK - 40, NAMES_PER_BLOCK + 30
    drawing = Sampler(model, LETTERS, config)
    whole = sampler.concatenate_samples(drawing.names(begin, end))
    threads = sampler.concatenate_samples(drawing.names(begin, end, threads=2))
    parts = [
        sampler.concatenate_samples(drawing.names(first, last))
        for first, last in itertools.pairwise([begin, begin + 7, NAMES_PER_BLOCK, end])
    ]
    assert (
        drawn(whole.names) == drawn(threads.names) == [name for part in parts for name in drawn(part.names)]
    )


def test_the_log_probability_of_a_name_is_that_of_scoring_it_in_its_style():
    parameters = a_network()
    names, log_probabilities = sample(with_styles(network_model(parameters), SHARES), temperature=1.3)
    scored = scoring.log_probabilities(parameters, names)
    np.testing.assert_allclose(log_probabilities, scored, rtol=1e-9)


def test_at_temperature_0_every_style_has_its_one_name():
    names, _ = sample(MODELS["network"], temperature=0.0, max_length=50, count=200)
    assert len(set(drawn(names))) == len(SHARES)
    assert {start for start, _ in drawn(names)} == set(MODELS["network"].starts)


def test_at_temperature_0_the_style_whose_name_is_as_wished_is_drawn():
    names, _ = sample(MODELS["network"], temperature=0, count=60, max_length=30)
    by_style = dict(drawn(names))
    texts = {start: "".join(LETTERS.characters[token] for token in word) for start, word in by_style.items()}
    start, text = next(
        (start, text) for start, text in texts.items() if list(texts.values()).count(text) == 1
    )
    wished, _ = sample(MODELS["network"], temperature=0, count=20, max_length=30, like=text, within=0)
    assert set(drawn(wished)) == {(start, by_style[start])}


def test_a_style_without_a_share_is_not_drawn_unless_it_is_named():
    model = with_styles(network_model(a_network()), (0.4, 0.0, 0.6))
    assert set(sample(model).names.starts.tolist()) == {V, V + 2}
    assert set(sample(of_style(model, 1)).names.starts.tolist()) == {V + 1}


def test_a_network_that_is_not_finite_is_refused_with_styles_too():
    parameters = tree_map(lambda leaf: np.full_like(leaf, np.nan), a_network())
    with pytest.raises(TrainingError, match="not finite"):
        sample(with_styles(network_model(parameters), SHARES), prefix="a")
