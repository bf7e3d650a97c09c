"""Which list of names `generate` makes, and the configurations of the stages that make it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from artifacts.exports import Format
from data.config import CorpusConfig
from rnn_core.errors import ConfigError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import WISH_REVISION, SamplingConfig
from rnn_core.validators import TEXT, check_fields, out_of_range, whole
from tasks.config.wish_lists import identity, wish_list

TRAINING_LIST_COLUMNS = ("in_training", "source")  # columns that need it
STYLE_COLUMN = "style"  # of a model that knows styles
COLUMNS = ("index", "name", "log_probability", "length", *TRAINING_LIST_COLUMNS, STYLE_COLUMN)
NAMES_PER_PARTITION = 1 << 19  # requested names; what a process holds of them while it looks for repeats


def _separated(_type: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    """The columns of `--columns name,length`, or of one option for each."""
    return tuple(column.strip() for token in tokens for column in token.value.split(","))


@dataclass(frozen=True, slots=True)
class FileConfig:
    """One file of the list. number: of the shard. first: index of its first name. columns: in this order."""

    number: int
    first: int
    format: Format
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterConfig:
    """Which names are accepted. partitions: by the hash of a name, so that equal names meet in one."""

    unique: bool
    novel: bool
    novel_distance: int
    partitions: int


class _WithWishes:
    """A configuration of names with the wishes of `sampling`, and lists that are excluded."""

    __slots__ = ()
    sampling: SamplingConfig
    exclude: Any
    exclude_containing: Any

    @property
    def has_wishes(self) -> bool:
        """Whether whole names have to be as wished, so that they may be rare."""
        return self.sampling.has_wishes or bool(self.exclude or self.exclude_containing)


def wish_revision(config: SamplingConfig | _WithWishes) -> int:
    """What wishes add to the version of a stage that draws names; 0 without."""
    return WISH_REVISION if config.has_wishes else 0


@dataclass(frozen=True, slots=True)
class ShardConfig(_WithWishes):
    """Names from number `start` on, `sampling.count` of them, straight into a file.

    exclude, exclude_containing:  how these lists are read, if there are any.
    """

    sampling: SamplingConfig
    start: int
    file: FileConfig
    exclude: CorpusConfig | None = field(default=None, metadata={"neutral": lambda _config: None})
    exclude_containing: CorpusConfig | None = field(default=None, metadata={"neutral": lambda _config: None})


@dataclass(frozen=True, slots=True)
class CandidatesConfig(_WithWishes):
    """Names from number `start` on, `sampling.count` of them, of which the accepted ones are kept.

    exclude, exclude_containing:  as of `ShardConfig`.
    """

    sampling: SamplingConfig
    start: int
    sifting: FilterConfig
    exclude: CorpusConfig | None = field(default=None, metadata={"neutral": lambda _config: None})
    exclude_containing: CorpusConfig | None = field(default=None, metadata={"neutral": lambda _config: None})


@dataclass(frozen=True, slots=True)
class PartitionConfig:
    """One partition of the names, by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class CompactionConfig:
    """A file of accepted names.

    reads:  range of the candidates' artifacts to read.
    skip:   names of theirs before the first of this file.
    count:  names in the file.
    """

    reads: tuple[int, int]
    skip: int
    count: int
    capitalise_first: bool
    file: FileConfig


@dataclass(frozen=True, slots=True)
class GenerateConfig(_WithWishes):
    """Which list of names to generate.

    Attributes:
        unique: No name twice in the whole list; names that were already generated are skipped.
        novel: No name of the model's training list.
        novel_distance: With novel, also no name within this edit distance, 0 or 1, of a name of that
            list.
        exclude: A list of names that do not come, whatever their case or accents: a file, as a source; or
            file,option=value with options of a source.
        exclude_containing: A list of words that no name contains, whatever their case or accents; a file as
            for exclude.
        fewer: If the model has fewer such names than requested, write those there are.
        format: File format: parquet, csv, jsonl, or txt with one name per line and nothing else.
        columns: Columns, separated by commas, of index, name, log_probability, length, in_training,
            source and style; by default all that are known.
        shard_size: Names per file; a multiple of 65,536.
    """

    sampling: Annotated[SamplingConfig, Parameter(name="*")] = SamplingConfig()
    unique: bool = False
    novel: bool = False
    novel_distance: Literal[0, 1] = 0
    exclude: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    exclude_containing: Annotated[str, TEXT] = field(default="", metadata={"neutral": lambda _config: ""})
    fewer: bool = False
    format: Format = "parquet"
    columns: Annotated[tuple[str, ...], Parameter(converter=_separated, n_tokens=1, negative="")] = ()
    shard_size: Annotated[int, whole(NAMES_PER_BLOCK, 1 << 30)] = 16 * NAMES_PER_BLOCK

    def __post_init__(self) -> None:
        check_fields(self)
        if self.shard_size % NAMES_PER_BLOCK:
            raise out_of_range("shard_size", f"a multiple of {NAMES_PER_BLOCK:,}", self.shard_size)
        if self.novel_distance and not self.novel:
            raise ConfigError(
                "config.novel",
                "novel_distance has no effect without novel",
                fix="add --novel, or leave it out.",
            )
        for column in self.columns:
            if column not in COLUMNS or self.columns.count(column) > 1:
                raise out_of_range("columns", f"different ones of {', '.join(COLUMNS)}", column)
        if self.format == "txt" and self.columns not in ((), ("name",)):
            raise ConfigError(
                "config.columns",
                "a txt file has the names and nothing else",
                saw=", ".join(self.columns),
                fix="leave --columns out, or choose another format.",
            )

    @property
    def count(self) -> int:
        """Number of names."""
        return self.sampling.count

    @property
    def is_filtered(self) -> bool:
        """Whether some of the sampled names may be rejected."""
        return (self.unique or self.novel) and self.count > 0

    def list_identity(self) -> "GenerateConfig":
        """The configuration that identifies the list: `fewer` changes nothing in it.

        Of the lists that it excludes only how they are read is in it: what they hold is an input.
        """
        return replace(
            self,
            fewer=False,
            exclude=identity("exclude", self.exclude),
            exclude_containing=identity("exclude_containing", self.exclude_containing),
        )

    def for_one_file(self, file_format: Format) -> "GenerateConfig":
        """The data set that one file of this format is written from. Raises ConfigError for other columns."""
        if self.format not in ("parquet", file_format):  # parquet is the default
            raise ConfigError(
                "config.columns",
                f"the output is a file in {file_format}, and the format is {self.format}",
                fix="leave --format out: a file has the format of its suffix.",
            )
        replace(self, format=file_format)  # checks the columns
        return replace(self, format="parquet")

    def resolve_columns(self, training_list_known: bool, has_styles: bool) -> "GenerateConfig":
        """With every column named.

        Raises ConfigError if it needs a training list that is unknown, or styles of a model without.
        """
        columns = self.columns or (("name",) if self.format == "txt" else COLUMNS)
        if not has_styles:
            if STYLE_COLUMN in self.columns:
                raise ConfigError(
                    "config.columns",
                    "the model knows no styles, so there is no column of them",
                    saw=", ".join(self.columns),
                    fix="leave that column out; or train on several lists.",
                )
            columns = tuple(column for column in columns if column != STYLE_COLUMN)
        if training_list_known:
            return replace(self, columns=columns)
        needs = [column for column in self.columns if column in TRAINING_LIST_COLUMNS]
        if self.novel or needs:
            raise ConfigError(
                "config.training_list",
                "the training list of this model is unknown",
                saw=f"{'--novel' if self.novel else 'columns ' + ', '.join(needs)} with a model file alone",
                fix="choose a model in a store, by its key or its path there; or leave that out.",
            )
        return replace(
            self, columns=tuple(column for column in columns if column not in TRAINING_LIST_COLUMNS)
        )

    def file(self, number: int) -> FileConfig:
        """The file with this number."""
        return FileConfig(number, number * self.shard_size, self.format, self.columns)

    def sizes(self, names: int) -> Iterator[tuple[FileConfig, int]]:
        """Every file of a list with this many names, and how many it has; an empty list has one file."""
        for number in range(max(-(-names // self.shard_size), 1)):
            yield self.file(number), min(names - number * self.shard_size, self.shard_size)

    def shards(self) -> Iterator[ShardConfig]:
        """The shards of a list in which every sampled name is accepted."""
        for file, names in self.sizes(self.count):
            yield ShardConfig(replace(self.sampling, count=names), file.first, file, *self._reading())

    def candidates(self, start: int, count: int) -> Iterator[CandidatesConfig]:
        """The shards of names from number `start` on; without wishes both numbers are whole blocks."""
        sifting = FilterConfig(self.unique, self.novel, self.novel_distance, self.partitions)
        for first in range(start, start + count, self.shard_size):
            names = min(self.shard_size, start + count - first)
            yield CandidatesConfig(replace(self.sampling, count=names), first, sifting, *self._reading())

    def _reading(self) -> Iterator[CorpusConfig | None]:
        for name in ("exclude", "exclude_containing"):
            text = getattr(self, name)
            yield wish_list(name, text).reading if text else None

    @property
    def partitions(self) -> int:
        """Number of partitions for deduplication."""
        return max(-(-self.count // NAMES_PER_PARTITION), 1) if self.unique else 1
