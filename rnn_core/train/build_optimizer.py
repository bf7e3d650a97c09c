"""The way downhill that a configuration describes: its schedule, and its optimizer."""

import math

from rnn_core.nn import network
from rnn_core.train.config import Training
from rnn_core.train.optimizers import Optimizer, adam, chain, clip, clip_by_norm, decay, momentum, scale_by
from rnn_core.train.schedules import Schedule, constant, cosine, warmup
from rnn_core.tree import flat_views


def schedule_of(config: Training, steps_total: int) -> Schedule:
    rising = math.ceil(config.warmup * steps_total)
    if config.schedule == "constant":
        return warmup(rising, constant(config.learning_rate))
    return warmup(rising, cosine(config.learning_rate, steps_total - rising))


def optimizer_of(config: Training, parameters: network.Parameters, steps_total: int) -> Optimizer:
    rates, views = flat_views(parameters, config.dtype)
    for matrix in network.matrices(views):  # biases are few and do not overfit
        matrix[...] = config.weight_decay
    parts = []
    if config.clip_value:
        parts.append(clip(config.clip_value))
    if config.clip_norm:
        parts.append(clip_by_norm(config.clip_norm))
    if config.optimizer == "adamw":
        parts.append(adam())
    if config.optimizer == "momentum":
        parts.append(momentum(config.momentum))
    return chain(*parts, decay(rates), scale_by(schedule_of(config, steps_total)))
