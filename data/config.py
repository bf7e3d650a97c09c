"""The knobs of the stages that make tables. Apart from the code they steer, which is slower to import."""

import codecs
from dataclasses import dataclass, fields
from typing import Literal

from data.text.scripts import check_scripts
from rnn_core.errors import ConfigError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.validators import (
    check_at_least_0,
    check_choice,
    check_positive,
    check_share,
    check_text,
    check_whole,
    out_of_range,
)

FORMATS = ("text", "csv", "tsv", "parquet", "feather")
MAX_ROW_BYTES, MAX_BYTES = 1 << 20, 4 << 30
_LEAST_WEIGHT = 1e-9

ALL_SOURCES = "all"  # where figures of each source stand beside those of all together


@dataclass(frozen=True, slots=True)
class CorpusConfig:
    """How one source is read.

    name:             of the source; it stands beside every name.
    format:           of all its files. Whether one is compressed, its bytes tell.
    encoding:         of text, csv and tsv: a codec's name. Bytes that are not of it are an error.
    column:           that holds the names, by name or by number from 1; None for the only one, or `name`.
    header:           whether the first row of csv and tsv names the columns.
    counts:           column that tells how often a name counts; None if each counts once.
    weight:           what the count is multiplied by, for all names of the source.
    limit:            how many rows are read from the top of its first file on; None for all.
    empty_last_line:  what follows the last end of a line of a text is a line too, and an empty name.
    max_row_bytes:    of a row; a longer one is an error.
    max_bytes:        of all its files, unpacked, and of the table made of them; beyond is an error.
    """

    name: str
    format: Literal["text", "csv", "tsv", "parquet", "feather"] = "text"
    encoding: str = "utf-8"
    column: str | int | None = None
    header: bool = True
    counts: str | int | None = None
    weight: float = 1.0
    limit: int | None = None
    empty_last_line: bool = False
    max_row_bytes: int = MAX_ROW_BYTES
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        if self.name in ("", ALL_SOURCES) or not self.name.isprintable():
            raise ConfigError(
                "config.source",
                f"a source cannot be called {self.name!r}",
                fix='give it a name of its own: name = "towns".',
            )
        check_choice("source.format", self.format, FORMATS)
        object.__setattr__(self, "encoding", _codec(self.encoding))
        for knob, column in (("source.column", self.column), ("source.counts", self.counts)):
            if isinstance(column, int):
                check_whole(knob, column, 1, 1 << 31)
        check_positive("source.weight", self.weight)
        if not _LEAST_WEIGHT <= self.weight <= 1 / _LEAST_WEIGHT:
            raise out_of_range(
                "source.weight", f"from {_LEAST_WEIGHT} to {1 / _LEAST_WEIGHT:.0f}", self.weight
            )
        object.__setattr__(self, "weight", float(self.weight))  # 1 and 1.0 would be two keys
        if self.limit is not None:
            check_whole("source.limit", self.limit, 1, 1 << 62)
        check_whole("source.max_row_bytes", self.max_row_bytes, 1, 1 << 26)
        check_whole("source.max_bytes", self.max_bytes, 1, 1 << 62)
        self._check_nothing_idle()

    @property
    def delimiter(self) -> str:
        return "\t" if self.format == "tsv" else ","

    def _check_nothing_idle(self) -> None:
        """A knob that would change nothing is a mistake somewhere."""
        is_text, is_binary = self.format == "text", self.format in ("parquet", "feather")
        idle = {
            "column": is_text and self.column is not None,
            "counts": is_text and self.counts is not None,
            "header": (is_text or is_binary) and not self.header,
            "encoding": is_binary and self.encoding != "utf-8",
            "empty_last_line": not is_text and self.empty_last_line,
        }
        for knob in (knob for knob, said in idle.items() if said):
            raise ConfigError(
                "config.source",
                f"{knob} has no effect on a source in {self.format}",
                where=self.name,
                fix="take it out, or say what the files are: format.",
            )


def _codec(encoding: str) -> str:
    """One name for one encoding, whatever it is called. Raises ConfigError for what is none."""
    try:
        "".encode(encoding)  # a codec of something else than text refuses this
        codecs.getincrementaldecoder(encoding)  # and some cannot read piece by piece
    except (LookupError, ValueError) as unknown:
        raise ConfigError(
            "config.source",
            f"there is no encoding {encoding!r}",
            fix='for instance: encoding = "latin-1", or cp1252, utf-16, shift_jis, gb18030.',
        ) from unknown
    name = codecs.lookup(encoding).name
    return "utf-8" if name == "utf-8-sig" else name  # a mark at the beginning is no part of the text anyway


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

    min_length:           characters as a reader counts them (grapheme clusters); 0 takes an empty name.
    max_length:           characters as a reader counts them.
    scripts:              Unicode names of the scripts a name may be written in, Latin for instance; any if
                          none is named. What belongs to no script (spaces, hyphens, digits) goes with all.
    characters:           those allowed besides these scripts; without scripts, the only ones allowed.
    min_character_count:  a character that stands fewer times in all accepted names is rare; 1: none is.
    rare:                 `drop` the names that hold a rare character, or `remove` it from them.
    max_rejected_share:   of all rows read, blank ones and duplicates aside: above it the run stops.
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
        check_whole("validation.min_length", self.min_length, 0, self.max_length)
        check_scripts("validation.scripts", self.scripts)
        check_text("validation.characters", self.characters)
        check_whole("validation.min_character_count", self.min_character_count, 1, 1 << 62)
        check_choice("validation.rare", self.rare, ("drop", "remove"))
        check_share("validation.max_rejected_share", self.max_rejected_share, with_1=True)


@dataclass(frozen=True, slots=True)
class GateConfig:
    """How far the names may differ from those of the last accepted lists. A limit of "none" is no limit.

    mode:                   `stop` ends a run before anything is learnt beyond a limit; `report` only says so.
    max_rows_lost:          share of the names there were by which they may have become fewer.
    max_rows_gained:        the same for more; 1.0 lets them double.
    max_new_characters:     share of all letters that may be of characters which no name had before.
    max_lost_characters:    share of all letters before that may have been of characters that are gone.
    max_length_distance:    characters by which the distributions of lengths may differ (Wasserstein-1).
    max_duplicates_gained:  by how much the share of names that repeat an earlier one in the files may grow.
    """

    mode: Literal["stop", "report"] = "stop"
    max_rows_lost: float | None = 0.1
    max_rows_gained: float | None = 1.0
    max_new_characters: float | None = 0.005
    max_lost_characters: float | None = 0.005
    max_length_distance: float | None = 1.0
    max_duplicates_gained: float | None = 0.2

    def __post_init__(self) -> None:
        check_choice("gate.mode", self.mode, ("stop", "report"))
        for limit, value in self.limits.items():
            if value is not None:
                check_at_least_0(f"gate.{limit}", value)

    @property
    def limits(self) -> dict[str, float | None]:
        """By the name of the knob."""
        return {knob.name: getattr(self, knob.name) for knob in fields(self) if knob.name != "mode"}


@dataclass(frozen=True, slots=True)
class EvaluationStageConfig:
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
