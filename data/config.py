"""The options of the stages that make tables, apart from their code, which is slower to import."""

import codecs
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, get_args

from data.conditions import Condition, parse_conditions
from data.text.scripts import check_scripts
from rnn_core.errors import ConfigError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.validators import (
    AT_LEAST_0,
    SEED,
    SHARE,
    SHARE_OR_ALL,
    UTF8,
    Rule,
    ValidatedConfig,
    between,
    check,
    check_fields,
    out_of_range,
    whole,
)

FileFormat = Literal["text", "csv", "tsv", "json", "jsonl", "parquet", "feather"]
FORMATS = get_args(FileFormat)
MAX_ROW_BYTES, MAX_BYTES = 1 << 20, 4 << 30

ALL_SOURCES = "all"  # where figures of each source stand beside those of all together


def _added_later(default: Any) -> Any:
    """A field that is part of a key only where it differs from its default, so that older artifacts stay."""
    return field(default=default, metadata={"neutral": lambda _config: default})


_DELIMITER = Rule(
    "one character of ASCII, but for quotes and line ends",
    lambda value: isinstance(value, str) and len(value) == 1 and value.isascii() and value not in '"\r\n\0',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingConfig:
    """How the files of a source are read, as a user sets it and as the key of its corpus holds it.

    Attributes:
        encoding: Encoding of text, csv, tsv and JSON, `latin-1` for instance. UTF-16 with a byte order mark
            is detected.
        column: Column of the names in csv, tsv, parquet and feather, or field of JSON, by name or by number
            from 1. Default: the only column, or the one called `name`.
        header: Whether the first row of csv and tsv names the columns.
        counts: Column of how often each name counts, by name or by number from 1.
        weight: Factor for these counts, or the weight of each name if there are none.
        limit: Number of rows to read from the top; all by default.
        empty_last_line: Whether what follows the last line break of a text is an empty name, as in the
            original notebook.
        max_row_bytes: Longest row, in bytes; a longer one is an error.
        max_bytes: Most bytes of its files, uncompressed, and of the table made of them; more is an error.
        delimiter: Character between the fields of csv and tsv; a space stands for one or more of them.
        quoting: Whether fields of csv and tsv may be in quotes; if not, a quote is a character.
        decimal: Decimal separator of the counts: `.` or `,`.
        thousands: Thousands separator of the counts: `,`, `.`, `'` or a space.
        where: Rows to read, such as `sex = "F" and year != 1900`; all by default.
        case: `title` writes names in all capitals, or all small letters, with a capital for each word;
            `keep` leaves them.
        skip_rows: Number of lines to skip at the top of each file of text, csv and tsv.
    """

    encoding: str = "utf-8"
    column: str | int | None = None
    header: bool = True
    counts: str | int | None = None
    weight: Annotated[float, between(1e-9, 1e9)] = 1.0
    limit: Annotated[int | None, whole(1, 1 << 62)] = None
    empty_last_line: bool = False
    max_row_bytes: Annotated[int, whole(1, 1 << 26)] = MAX_ROW_BYTES
    max_bytes: Annotated[int, whole(1, 1 << 62)] = MAX_BYTES
    delimiter: Annotated[str | None, _DELIMITER] = _added_later(None)
    quoting: bool = _added_later(True)
    decimal: Literal[".", ","] | None = _added_later(None)
    thousands: Literal[",", ".", "'", " "] | None = _added_later(None)
    where: str | None = _added_later(None)
    case: Literal["keep", "title"] = _added_later("keep")
    skip_rows: Annotated[int, whole(0, 1 << 31)] = _added_later(0)


# Options that say that a file is a table, whatever it is called.
TABLE_OPTIONS = ("column", "header", "counts", "delimiter", "quoting", "decimal", "thousands", "where")


@dataclass(frozen=True, slots=True)
class CorpusConfig(ReadingConfig):
    """How one source is read, with nothing left open: what the key of its corpus holds.

    Attributes:
        name: Name of the source; it stands beside every name.
        format: Format of all its files. Whether one is compressed is read from its bytes.
        is_format_given: Whether the user set the format. If not, a text that looks like a table is refused.
    """

    name: str
    format: FileFormat = "text"
    # Decides what is refused and never what is written, so it is part of no key.
    is_format_given: bool = field(default=False, metadata={"neutral": lambda config: config.is_format_given})

    def __post_init__(self) -> None:
        if self.name in ("", ALL_SOURCES) or not self.name.isprintable():
            raise ConfigError(
                "config.source",
                f"{self.name!r} is not a valid name of a source",
                fix='give it a name of its own: name = "towns".',
            )
        check_fields(self)
        object.__setattr__(self, "encoding", _codec(self.encoding))
        for option, column in (("column", self.column), ("counts", self.counts)):
            if isinstance(column, int):
                check(option, column, whole(1, 1 << 31), f"CorpusConfig.{option}")
        object.__setattr__(self, "weight", float(self.weight))  # 1 and 1.0 would be two keys
        self._check_no_option_without_effect()
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ConfigError(
                "config.source",
                f"thousands and decimal are both {self.thousands!r}",
                where=self.name,
                fix='name the other one too: thousands = ".", decimal = ",".',
            )
        _ = self.conditions

    @property
    def field_delimiter(self) -> str:
        """What stands between the fields of a row."""
        return self.delimiter or ("\t" if self.format == "tsv" else ",")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What `where` asks of a row. Raises ConfigError if that is not understood."""
        return parse_conditions(self.where) if self.where is not None else ()

    def _check_no_option_without_effect(self) -> None:
        """An option that would change nothing is a mistake somewhere."""
        is_text, is_binary = self.format == "text", self.format in ("parquet", "feather")
        is_delimited, is_json = self.format in ("csv", "tsv"), self.format in ("json", "jsonl")
        has_text_counts = self.counts is not None and (is_delimited or is_json)
        unused = {
            "column": is_text and self.column is not None,
            "counts": is_text and self.counts is not None,
            "header": not is_delimited and not self.header,
            "encoding": is_binary and self.encoding != "utf-8",
            "empty_last_line": not is_text and self.empty_last_line,
            "delimiter": not is_delimited and self.delimiter is not None,
            "quoting": not is_delimited and not self.quoting,
            "decimal": not has_text_counts and self.decimal is not None,
            "thousands": not has_text_counts and self.thousands is not None,
            "where": is_text and self.where is not None,
            "skip_rows": (is_binary or is_json) and self.skip_rows != 0,
        }
        for option in (option for option, is_unused in unused.items() if is_unused):
            raise ConfigError(
                "config.source",
                f"{option} has no effect on a source in {self.format}"
                + (" without counts" if option in ("decimal", "thousands") and self.counts is None else ""),
                where=self.name,
                fix="leave it out, or set the format of the files.",
            )


def _codec(encoding: str) -> str:
    """The canonical name of an encoding. Raises ConfigError if it is unknown."""
    try:
        "".encode(encoding)  # a codec of something else than text refuses this
        codecs.getincrementaldecoder(encoding)  # and some cannot read piece by piece
    except (LookupError, ValueError) as unknown:
        raise ConfigError(
            "config.source",
            f"unknown encoding {encoding!r}",
            fix='for instance: encoding = "latin-1", or cp1252, utf-16, shift_jis, gb18030.',
        ) from unknown
    name = codecs.lookup(encoding).name
    return "utf-8" if name == "utf-8-sig" else name  # a byte order mark is never part of the text


@dataclass(frozen=True, slots=True)
class MergingConfig(ValidatedConfig):
    """How several lists become one, in the order of the sources and of their lines.

    Attributes:
        normalisation: Unicode normal form: `NFC` gives every name one spelling, `none` keeps each as
            written.
        white_space: White space inside a name: `keep` it, or `fold` each run of it into one space.
        duplicates: `drop` keeps the first of equal names, `count` also gives it the weight of all of
            them, `keep` keeps all.
        balance: `equal` gives every source the same total weight, so that a short list is not drowned
            out; `none` leaves weights unchanged.
    """

    normalisation: Literal["NFC", "none"] = "NFC"
    white_space: Literal["keep", "fold"] = "keep"
    duplicates: Literal["drop", "count", "keep"] = "drop"
    balance: Literal["none", "equal"] = "none"


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """Which names are accepted.

    Attributes:
        min_length: Shortest name, in characters as a reader counts them (grapheme clusters); 0 accepts an
            empty name.
        max_length: Longest name, in characters as a reader counts them.
        scripts: Unicode scripts that a name may be written in, `Latin` for instance; any by default.
            Characters of no script (spaces, hyphens, digits) are always allowed.
        characters: Characters allowed besides these scripts; without scripts, the only ones allowed.
        min_character_count: A character is rare if all accepted names together have fewer of it than
            this; with 1, none is.
        rare: `drop` names with a rare character, or `remove` the character from them.
        max_rejected_share: Largest share of rejected rows, not counting blank rows and duplicates; above
            it the run stops.
    """

    min_length: Annotated[int, whole(0, 1 << 20)] = 1
    max_length: Annotated[int, whole(1, 1 << 20)] = 49
    scripts: tuple[str, ...] = ()
    characters: Annotated[str, UTF8] = ""
    min_character_count: Annotated[int, whole(1, 1 << 62)] = 1
    rare: Literal["drop", "remove"] = "drop"
    max_rejected_share: Annotated[float, SHARE_OR_ALL] = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        check("min_length", self.min_length, whole(0, self.max_length), "ValidationConfig.min_length")
        check_scripts("validation.scripts", self.scripts)


@dataclass(frozen=True, slots=True)
class GateConfig(ValidatedConfig):
    """How far the lists may drift from the last accepted ones. `none` means no limit.

    Attributes:
        mode: Beyond a limit, `stop` ends the run before training; `report` only reports it.
        max_rows_lost: Largest allowed drop in the number of names, as a share.
        max_rows_gained: Largest allowed growth of the number of names, as a share; 1.0 lets it double.
        max_new_characters: Largest share of all letters in characters that no name had before.
        max_lost_characters: Largest share of all earlier letters in characters that no name has any more.
        max_length_distance: Largest distance between the distributions of lengths, in characters
            (Wasserstein-1).
        max_duplicates_gained: Largest growth of the share of duplicate names.
    """

    mode: Literal["stop", "report"] = "stop"
    max_rows_lost: Annotated[float | None, AT_LEAST_0] = 0.1
    max_rows_gained: Annotated[float | None, AT_LEAST_0] = 1.0
    max_new_characters: Annotated[float | None, AT_LEAST_0] = 0.005
    max_lost_characters: Annotated[float | None, AT_LEAST_0] = 0.005
    max_length_distance: Annotated[float | None, AT_LEAST_0] = 1.0
    max_duplicates_gained: Annotated[float | None, AT_LEAST_0] = 0.2

    @property
    def limits(self) -> dict[str, float | None]:
        """By the name of the option."""
        return {limit.name: getattr(self, limit.name) for limit in fields(self) if limit.name != "mode"}


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
    """How the names are split; what is left is for training.

    Attributes:
        validation_share: Share of the distinct names for validation, which stops training and fits the
            mixture.
        test_share: Share of the distinct names for the test set, which evaluates models.
        seed: Random seed of the split and of the order. A name stays in its set when others come or go.
    """

    validation_share: Annotated[float, SHARE] = 0.1
    test_share: Annotated[float, SHARE] = 0.1
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.validation_share + self.test_share >= 1:
            shares = f"{self.validation_share} and {self.test_share}"
            raise out_of_range(
                "validation_share + test_share", "below 1", shares, "ExamplesConfig.validation_share"
            )
