"""Optimizers and schedules against their formulas, written as loops."""

import math

import numpy as np
import pytest

from rnn_core.train.optimizers import (
    CHUNK,
    adam,
    add_decayed_weights,
    chain,
    clip_by_global_norm,
    clip_by_value,
    momentum,
    scale_by,
)
from rnn_core.train.schedules import constant, cosine, warmup
from rnn_core.tree import flat_views, leaves, tree_map


def test_adam_is_algorithm_1_of_its_paper():
    size = 2 * CHUNK + 3  # several chunks and a short one
    rng = np.random.default_rng(0)
    optimizer = adam(beta_1=0.8, beta_2=0.95, epsilon=1e-6)
    state = optimizer.init(np.zeros(size))
    m = v = np.zeros(size)
    for t in range(1, 6):
        g = rng.standard_normal(size)
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g**2
        expected = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-6)
        step = optimizer.update(g.copy(), state, np.zeros(size))
        np.testing.assert_allclose(step, expected, rtol=1e-12, atol=1e-15)


def test_decay_after_adam_is_decoupled():
    parameters = np.array([1.0, -2.0, 0.5])
    rates = np.array([0.1, 0.1, 0.0])
    optimizer = chain(adam(), add_decayed_weights(rates), scale_by(constant(0.01)))
    gradient = np.array([3.0, 1.0, -2.0])
    step = optimizer.update(gradient.copy(), optimizer.init(parameters), parameters)
    np.testing.assert_allclose(step, -0.01 * (np.sign(gradient) + rates * parameters), rtol=1e-7)


def test_momentum_is_a_sum_of_gradients_that_fade():
    gradients = np.random.default_rng(1).standard_normal((6, 5))
    optimizer = momentum(0.7)
    state = optimizer.init(np.zeros(5))
    for t in range(6):
        step = optimizer.update(gradients[t].copy(), state, np.zeros(5))
        expected = sum(0.7 ** (t - age) * gradients[age] for age in range(t + 1))
        np.testing.assert_allclose(step, expected, rtol=1e-12)


def test_the_rule_of_the_notebook_is_a_chain():
    optimizer = chain(clip_by_value(5.0), scale_by(constant(0.01)))
    parameters = np.zeros(3)
    step = optimizer.update(np.array([-7.0, 2.0, 9.0]), optimizer.init(parameters), parameters)
    np.testing.assert_allclose(step, [0.05, -0.02, -0.05], rtol=1e-12)


def test_a_long_gradient_is_shortened_in_its_own_direction_and_a_short_one_left():
    optimizer = clip_by_global_norm(2.0)
    np.testing.assert_allclose(optimizer.update(np.array([3.0, 4.0]), (), np.zeros(2)), [1.2, 1.6])
    np.testing.assert_allclose(optimizer.update(np.array([0.3, 0.4]), (), np.zeros(2)), [0.3, 0.4])


def test_the_learning_rate_rises_and_then_falls_as_a_cosine():
    rates = [warmup(4, then=cosine(2.0, total=8))(step) for step in range(13)]
    assert rates[:5] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    assert rates[8] == pytest.approx(1.0)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[12] == pytest.approx(0.0, abs=1e-12)


def test_the_learning_rate_rises_and_then_stays():
    rates = [warmup(2, then=constant(3.0))(step) for step in range(5)]
    assert rates == pytest.approx([1.5, 3.0, 3.0, 3.0, 3.0])


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_schedule_of_one_step_is_a_number(steps):
    assert math.isfinite(warmup(steps, then=cosine(1.0, total=1 - steps))(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_views_share_their_vector_and_begin_cache_lines(dtype):
    tree = (np.zeros((3, 5)), (np.zeros(7), np.zeros((2, 16))))
    vector, views = flat_views(tree, dtype)
    assert [leaf.shape for leaf in leaves(views)] == [(3, 5), (7,), (2, 16)]
    for number, leaf in enumerate(leaves(views), start=1):
        assert leaf.ctypes.data % 64 == 0
        leaf[...] = number
    assert vector.sum() == 15 + 14 + 96
    doubled = tree_map(lambda leaf: 2 * leaf, views)
    assert [float(leaf.sum()) for leaf in leaves(doubled)] == [30, 28, 192]
