"""The knobs of the stages that make tables. Apart from the code they steer, which is slower to import."""

from dataclasses import dataclass
from typing import Literal

from rnn_core.errors import ConfigError
from rnn_core.evaluation import EvaluationConfig
from rnn_core.ranges import check_choice, check_share, check_whole, out_of_range

ALL_SOURCES = "all"  # where figures of each source stand beside those of all together


@dataclass(frozen=True, slots=True)
class CorpusConfig:
    """How one source is read.

    name:   of the source; it stands beside every name.
    limit:  how many lines are read from the top of the file; None for all.
    """

    name: str
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.name in ("", ALL_SOURCES) or not self.name.isprintable():
            raise ConfigError(
                "config.source",
                f"a source cannot be called {self.name!r}",
                fix='give it a name of its own: name = "towns".',
            )
        if self.limit is not None:
            check_whole("source.limit", self.limit, 1, 1 << 62)


@dataclass(frozen=True, slots=True)
class MergingConfig:
    """How several lists become one.

    normalisation:  `NFC`, so that one name has one spelling, or `none`.
    duplicates:     `drop` keeps the first of equal names, in the stated order; `keep` keeps them all.
    """

    normalisation: Literal["NFC", "none"] = "NFC"
    duplicates: Literal["drop", "keep"] = "drop"

    def __post_init__(self) -> None:
        check_choice("merging.normalisation", self.normalisation, ("NFC", "none"))
        check_choice("merging.duplicates", self.duplicates, ("drop", "keep"))


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """What is accepted.

    min_length:  characters (code points), from 1.
    max_length:  characters (code points).
    """

    min_length: int = 1
    max_length: int = 49

    def __post_init__(self) -> None:
        check_whole("validation.max_length", self.max_length, 1, 1 << 20)
        check_whole("validation.min_length", self.min_length, 1, self.max_length)


@dataclass(frozen=True, slots=True)
class JudgingConfig:
    """evaluation: what is measured. validation: what a name has to be like, also one that a model made."""

    evaluation: EvaluationConfig
    validation: ValidationConfig


@dataclass(frozen=True, slots=True)
class NotebookOrder:
    """The notebook's way: every name is for training, in the order that its generator gives.

    hidden_size:  the parameters are drawn before the names are shuffled, so it changes the order.
    """

    hidden_size: int
    seed: int


@dataclass(frozen=True, slots=True)
class ExamplesConfig:
    """validation_share, test_share: of the distinct names, each in [0, 1); what is left is for training.

    seed: of which names these are, and of the order. They stay the same when others come or go.
    """

    validation_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_share("examples.validation_share", self.validation_share)
        check_share("examples.test_share", self.test_share)
        check_whole("examples.seed", self.seed, 0, (1 << 64) - 1)
        if self.validation_share + self.test_share >= 1:
            given = f"{self.validation_share} and {self.test_share}"
            raise out_of_range("examples.validation_share + examples.test_share", "below 1", given)
