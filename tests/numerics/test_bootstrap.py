"""Two models compared on the same names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.metrics import bootstrap
from rnn_core.metrics.bootstrap import paired_gain

RNG = np.random.default_rng


def scored(rng, count, gain, spread=2.0):
    """Names that are hard for both models or for none; one gains so much a character on average."""
    characters = rng.integers(3, 15, count)
    champion = -characters * rng.uniform(1.0, 3.0, count)
    return champion + characters * gain + rng.normal(0.0, spread, count), champion, characters


@given(
    st.lists(st.tuples(st.floats(-1e3, 0.0), st.integers(1, 60)), min_size=1, max_size=40), st.integers(0, 99)
)
def test_a_model_gains_exactly_nothing_on_itself(names, seed):
    log_probabilities, characters = map(np.array, zip(*names, strict=True))
    assert paired_gain(log_probabilities, log_probabilities, characters, RNG(seed), 50) == (0.0, 0.0, 0.0)


@given(st.integers(0, 1 << 30))
def test_whose_gain_it_is_decides_its_sign(seed):
    a, b, characters = scored(RNG(seed), 30, 0.1)
    value, low, high = paired_gain(a, b, characters, RNG(seed), 200)
    assert low <= high
    assert paired_gain(b, a, characters, RNG(seed), 200) == pytest.approx((-value, -high, -low))
    assert value == pytest.approx(a.sum() / characters.sum() - b.sum() / characters.sum())


def test_the_interval_holds_the_true_gain_as_often_as_it_says():
    rng, times, true = RNG(7), 400, 0.05
    held = 0
    for _ in range(times):
        _, low, high = paired_gain(*scored(rng, 150, true), rng, 400, confidence=0.9)
        held += low <= true <= high
    assert held / times == pytest.approx(0.9, abs=0.05)  # three standard deviations


def test_the_interval_is_as_wide_as_the_theory_of_means_says():
    """One character a name: the gain is a mean, and its interval the normal one."""
    rng = RNG(3)
    gains = rng.normal(0.0, 1.0, 4_000)
    value, low, high = paired_gain(gains, np.zeros(4_000), np.ones(4_000, np.int64), rng, 4_000)
    half = 1.96 * gains.std() / np.sqrt(4_000)
    assert (low - value, high - value) == pytest.approx((-half, half), rel=0.08)


def test_names_in_groups_vary_as_single_names_do(monkeypatch):
    names = scored(RNG(5), 6_000, 0.05)
    alone = paired_gain(*names, RNG(1))
    monkeypatch.setattr(bootstrap, "GROUPS", 1_000)
    together = paired_gain(*names, RNG(1))
    assert together.value == pytest.approx(alone.value)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_it_is_the_same_interval_however_much_is_drawn_at_once(monkeypatch):
    names = scored(RNG(5), 100, 0.05)
    at_once = paired_gain(*names, RNG(1), 300)
    monkeypatch.setattr(bootstrap, "_INDICES_AT_ONCE", 700)
    assert paired_gain(*names, RNG(1), 300) == at_once


@pytest.mark.parametrize("values", [[], [np.nan, -1.0], [-np.inf, -1.0]], ids=repr)
def test_without_numbers_there_is_no_gain_and_no_warning(values):
    same = np.array(values, np.float64)
    with np.errstate(all="raise"):
        assert np.isnan(paired_gain(same, same, np.ones(len(values), np.int64), RNG(0))).all()
