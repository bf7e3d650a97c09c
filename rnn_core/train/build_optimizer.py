"""The way downhill that a configuration describes: its schedule, and its optimizer."""

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
    rising = math.ceil(config.warmup * steps_total)
    if config.schedule == "constant":
        return warmup(rising, constant(config.learning_rate))
    return warmup(rising, cosine(config.learning_rate, steps_total - rising))


def build_optimizer(
    config: ResolvedTrainingConfig, parameters: network.NetworkParameters, steps_total: int
) -> Optimizer:
    rates, views = flat_views(parameters, config.dtype)
    for matrix in network.matrices(views):  # biases are few and do not overfit
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
