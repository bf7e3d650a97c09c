"""The optimizer and the learning rate schedule of a configuration."""

import math
from collections.abc import Callable

import numpy as np

from rnn_core.arrays import Floats
from rnn_core.nn import network
from rnn_core.train.config import ResolvedTrainingConfig
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
) -> Optimizer:
    """The optimizer: gradient clipping, the update rule, weight decay, and the learning rate.

    parameters:    arrays, or what has their shapes.
    piece:         the slice of the flat vector of the parameters that it updates.
    squared_norm:  of a whole vector, given that slice of it.
    """
    rates = np.zeros(flat_size(parameters, config.dtype), config.dtype)
    for matrix in network.matrices(views(rates, parameters)):  # the biases are few and do not overfit
        matrix[...] = config.weight_decay
    parts = []
    if config.clip_value:
        parts.append(clip_by_value(config.clip_value))
    if config.clip_norm:
        parts.append(clip_by_global_norm(config.clip_norm, squared_norm))
    if config.optimizer == "adamw":
        parts.append(adam())
    if config.optimizer == "momentum":
        parts.append(momentum(config.momentum))
    schedule = build_schedule(config, steps_total)
    return chain(*parts, add_decayed_weights(rates[piece]), scale_by(schedule))
