"""The knobs of the stages that make tables. Apart from the code they steer, which is slower to import."""

import codecs
from dataclasses import dataclass
from typing import Literal

from rnn_core.errors import ConfigError
from rnn_core.evaluation import EvaluationConfig
from rnn_core.ranges import check_choice, check_positive, check_share, check_whole, out_of_range

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
