"""The optimizer and the learning rate schedule of a configuration."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from rnn_core.arrays import Floats
from rnn_core.nn import network
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.muon import muon, orthogonal_step
from rnn_core.train.optimizers import (
    Optimizer,
    adam,
    add_decayed_weights,
    chain,
    clip_by_global_norm,
    clip_by_value,
    momentum,
    scale_by,
    squared_norm,
)
from rnn_core.train.schedules import Schedule, constant, cosine, warmup
from rnn_core.tree import flat_size, views

ALL = slice(None)


def build_schedule(config: ResolvedTrainingConfig, steps_total: int) -> Schedule:
    """The learning rate of every step: the warm-up, then the configured schedule."""
    warmup_steps = math.ceil(config.warmup * steps_total)
    if config.schedule == "constant":
        return warmup(warmup_steps, constant(config.learning_rate))
    return warmup(warmup_steps, cosine(config.learning_rate, steps_total - warmup_steps))


def build_optimizer(
    config: ResolvedTrainingConfig,
    parameters: network.NetworkParameters,
    steps_total: int,
    piece: slice = ALL,
    squared_norm: Callable[[Floats], float] = squared_norm,
    orthogonalize: Callable[[Floats], object] | None = None,
) -> Optimizer:
    """The optimizer: gradient clipping, the update rule, weight decay, and the learning rate.

    parameters:    arrays, or what has their shapes.
    piece:         the slice of the flat vector of the parameters that it updates.
    squared_norm:  of a whole vector, given that slice of it.
    orthogonalize: of the matrices of a whole step, given that slice of it; by default that is all of it.
    """
    size = flat_size(parameters, config.dtype)
    rates = np.zeros(size, config.dtype)
    for matrix in network.matrices(views(rates, parameters)):  # the biases are few and do not overfit
        matrix[...] = config.weight_decay
    parts = []
    if config.clip_value:
        parts.append(clip_by_value(config.clip_value))
    if config.clip_norm:
        parts.append(clip_by_global_norm(config.clip_norm, squared_norm))
    if config.optimizer == "adamw":
        parts.append(adam())
    if config.optimizer == "muon":
        matrices = _matrix_segments(parameters, size)
        bounds = range(*piece.indices(size))
        parts.append(adam(segments=_within(bounds, _complement(matrices, size))))
        parts.append(muon(_within(bounds, matrices), orthogonalize or _orthogonalizer(parameters)))
    if config.optimizer == "momentum":
        parts.append(momentum(config.momentum))
    schedule = build_schedule(config, steps_total)
    return chain(*parts, add_decayed_weights(rates[piece]), scale_by(schedule))


def _orthogonalizer(parameters: network.NetworkParameters) -> Callable[[Floats], None]:
    def orthogonalize(step: Floats) -> None:
        for matrix in network.hidden_matrices(views(step, parameters)):
            orthogonal_step(matrix)

    return orthogonalize


def _matrix_segments(parameters: network.NetworkParameters, size: int) -> list[slice]:
    """Where the matrices that Muon updates lie in the flat vector, from left to right."""
    places = np.arange(size, dtype=np.float64)
    matrices = network.hidden_matrices(views(places, parameters))
    return sorted((slice(int(m[0, 0]), int(m[-1, -1]) + 1) for m in matrices), key=lambda part: part.start)


def _complement(segments: Sequence[slice], size: int) -> Iterator[slice]:
    starts, stops = [0, *(part.stop for part in segments)], [*(part.start for part in segments), size]
    yield from map(slice, starts, stops)


def _within(bounds: range, segments: Iterable[slice]) -> list[slice]:
    """What of the segments lies in a slice of the vector, counted from its start."""
    clipped = (
        slice(max(part.start, bounds.start) - bounds.start, min(part.stop, bounds.stop) - bounds.start)
        for part in segments
    )
    return [part for part in clipped if part.start < part.stop]
