"""JAX: one jitted training step with a scan over time.

Either every batch is padded to the longest name of the list, so that there is one shape to compile, or to its
own longest name, and every length is compiled once before anything is timed. Parameters and moments are
donated, so the step works in place.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.start import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Start


class Jax:
    def __init__(self, start: Start, one_length: bool) -> None:
        self._start = start
        self._length = start.longest if one_length else None
        self._parameters = jax.tree.map(jnp.array, tuple(start.parameters))
        zeros = jax.tree.map(jnp.zeros_like, self._parameters)
        self._moments = zeros, jax.tree.map(jnp.copy, zeros)
        self._count = jnp.zeros((), jnp.int32)

    def step(self, batch: int) -> float:
        tokens, targets = self._start.padded(batch, self._length)
        loss, self._parameters, self._moments, self._count = _step(
            self._start.cell, self._parameters, self._moments, self._count, tokens, targets
        )
        return float(loss)


def _elman(cell: Any, state: Any, token: Any) -> Any:
    (h,) = state
    return (jnp.tanh(cell.W_xh[token] + h @ cell.W_hh + cell.b_h),)


def _gru(cell: Any, state: Any, token: Any) -> Any:
    (h,) = state
    x = cell.W_xh[:, token] + cell.b_h[:, None]
    product = h @ cell.W_hh
    r, z = jax.nn.sigmoid(x[:2] + product[:2])
    n = jnp.tanh(x[2] + r * (product[2] + cell.c_h))
    return (n + z * (h - n),)


def _lstm(cell: Any, state: Any, token: Any) -> Any:
    h, c = state
    gates = cell.W_xh[:, token] + cell.b_h[:, None] + h @ cell.W_hh
    o, i, f = jax.nn.sigmoid(gates[:3])
    c = f * c + i * jnp.tanh(gates[3])
    return o * jnp.tanh(c), c


CELLS = {"elman": _elman, "gru": _gru, "lstm": _lstm}


def _loss(parameters: Any, cell: str, tokens: Any, targets: Any) -> Any:
    (of_cell,), W_hy, b_y = parameters
    zeros = jnp.zeros((tokens.shape[1], len(W_hy)), W_hy.dtype)

    def advance(state: Any, token: Any) -> Any:
        state = CELLS[cell](of_cell, state, token)
        return state, state[0]

    _, hidden = jax.lax.scan(advance, (zeros,) * (2 if cell == "lstm" else 1), tokens)
    log_p = jax.nn.log_softmax(hidden @ W_hy + b_y)
    log_likelihoods = jnp.take_along_axis(log_p, jnp.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    inside = targets >= 0
    return -(log_likelihoods * inside).sum() / inside.sum()


@partial(jax.jit, static_argnums=0, donate_argnums=(1, 2, 3))
def _step(cell: str, parameters: Any, moments: Any, count: Any, tokens: Any, targets: Any) -> Any:
    loss, gradient = jax.value_and_grad(_loss)(parameters, cell, tokens, targets)
    count = count + 1
    first = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, moments[0], gradient)
    second = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, moments[1], gradient)
    bias_1, bias_2 = 1 - BETA_1**count, 1 - BETA_2**count
    parameters = jax.tree.map(
        lambda p, m, v: p - LEARNING_RATE * (m / bias_1) / (jnp.sqrt(v / bias_2) + EPSILON),
        parameters,
        first,
        second,
    )
    return loss, parameters, (first, second), count
