"""The knobs of the stages that make tables. Apart from the code they steer, which is slower to import."""

from dataclasses import dataclass
from typing import Literal

from data.scripts import check_scripts
from rnn_core.errors import ConfigError
from rnn_core.evaluation import EvaluationConfig
from rnn_core.ranges import check_choice, check_share, check_text, check_whole, out_of_range

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
    """How several lists become one, in the order of the sources and of their lines.

    normalisation:  `NFC`, so that one name has one spelling, or `none`.
    white_space:    within a name: `keep` it as it stands, or `fold` each run of it into one space.
    duplicates:     `drop` keeps the first of equal names; `count` does too, and it gets the weight of all of
                    them; `keep` keeps them all.
    balance:        `equal` gives every source the same total weight, so that a short list is not drowned;
                    `none` leaves weights as they are.
    """

    normalisation: Literal["NFC", "none"] = "NFC"
    white_space: Literal["keep", "fold"] = "keep"
    duplicates: Literal["drop", "count", "keep"] = "drop"
    balance: Literal["none", "equal"] = "none"

    def __post_init__(self) -> None:
        check_choice("merging.normalisation", self.normalisation, ("NFC", "none"))
        check_choice("merging.white_space", self.white_space, ("keep", "fold"))
        check_choice("merging.duplicates", self.duplicates, ("drop", "count", "keep"))
        check_choice("merging.balance", self.balance, ("none", "equal"))


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """What is accepted.

    min_length:           characters as a reader counts them (grapheme clusters), from 1.
    max_length:           characters as a reader counts them.
    scripts:              Unicode names of the scripts a name may be written in, Latin for instance; any if
                          none is named. What belongs to no script (spaces, hyphens, digits) goes with all.
    characters:           those allowed besides these scripts; without scripts, the only ones allowed.
    min_character_count:  a character that stands fewer times in all accepted names is rare; 1: none is.
    rare:                 `drop` the names that hold a rare character, or `remove` it from them.
    max_rejected_share:   of all rows read, blank lines and duplicates aside: above it the run stops.
    """

    min_length: int = 1
    max_length: int = 49
    scripts: tuple[str, ...] = ()
    characters: str = ""
    min_character_count: int = 1
    rare: Literal["drop", "remove"] = "drop"
    max_rejected_share: float = 0.5

    def __post_init__(self) -> None:
        check_whole("validation.max_length", self.max_length, 1, 1 << 20)
        check_whole("validation.min_length", self.min_length, 1, self.max_length)
        check_scripts("validation.scripts", self.scripts)
        check_text("validation.characters", self.characters)
        check_whole("validation.min_character_count", self.min_character_count, 1, 1 << 62)
        check_choice("validation.rare", self.rare, ("drop", "remove"))
        check_share("validation.max_rejected_share", self.max_rejected_share, with_1=True)


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
    """validation_share, test_share: of the distinct names, each in [0, 1); what is left is for training."""

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
