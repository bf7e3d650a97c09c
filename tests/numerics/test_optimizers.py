"""Optimizers and schedules against their formulas, written as loops."""

import math

import numpy as np
import pytest

from rnn_core.nn import network
from rnn_core.train.build_optimizer import build_optimizer
from rnn_core.train.config import TrainingConfig
from rnn_core.train.muon import muon, orthogonal_step
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


def polar_express(singular_values):
    """The polynomials of the first three steps in the listing of arXiv 2505.16932, one after the other."""
    for a, b, c in [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    ]:
        singular_values = a * singular_values + b * singular_values**3 + c * singular_values**5
    return singular_values


def by_svd(u):
    """Muon's step of a matrix: its singular vectors, and polynomials of its singular values alone."""
    left, values, right = np.linalg.svd(u)
    return 0.2 * math.sqrt(len(u)) * (left * polar_express(values / np.linalg.norm(u))) @ right


def test_muon_is_its_formula_by_singular_values_and_touches_nothing_else():
    rng, size = np.random.default_rng(0), 150  # a matrix is more than a chunk
    matrix = slice(3, 3 + size * size)

    def orthogonalize(step):
        orthogonal_step(step[matrix].reshape(size, size))

    optimizer = muon([matrix], orthogonalize)
    state = optimizer.init(np.zeros(matrix.stop + 5))
    m = np.zeros((size, size))
    for _ in range(4):
        gradient = rng.standard_normal(matrix.stop + 5)
        g = gradient[matrix].reshape(size, size)
        m = 0.95 * m + 0.05 * g
        step = optimizer.update(gradient.copy(), state, np.zeros(len(gradient)))
        np.testing.assert_allclose(step[matrix].reshape(size, size), by_svd(0.95 * m + 0.05 * g), atol=1e-9)
        assert (step[:3] == gradient[:3]).all()
        assert (step[matrix.stop :] == gradient[matrix.stop :]).all()


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("size", [1, 2, 24, 192])
def test_the_singular_values_of_a_step_are_around_1_whatever_those_of_the_gradient(size, scale):
    rng = np.random.default_rng(size)
    left, right = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    gradient = (left * np.geomspace(0.002 * math.sqrt(size), 1.0, size)) @ right * scale
    step = gradient.astype(np.float32)
    orthogonal_step(step)
    values = np.linalg.svd(step / (0.2 * math.sqrt(size)), compute_uv=False)
    assert 0.13 < values.min() <= values.max() < 1.87


def test_a_matrix_of_zeros_does_not_move():
    step = np.zeros((4, 4), np.float32)
    orthogonal_step(step)
    assert not step.any()


@pytest.mark.parametrize(("cell", "gates"), [("elman", 1), ("gru", 3), ("lstm", 4)])
def test_with_muon_each_gate_has_a_matrix_of_its_own_and_all_else_is_adamw(cell, gates):
    options = {"cell": cell, "layers": 2, "hidden_size": 6, "learning_rate": 0.5, "schedule": "constant"}
    options |= {"weight_decay": 0.25, "warmup": 0.0, "dtype": "float64", "clip_norm": 0.0}
    config = TrainingConfig(**options, optimizer="muon").resolve(100)
    rng = np.random.default_rng(1)
    parameters = network.init(rng, cell, 5, 6, "float64", layers=2)
    vector, kept = flat_views(parameters, "float64")
    tree_map(np.copyto, kept, parameters)
    gradient, gradients = flat_views(parameters, "float64")
    for leaf in leaves(gradients):
        leaf[...] = rng.standard_normal(leaf.shape)
    steps = {}
    for optimizer in ("muon", "adamw"):
        flat, steps[optimizer] = flat_views(parameters, "float64")
        chosen = build_optimizer(TrainingConfig(**options, optimizer=optimizer).resolve(100), kept, 10)
        flat[:] = chosen.update(gradient.copy(), chosen.init(vector), vector)
    assert config.optimizer == "muon"
    first, second = kept.layers
    orthogonal = {id(leaf) for leaf in (first.W_hh, second.W_xh, second.W_hh)}
    for w, g, step, adam_step in zip(
        *map(leaves, (kept, gradients, steps["muon"], steps["adamw"])), strict=True
    ):
        if id(w) not in orthogonal:
            np.testing.assert_array_equal(step, adam_step)
            continue
        stacks = [stack.reshape(gates, 6, 6) for stack in (w, g, step)]
        for W, G, moved in zip(*stacks, strict=True):
            np.testing.assert_allclose(moved, -0.5 * (by_svd(G) + 0.25 * W), atol=1e-12)


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
