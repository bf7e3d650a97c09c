"""The configuration of examples whose training may start from a champion."""

from dataclasses import dataclass, field, fields
from operator import attrgetter

from data.config import ExamplesConfig
from rnn_core.train.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class WarmExamplesConfig(ExamplesConfig):
    """training:  of the model, which decides whether its names stay in the splits of the champion.

    It is no part of the key: what follows from it is an input.
    """

    training: TrainingConfig = field(default=TrainingConfig(), metadata={"neutral": attrgetter("training")})

    @classmethod
    def of(cls, examples: ExamplesConfig, training: TrainingConfig) -> "WarmExamplesConfig":
        """The same options, and those of the training."""
        options = {option.name: getattr(examples, option.name) for option in fields(examples)}
        return cls(**options, training=training)
