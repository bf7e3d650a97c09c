"""Small models, and the exact probability of every name that they give."""

import numpy as np
import pytest

from rnn_core.arrays import Workspace
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.ngram.mixture import Mixture
from rnn_core.ngram.rules import GeometricRule
from rnn_core.nn import network
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.tree import tree_map

LETTERS = Vocabulary(("\n", " ", *"abc"))
SPACE = 1  # its token


def a_network(seed=0, vocabulary_size=5, hidden_size=6, dtype=np.float64, cell="elman", layers=1):
    """One that has opinions."""
    rng = np.random.default_rng(seed)
    untrained = network.init(rng, cell, vocabulary_size, hidden_size, dtype, layers=layers)
    return tree_map(lambda leaf: leaf + (0.5 * rng.standard_normal(leaf.shape)).astype(dtype), untrained)


def a_mixture():
    rng = np.random.default_rng(3)
    learned = EncodedNames.from_lists(rng.integers(1, 5, length) for length in rng.integers(1, 6, 40))
    rule = GeometricRule(np.array([0.6, 0.5]), np.array([0.8, 0.3]), np.array([[0.0, 0.4, -0.3]]))
    return Mixture(a_network(cell="gru"), KneserNey.fit(learned, 5, order=3), rule)


def as_lists(names):
    return [names.tokens[a:b].tolist() for a, b in zip(names.offsets, names.offsets[1:], strict=False)]


def log_softmax_after(model, beginning):
    """(V,) by the model's own steps, one name alone."""
    state = model.initial_state(1)
    for token in [0, *beginning]:
        logits = model.step(np.array([token]), state, Workspace(model.dtype))
    return (logits - np.logaddexp.reduce(logits))[:, 0].astype(np.float64)


def may_come(config, beginning):
    """(V,) by the letter of the docstrings."""
    place, may = len(beginning), np.ones(LETTERS.size, bool)
    for token, character in enumerate(LETTERS.characters[1:], start=1):
        may[token] = character not in config.forbidden and (not config.allowed or character in config.allowed)
        may[token] &= place < config.max_length or not config.truncate
    may[0] = place >= (config.min_length if config.truncate or config.temperature == 0 else 1)
    if config.trimmed:
        may[0] &= beginning[-1:] != [SPACE]
        may[SPACE] &= place > 0 and may[SPACE + 1 :].any()
        may[SPACE] &= place < config.max_length - 1 or not config.truncate
    return may


def next_probabilities(model, beginning, config):
    """(V,) what a character is drawn with, by the formulas."""
    may = may_come(config, beginning)
    scores = np.where(may, log_softmax_after(model, beginning), -np.inf)
    weights = np.exp((scores - scores.max()) / (config.temperature or 1e-9))
    weights /= weights.sum()
    ranked = np.argsort(-weights, kind="stable")
    weights[ranked[config.top_k or len(ranked) :]] = 0.0
    weights /= weights.sum()
    before = np.cumsum(weights[ranked]) - weights[ranked]
    weights[ranked[before >= config.top_p]] = 0.0
    return weights / weights.sum()


def exact_probabilities(model, config):
    """Of every name there is: those of the lengths that are asked for share what the model gives them."""
    found = {}

    def follow(name, probability):
        following = probability * next_probabilities(model, name, config)
        if following[0] > 0 and len(name) >= config.min_length:
            found[tuple(name)] = following[0]
        for token in np.flatnonzero(following[1:]) + 1:
            if len(name) < config.max_length:
                follow([*name, int(token)], following[token])

    follow([LETTERS.characters.index(character) for character in config.prefix], 1.0)
    total = sum(found.values())
    assert total == pytest.approx(1.0) if config.truncate else 0 < total < 1 + 1e-9
    return {name: probability / total for name, probability in found.items()}
