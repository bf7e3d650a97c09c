"""The optimizer and the learning rate schedule of a configuration."""

import math

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
)
from rnn_core.train.schedules import Schedule, constant, cosine, warmup
from rnn_core.tree import flat_views


def build_schedule(config: ResolvedTrainingConfig, steps_total: int) -> Schedule:
    """The learning rate of every step: the warm-up, then the configured schedule."""
    warmup_steps = math.ceil(config.warmup * steps_total)
    if config.schedule == "constant":
        return warmup(warmup_steps, constant(config.learning_rate))
    return warmup(warmup_steps, cosine(config.learning_rate, steps_total - warmup_steps))


def build_optimizer(
    config: ResolvedTrainingConfig, parameters: network.NetworkParameters, steps_total: int
) -> Optimizer:
    """The optimizer: gradient clipping, the update rule, weight decay, and the learning rate."""
    rates, views = flat_views(parameters, config.dtype)
    for matrix in network.matrices(views):  # the biases are few and do not overfit
        matrix[...] = config.weight_decay
    parts = []
    if config.clip_value:
        parts.append(clip_by_value(config.clip_value))
    if config.clip_norm:
        parts.append(clip_by_global_norm(config.clip_norm))
    if config.optimizer == "adamw":
        parts.append(adam())
    if config.optimizer == "momentum":
        parts.append(momentum(config.momentum))
    return chain(*parts, add_decayed_weights(rates), scale_by(build_schedule(config, steps_total)))
