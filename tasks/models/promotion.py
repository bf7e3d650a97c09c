"""The rule by which a candidate becomes the champion. docs/how-to/models.md explains it."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from rnn_core.metrics.bootstrap import Gain
from tasks.config.promotion import NATS, PromotionConfig

# Chosen by simulation (benchmarks/promotion_power.py): at 60, 400 and 4,000 held-out names an equal model
# passes in 9 of 10 cases, and one that is worse by 0.05 in 1 of 20 at most.
_WIDENED = 2.2  # half-widths of the interval that a wide one may reach below 0
_LARGEST_LOSS = 1.1  # margins that the gain itself may lie below 0


class Figure(NamedTuple):
    """One row of what a decision rests on; None where there is no such figure.

    challenger:  the candidate's value.
    difference:  by how much the candidate is better than the champion.
    low, high:   the interval of the difference.
    limit:       that the candidate, or for NATS the lower end of the interval, has to reach.
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
    """How two models predict the same names.

    names:       how many there are.
    candidate:   nats per character of the candidate; champion likewise.
    same_list:   whether both were trained on the same names, as far as is known.
    """

    names: int
    candidate: float
    champion: float
    gain: Gain
    same_list: bool


class Verdict(NamedTuple):
    """Whether to promote a candidate, and why.

    reasons:  for people, each a sentence without its period.
    """

    promote: bool
    figures: list[Figure]
    reasons: list[str]


def promotion_verdict(
    config: PromotionConfig,
    comparison: Comparison | None,
    candidate: Mapping[str, float],
    champion: Mapping[str, float],
) -> Verdict:
    """Whether a candidate takes the place of the champion; what was not measured is not held against it.

    comparison:            None if there is no champion.
    candidate, champion:  figures of a sample of each, by metric, as far as they were measured.
    """
    limited = [_limited(metric, limit, candidate, champion) for metric, limit in config.limits.items()]
    refusals = [
        f"{figure.metric} is {figure.challenger:.3g}, below the limit of {figure.limit:.3g}"
        for figure in limited
        if figure.kept is False
    ]
    if comparison is None:
        reasons = refusals or ["no model was promoted before, and this one keeps every limit"]
        return Verdict(not refusals, limited, reasons)
    predicted, reason = _predicted(config, comparison)
    promote = predicted.kept is True and not refusals
    reasons = [reason] if promote else [*([] if predicted.kept else [reason]), *refusals]
    return Verdict(promote, [predicted, *limited], reasons)


def _limited(
    metric: str, limit: float, candidate: Mapping[str, float], champion: Mapping[str, float]
) -> Figure:
    ours, theirs = candidate.get(metric), champion.get(metric)
    difference = None if ours is None or theirs is None else ours - theirs
    kept = None if ours is None else ours >= limit
    return Figure(metric, ours, theirs, difference, limit=limit, kept=kept)


def _changed_list_limit(margin: float, half_width: float) -> float:
    """What the lower end of the interval has to reach on a changed list.

    The margin alone would refuse nearly every equal model where few names are held out: there the interval is
    as wide as the margin. So it follows the interval, as long as the gain itself is at least -1.1 margins.
    """
    if math.isnan(half_width):
        return -margin
    return max(min(-margin, -_WIDENED * half_width), -_LARGEST_LOSS * margin - half_width)


def _predicted(config: PromotionConfig, comparison: Comparison) -> tuple[Figure, str]:
    """The figure of the names that both models can predict, and the reason that it gives."""
    value, low, high = comparison.gain
    limit = config.min_gain if comparison.same_list else _changed_list_limit(config.margin, value - low)
    if comparison.names < config.min_names:
        few = f"only {comparison.names:,} held-out names can be compared, fewer than {config.min_names:,}"
        return Figure(NATS, None, None, limit=limit, kept=False), few
    kept = low >= limit  # not so for nan
    figure = Figure(NATS, comparison.candidate, comparison.champion, value, low, high, limit, kept)
    if math.isnan(low):
        return figure, "its probabilities, or those of the champion, are not numbers"
    of_list = "the same list" if comparison.same_list else "another list"
    return figure, (
        f"its gain on {comparison.names:,} held-out names is {value:.4f} nats per character ({low:.4f} to "
        f"{high:.4f}); at least {limit:.4g} is required of a model of {of_list}"
    )
