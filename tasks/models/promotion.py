"""The rule by which a challenger becomes the champion. docs/how-to/models.md explains it."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from rnn_core.metrics.bootstrap import Gain
from tasks.config.promotion import NATS, PromotionConfig


class Figure(NamedTuple):
    """One row of what a decision rests on; None where there is no such figure.

    difference:  by how much the challenger is the better one.
    low, high:   the interval of the difference.
    limit:       that the challenger, or for NATS the lower end of the interval, has to reach.
    kept:        whether it does.
    """

    metric: str
    challenger: float | None
    champion: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    kept: bool | None = None


class Comparison(NamedTuple):
    """Both models on the same names.

    names:       how many.
    challenger:  nats per character; champion as well.
    same_list:   whether both come from the same list of names, as far as is known.
    """

    names: int
    challenger: float
    champion: float
    gain: Gain
    same_list: bool


class Verdict(NamedTuple):
    """reasons: for people, each a sentence without its full stop."""

    promote: bool
    figures: list[Figure]
    reasons: list[str]


def promotion_verdict(
    config: PromotionConfig,
    compared: Comparison | None,
    challenger: Mapping[str, float],
    champion: Mapping[str, float],
) -> Verdict:
    """Whether the challenger deserves to be champion. What was not measured is not held against it.

    compared:               None if there is no champion.
    challenger, champion:   figures of a sample of each, by metric, as far as they were measured.
    """
    made = [_limited(metric, limit, challenger, champion) for metric, limit in config.limits.items()]
    refusals = [
        f"{figure.metric} is {figure.challenger:.3g}, and at least {figure.limit:.3g} is asked for"
        for figure in made
        if figure.kept is False
    ]
    if compared is None:
        reasons = refusals or ["no model was promoted before, and this one keeps every limit"]
        return Verdict(not refusals, made, reasons)
    predicted, reason = _predicted(config, compared)
    promote = predicted.kept is True and not refusals
    reasons = [reason] if promote else [*([] if predicted.kept else [reason]), *refusals]
    return Verdict(promote, [predicted, *made], reasons)


def _limited(
    metric: str, limit: float, challenger: Mapping[str, float], champion: Mapping[str, float]
) -> Figure:
    ours, theirs = challenger.get(metric), champion.get(metric)
    difference = None if ours is None or theirs is None else ours - theirs
    kept = None if ours is None else ours >= limit
    return Figure(metric, ours, theirs, difference, limit=limit, kept=kept)


def _predicted(config: PromotionConfig, compared: Comparison) -> tuple[Figure, str]:
    """Of the names that both can be asked for, and what there is to say of it."""
    limit = config.min_gain if compared.same_list else -config.margin
    if compared.names < config.min_names:
        few = f"{compared.names:,} held-out names can be compared, and {config.min_names:,} are asked for"
        return Figure(NATS, None, None, limit=limit, kept=False), few
    value, low, high = compared.gain
    kept = low >= limit  # not so for nan
    figure = Figure(NATS, compared.challenger, compared.champion, value, low, high, limit, kept)
    if math.isnan(low):
        return figure, "its probabilities, or those of the champion, are no numbers"
    of_list = "the same list" if compared.same_list else "another list"
    return figure, (
        f"its gain on {compared.names:,} held-out names is {value:.4f} nats per character ({low:.4f} to "
        f"{high:.4f}), and at least {limit:g} is asked for from a model of {of_list}"
    )
