"""The rule by which a challenger becomes the champion. docs/models.md explains it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from artifacts.model_file import DrawnFrom
from rnn_core.errors import ConfigError
from rnn_core.metrics.bootstrap import Gain
from rnn_core.metrics.sample_metrics import DISTANCE_RATIO
from rnn_core.validators import check_at_least_0, check_choice, check_share, check_whole

NATS, VALIDITY, NOVELTY = "nats_per_character", "validity", "novelty"


@dataclass(frozen=True, slots=True)
class PromotionConfig:
    """When a new model takes the place of the one that names are drawn from, the champion.

    mode:                     automatic: it takes it at the end of the run; manual: only `namewright models
                              promote` gives it.
    min_gain:                 nats per character by which it has to predict held-out names better than the
                              champion: the lower end of the interval is at least this. Above 0, or else a
                              training with another seed would be enough.
    margin:                   nats per character that it may be worse, if its list of names is another than
                              the champion's: the lower end of the interval is at least minus this.
    confidence:               of the interval.
    resamples:                of the names that are compared, for the interval.
    min_names:                held-out names that have to be comparable; with fewer the champion stays.
    min_validity:             of the names it makes, the share that is valid.
    min_novelty:              of the names it makes, the share that no training name equals.
    min_edit_distance_ratio:  how far from training names the names are that it makes, over how far held-out
                              names are; nearer to 0 it copies.
    seed:                     of the resamples.
    """

    mode: Literal["automatic", "manual"] = "automatic"
    min_gain: float = 0.002
    margin: float = 0.02
    confidence: float = 0.95
    resamples: int = 2_000
    min_names: int = 30
    min_validity: float = 0.5
    min_novelty: float = 0.1
    min_edit_distance_ratio: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("promotion.mode", self.mode, ("automatic", "manual"))
        check_whole("promotion.resamples", self.resamples, 100, 100_000)
        check_whole("promotion.min_names", self.min_names, 1, 1 << 40)
        check_whole("promotion.seed", self.seed, 0, (1 << 64) - 1)
        for knob in ("confidence", "min_validity", "min_novelty"):
            check_share(f"promotion.{knob}", getattr(self, knob))
        for knob in ("min_gain", "margin", "min_edit_distance_ratio"):
            check_at_least_0(f"promotion.{knob}", getattr(self, knob))
        if not self.confidence:
            raise ConfigError(
                "config.range",
                "promotion.confidence must be above 0 and below 1",
                where="promotion.confidence",
                saw=repr(self.confidence),
                fix="give a value in that range: 0.95.",
            )

    @property
    def limits(self) -> Mapping[str, float]:
        """Of the names that a model makes, by metric."""
        return {
            VALIDITY: self.min_validity,
            NOVELTY: self.min_novelty,
            DISTANCE_RATIO: self.min_edit_distance_ratio,
        }


@dataclass(frozen=True, slots=True)
class DecidingConfig:
    """drawn_from: of each model, what names are drawn from, and so what is compared."""

    promotion: PromotionConfig
    drawn_from: DrawnFrom


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


class Compared(NamedTuple):
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


def verdict(
    config: PromotionConfig,
    compared: Compared | None,
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


def _predicted(config: PromotionConfig, compared: Compared) -> tuple[Figure, str]:
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
