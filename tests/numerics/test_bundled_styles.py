"""The bundled lists as styles: names that are asked for by style, judged by n-grams of either list."""

import importlib.resources
from functools import partial

import numpy as np
import pytest

from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.metrics.styles import marginal_log_probabilities
from rnn_core.ngram.by_style import StyleNgrams
from rnn_core.ngram.discounts import fit_ngrams
from rnn_core.ngram.kneser_ney import KneserNey, NgramConfig
from rnn_core.ngram.mixture import Mixture, fit_rule, log_probabilities, mixture_model
from rnn_core.sample.sampler import SamplingConfig, sample
from rnn_core.sample.styles import blended, of_style, with_styles
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train

ARGENTINE, DINOSAURS = 0, 1


@pytest.fixture(scope="module")
def bundle():
    """The vocabulary; and training, validation and test names with their styles."""
    corpora = importlib.resources.files("data") / "corpora"
    lists = [
        (corpora / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        for name in ("argentine", "dinosaurs")
    ]
    style_of = {name: style for style, names in reversed(list(enumerate(lists))) for name in names if name}
    vocabulary = Vocabulary.from_names(style_of)
    names = vocabulary.encode(list(style_of)).with_styles(np.array(list(style_of.values())), vocabulary.size)
    order = np.random.default_rng(0).permutation(names.count)
    return vocabulary, *(names.take(np.sort(part)) for part in (order[800:], order[400:800], order[:400]))


@pytest.fixture(scope="module")
def mixtures(bundle):
    """A small network, hardly trained, with n-grams of all names together and with n-grams of each list."""
    vocabulary, training, validation, _ = bundle
    config = TrainingConfig(hidden_size=64, epochs=5).resolve(training.count)
    *_, last = train(config, vocabulary.size, training, validation, style_count=2)
    fit_one = partial(fit_ngrams, NgramConfig(), vocabulary_size=vocabulary.size)
    together = fit_one(training, validation)
    each = StyleNgrams.fit(fit_one, training, validation, vocabulary.size, 2)
    network = last.state.parameters
    return [
        Mixture(network, ngrams, fit_rule(network, ngrams, training, validation))
        for ngrams in (together, each)
    ]


def shares_of(training, size):
    return tuple(float((training.starts == size + style).mean()) for style in (ARGENTINE, DINOSAURS))


def judged_dinosaurs(names, bundle):
    """(N,) whether n-grams of the dinosaurs give each name more than those of the other list."""
    vocabulary, training, *_ = bundle
    judges = [
        KneserNey.fit(
            training.take(np.flatnonzero(training.starts == vocabulary.size + style)), vocabulary.size, 5
        )
        for style in (ARGENTINE, DINOSAURS)
    ]
    argentine, dinosaurs = (judge.log_probabilities(names.without_styles()) for judge in judges)
    return dinosaurs > argentine


def test_names_in_the_style_of_dinosaurs_are_judged_dinosaurs(bundle, mixtures):
    vocabulary, training, *_ = bundle
    shares = shares_of(training, vocabulary.size)
    model = with_styles(mixture_model(mixtures[1]), shares)
    config = SamplingConfig(count=600)
    dinosaurs = sample(of_style(model, DINOSAURS), vocabulary, config).names
    argentine = sample(of_style(model, ARGENTINE), vocabulary, config).names
    blend = sample(blended(model, {ARGENTINE: 0.5, DINOSAURS: 0.5}), vocabulary, config).names
    assert judged_dinosaurs(dinosaurs, bundle).mean() >= 0.97
    assert judged_dinosaurs(argentine, bundle).mean() <= 0.05
    assert 0.05 < judged_dinosaurs(blend, bundle).mean() < 0.95
    any_style = sample(model, vocabulary, config).names
    assert judged_dinosaurs(any_style, bundle).mean() == pytest.approx(shares[DINOSAURS], abs=0.07)


def test_ngrams_of_each_list_predict_its_names_better_and_all_names_too(bundle, mixtures):
    vocabulary, training, _, test = bundle
    in_style = [mean_nats_per_character(log_probabilities(mixture, test), test) for mixture in mixtures]
    any_style = [
        mean_nats_per_character(
            marginal_log_probabilities(
                partial(log_probabilities, mixture),
                test,
                shares_of(training, vocabulary.size),
                vocabulary.size,
            ),
            test,
        )
        for mixture in mixtures
    ]
    assert in_style[1] < in_style[0] - 0.01
    assert any_style[1] < any_style[0] - 0.01
