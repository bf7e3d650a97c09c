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
    """When a new model, the candidate, replaces the champion, the model that names come from.

    Attributes:
        mode: `automatic` promotes at the end of a run; with `manual` only `namewright models promote`
            does.
        min_gain: Nats per character by which the candidate has to predict held-out names better than the
            champion: the lower end of the interval is at least this. Above 0, or else another seed would
            be enough.
        margin: Nats per character by which the candidate may be worse if its list of names is not the
            champion's: the lower end of the interval is at least minus this, or somewhat lower where
            few names make it wide.
        confidence: Confidence level of the interval.
        resamples: Bootstrap resamples for the interval.
        min_names: Fewest held-out names for a comparison; with fewer the champion stays.
        min_validity: Smallest share of valid names among those that the candidate generates.
        min_novelty: Smallest share of generated names that are not training names.
        min_edit_distance_ratio: Smallest ratio of the distance from generated names to training names to
            that from held-out names; near 0 the model copies.
        seed: Random seed of the resamples.
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
class DecisionConfig:
    """drawn_from: of each model, what names are drawn from, and so what is compared; None for its default."""

    promotion: PromotionConfig
    drawn_from: ModelKind | None
