"""When a challenger becomes the champion, as a user sets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from artifacts.model_file import ModelKind
from rnn_core.errors import ConfigError
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
    drawn_from: ModelKind
