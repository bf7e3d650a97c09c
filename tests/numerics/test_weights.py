"""Names that count more or less than others: learned and judged as if they stood in the list so often."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.batching.resampling import MIDPOINT, systematic_resample
from rnn_core.errors import DataError
from rnn_core.metrics import scoring
from rnn_core.metrics.evaluation import metrics
from rnn_core.metrics.sample_metrics import NameList, compare_samples
from rnn_core.ngram.exponents import fit_exponents
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.text.names import EncodedNames
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train

WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40).map(np.array)
OFFSETS = st.integers(0, (1 << 20) - 1).map(lambda number: number / (1 << 20))
ROUNDING = 1e-9


def names_of(*texts):
    return EncodedNames.from_lists([ord(letter) - ord("a") + 1 for letter in text] for text in texts)


def times(weights, offset):
    return np.bincount(systematic_resample(weights, offset), minlength=len(weights))


@given(WEIGHTS, OFFSETS)
def test_a_name_is_drawn_as_often_as_its_weight_says_rounded_down_or_up(weights, offset):
    expected = weights / weights.mean()
    drawn = times(weights, offset)
    assert drawn.sum() == len(weights)
    assert (np.floor(expected - ROUNDING) <= drawn).all()
    assert (drawn <= np.ceil(expected + ROUNDING)).all()


@given(WEIGHTS)
def test_over_all_offsets_a_name_is_drawn_as_often_as_its_weight_says(weights):
    offsets = (np.arange(200) + 0.5) / 200
    mean = np.mean([times(weights, offset) for offset in offsets], axis=0)
    np.testing.assert_allclose(mean, weights / weights.mean(), atol=1 / 200)


@given(st.integers(1, 1000), OFFSETS)
def test_equal_weights_draw_every_name_once(count, offset):
    assert systematic_resample(np.full(count, 1.0), offset).tolist() == list(range(count))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.floats(1e-300, 1e300))
def test_only_the_ratios_of_weights_count(weights, unit):
    names = EncodedNames.from_lists([[1]] * len(weights))
    relative = names.with_weights(np.array(weights) * unit).weights
    if len(set(weights)) == 1:
        assert relative is None
    else:
        np.testing.assert_allclose(relative, np.array(weights) / np.mean(weights))


def test_chosen_names_keep_their_weights():
    names = names_of("ana", "bo", "cleo").with_weights(np.array([1.0, 2.0, 3.0]))
    assert names.take(np.array([2, 0])).weights.tolist() == [1.5, 0.5]


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_an_invalid_weight_is_refused(wrong):
    with pytest.raises(DataError, match=r"names\.weight"):
        names_of("ana", "bo").with_weights(np.array([1.0, wrong]))


def learned(names, **changes):
    options = {"cell": "elman", "layers": 1, "hidden_size": 16, "batch_size": 20, "learning_rate": 0.01}
    options |= {"dropout": 0.0, "recurrent_dropout": 0.0, "weight_decay": 0.0, "dtype": "float64"}
    config = TrainingConfig(**{**options, "epochs": 20, "patience": 20, **changes}).resolve(names.count)
    *_, last = train(config, 5, names, names)
    return last


def probabilities(parameters, *texts):
    return np.exp(scoring.log_probabilities(parameters, names_of(*texts)))


@pytest.mark.parametrize("batches", ["packed", "shared"])
def test_a_network_learns_a_name_as_often_as_it_counts(batches):
    """One letter each: what is to be learned are the frequencies themselves."""
    names = names_of(*"abcd" * 60).with_weights(np.tile([1.0, 2.0, 3.0, 4.0], 60))
    last = learned(names, batches=batches)
    np.testing.assert_allclose(probabilities(last.state.parameters, *"abcd"), [0.1, 0.2, 0.3, 0.4], atol=0.02)
    entropy = -sum(p * math.log(p) for p in (0.1, 0.2, 0.3, 0.4))
    assert 2 * last.best_validation_loss == pytest.approx(entropy, abs=0.02)  # two characters a name


def test_a_weighted_list_is_learned_as_the_list_that_repeats_its_names():
    weighted = names_of(*["ab", "ba", "bab"] * 50).with_weights(np.tile([1.0, 1.0, 4.0], 50))
    repeated = names_of(*["ab", "ba"] * 25, *["bab"] * 100)
    ours, theirs = (
        probabilities(learned(names, epochs=40).state.parameters, "ab", "ba", "bab")
        for names in (weighted, repeated)
    )
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    np.testing.assert_allclose(ours, [1 / 6, 1 / 6, 2 / 3], atol=0.03)


def test_a_small_list_that_counts_as_much_as_a_large_one_is_not_drowned():
    large, small = ["ab"] * 291, ["cd"] * 9
    names = names_of(*large, *small)
    balanced = names.with_weights(np.array([1 / 291] * 291 + [1 / 9] * 9))
    drowned, heard = (probabilities(learned(each).state.parameters, "cd")[0] for each in (names, balanced))
    assert drowned < 0.06
    assert heard == pytest.approx(0.5, abs=0.03)


def test_ngrams_of_a_weighted_list_are_those_of_the_list_that_repeats_its_names():
    weighted = names_of(*["ab"] * 40, *["ba"] * 40).with_weights(np.array([1.0] * 40 + [3.0] * 40))
    ours = KneserNey.fit(weighted, 3, order=3).to_arrays()
    theirs = KneserNey.fit(names_of(*["ab"] * 20, *["ba"] * 60), 3, order=3).to_arrays()
    assert {name: array.tolist() for name, array in ours.items()} == {
        name: array.tolist() for name, array in theirs.items()
    }


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.integers(0, 99))
def test_metrics_of_names_with_weights_are_those_of_repeated_names(repeats, seed):
    rng = np.random.default_rng(seed)
    names = EncodedNames.from_lists(rng.integers(1, 5, length) for length in rng.integers(1, 6, len(repeats)))
    log_p = -rng.exponential(5, len(repeats))
    rows = np.repeat(np.arange(len(repeats)), repeats)
    ours = metrics(log_p, names.with_weights(np.array(repeats, float)))
    assert ours == pytest.approx(metrics(log_p[rows], names.take(rows)))


def test_the_exponents_of_a_mixture_are_fitted_to_names_as_often_as_they_count():
    parameters = learned(names_of("ab", "ba", "cab"), epochs=3).state.parameters
    ngrams = KneserNey.fit(names_of("ab", "dab", "add"), 5, order=2)
    held_out, weights = names_of(*["ab", "ba", "dad"] * 8), np.array([1.0, 2.0, 5.0] * 8)
    ours, theirs, unweighted = (
        np.concatenate(fit_exponents(parameters, ngrams, each))
        for each in (
            held_out.with_weights(weights),
            held_out.take(np.repeat([0, 1, 2], [3, 6, 15])),  # as many names
            held_out,
        )
    )
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert ours != pytest.approx(unweighted, abs=1e-2)


def test_a_sample_is_compared_with_held_out_names_as_often_as_they_count():
    """Few short names and many long ones, which count as much together; the sample has as many of each."""
    short, long = (["".join(word) for word in itertools.product("abcd", repeat=length)] for length in (2, 4))
    encoded = names_of(*short, *long)
    held_out = NameList([*short, *long], encoded.with_weights(np.array([16.0] * 16 + [1.0] * 256)))
    sample = NameList([*short * 16, *long], names_of(*short * 16, *long))
    sample = sample.take(np.random.default_rng(0).permutation(512))
    training = NameList(["d"], names_of("d"))

    def length_distance(reference):
        figures = compare_samples({"rnn": sample}, reference, training, np.random.default_rng(1))["rnn"]
        return next(figure.value for figure in figures if figure.metric == "length_distance")

    assert length_distance(held_out) < 0.5
    assert length_distance(held_out._replace(encoded=encoded)) > 0.7


def test_each_epoch_resamples_the_names_so_that_a_light_one_is_learned_in_some():
    weights = np.array([1.0] * 30 + [20.0] * 10)
    drawn = [set(systematic_resample(weights, offset)) for offset in np.random.default_rng(0).random(40)]
    assert len(set.union(*drawn)) == 40
    assert all(len(some) < 20 for some in drawn)


def test_without_chance_running_totals_are_rounded_to_the_nearest():
    assert times(np.array([1.0, 2.0, 5.0]), MIDPOINT).tolist() == [0, 1, 2]
