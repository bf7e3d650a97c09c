"""Optimizers that compose: `chain(clip_by_global_norm(1.0), adam(), scale_by(schedule))`.

Each works on the flat vector of all parameters (`tree.flat_views`), or on a slice of it: what concerns the
whole of it, such as its norm, is asked of a function. `init` gives an optimizer's state, a
tuple of arrays; `update` turns a gradient into the step to *add* to the parameters. New arrays for every step
would cost more than the arithmetic, so `update` overwrites the vector and the state, and returns the vector.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats
from rnn_core.train.schedules import Schedule

OptimizerState: TypeAlias = tuple[Any, ...]
"""Arrays, or tuples of such."""

CHUNK = 16_384  # elements that stay in the cache for all of Adam's formula
BLOCK = 4_096  # elements whose squares are added up by themselves


class Optimizer(NamedTuple):
    """A pair of functions without state of their own."""

    init: Callable[[Floats], OptimizerState]  # parameters -> state
    update: Callable[[Floats, OptimizerState, Floats], Floats]  # gradient, state, parameters -> step


def chain(*parts: Optimizer) -> Optimizer:
    """Optimizers in sequence, each on the result of the one before."""

    def init(parameters: Floats) -> OptimizerState:
        return tuple(part.init(parameters) for part in parts)

    def update(step: Floats, states: OptimizerState, parameters: Floats) -> Floats:
        for part, state in zip(parts, states, strict=True):
            step = part.update(step, state, parameters)
        return step

    return Optimizer(init, update)


def clip_by_value(limit: float) -> Optimizer:
    """Clips every element of the gradient to [-limit, limit]."""

    def update(step: Floats, _state: OptimizerState, _parameters: Floats) -> Floats:
        return np.clip(step, -limit, limit, out=step)

    return Optimizer(_stateless, update)


def block_count(size: int) -> int:
    """The number of blocks of a vector of this size."""
    return -(-size // BLOCK)


def squared_norms(vector: Floats) -> npt.NDArray[np.float64]:
    """The squared norm of every block of a vector; the last block may be shorter.

    How a sum is rounded depends on its order. That of these is the same however the blocks are shared out.
    """
    whole = vector[: len(vector) // BLOCK * BLOCK].reshape(-1, BLOCK)
    rest = vector[whole.size :]
    squares = np.vecdot(whole, whole).astype(np.float64)
    return np.append(squares, rest @ rest) if len(rest) else squares


def squared_norm(vector: Floats) -> float:
    """The squared norm of a vector, block by block."""
    return float(squared_norms(vector).sum())


def clip_by_global_norm(limit: float, squared_norm: Callable[[Floats], float] = squared_norm) -> Optimizer:
    """Clips the gradient to a Euclidean norm of at most `limit`, keeping its direction.

    squared_norm:  of the whole gradient, given the slice that is updated here.

    Source: R. Pascanu, T. Mikolov & Y. Bengio, "On the difficulty of training recurrent neural networks",
    ICML (2013).
    """

    def update(step: Floats, _state: OptimizerState, _parameters: Floats) -> Floats:
        norm = math.sqrt(squared_norm(step))
        if norm > limit:
            step *= limit / norm
        return step

    return Optimizer(_stateless, update)


def adam(
    beta_1: float = 0.9,
    beta_2: float = 0.99,
    epsilon: float = 1e-8,
    segments: Sequence[slice] | None = None,
) -> Optimizer:
    """Adam: the step is m / (sqrt(v) + epsilon), with m = E[g] and v = E[g^2].

    Both are bias-corrected moving averages. Kept are the sums of beta_1^age g and beta_2^age g^2: an average
    is its sum times one number.

    segments:  the parts of the vector that it updates, in their order; by default all of it.

    Source: D. P. Kingma & J. Ba, "Adam: A Method for Stochastic Optimization", ICLR (2015), algorithm 1.
    """

    def init(parameters: Floats) -> OptimizerState:
        return np.zeros_like(parameters), np.zeros_like(parameters), np.zeros((), np.int64)

    def update(step: Floats, state: OptimizerState, _parameters: Floats) -> Floats:
        first, second, count = state
        count += 1
        first_scale, second_scale = (
            (1.0 - beta) / (1.0 - beta ** int(count)) for beta in (beta_1, beta_2)
        )  # from a sum to the average
        root = math.sqrt(second_scale)
        scratch = np.empty(min(CHUNK, len(step)), step.dtype)
        for chunk in chunks_of([slice(0, len(step))] if segments is None else segments):
            g, m, v = step[chunk], first[chunk], second[chunk]
            part = scratch[: len(g)]
            m *= beta_1
            m += g
            v *= beta_2
            v += np.multiply(g, g, out=part)
            np.sqrt(v, out=part)
            part += epsilon / root
            np.divide(m, part, out=g)
            g *= first_scale / root
        return step

    return Optimizer(init, update)


def momentum(beta: float = 0.9) -> Optimizer:
    """Momentum: the step is v = beta v + g, with the gradients of about the last 1 / (1 - beta) steps.

    Source: B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Computational Mathematics and Mathematical Physics 4 (1964).
    """

    def init(parameters: Floats) -> OptimizerState:
        return (np.zeros_like(parameters),)

    def update(step: Floats, state: OptimizerState, _parameters: Floats) -> Floats:
        (velocity,) = state
        velocity *= beta
        velocity += step
        step[:] = velocity
        return step

    return Optimizer(init, update)


def add_decayed_weights(rates: Floats | float) -> Optimizer:
    """Weight decay: adds rate times parameter to the step; after `adam`, this is AdamW.

    rates:  one for all, or (P,) one for each.

    Source: I. Loshchilov & F. Hutter, "Decoupled Weight Decay Regularization", ICLR (2019).
    """

    def update(step: Floats, _state: OptimizerState, parameters: Floats) -> Floats:
        step += rates * parameters
        return step

    return Optimizer(_stateless, update)


def scale_by(schedule: Schedule) -> Optimizer:
    """Multiplies by minus the learning rate of the step; alone, stochastic gradient descent."""

    def init(_parameters: Floats) -> OptimizerState:
        return (np.zeros((), np.int64),)

    def update(step: Floats, state: OptimizerState, _parameters: Floats) -> Floats:
        (count,) = state
        step *= -schedule(int(count))
        count += 1
        return step

    return Optimizer(init, update)


def _stateless(_parameters: Floats) -> OptimizerState:
    return ()


def chunks_of(segments: Sequence[slice]) -> Iterator[slice]:
    """Segments of a vector in chunks of at most CHUNK elements."""
    for segment in segments:
        for start in range(segment.start, segment.stop, CHUNK):
            yield slice(start, min(start + CHUNK, segment.stop))
