"""When a challenger becomes the champion, as a user sets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from artifacts.model_file import ModelKind
from rnn_core.metrics.sample_metrics import DISTANCE_RATIO
from rnn_core.validators import AT_LEAST_0, INNER_SHARE, SEED, SHARE, ValidatedConfig, whole

NATS, VALIDITY, NOVELTY = "nats_per_character", "validity", "novelty"


@dataclass(frozen=True, slots=True)
class PromotionConfig(ValidatedConfig):
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
    min_gain: Annotated[float, AT_LEAST_0] = 0.002
    margin: Annotated[float, AT_LEAST_0] = 0.02
    confidence: Annotated[float, INNER_SHARE] = 0.95
    resamples: Annotated[int, whole(100, 100_000)] = 2_000
    min_names: Annotated[int, whole(1, 1 << 40)] = 30
    min_validity: Annotated[float, SHARE] = 0.5
    min_novelty: Annotated[float, SHARE] = 0.1
    min_edit_distance_ratio: Annotated[float, AT_LEAST_0] = 0.3
    seed: Annotated[int, SEED] = 0

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
