"""Which list of names `generate` makes, and what each of the stages that make it is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from cyclopts import Parameter, Token

from artifacts.exports import Format
from rnn_core.errors import ConfigError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.validators import check_fields, out_of_range, whole

OF_THE_TRAINING_LIST = ("in_training", "source")  # columns that need it
COLUMNS = ("index", "name", "log_probability", "length", *OF_THE_TRAINING_LIST)  # of schemas.LISTED
NAMES_PER_PARTITION = 1 << 19  # wanted ones; what a process holds of them while it looks for repeats


def _separated(_type: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    """An option `--columns name,length`, or one for each of them."""
    return tuple(column.strip() for token in tokens for column in token.value.split(","))


@dataclass(frozen=True, slots=True)
class FileConfig:
    """One file of the list. number: of the shard. first: index of its first name. columns: in this order."""

    number: int
    first: int
    format: Format
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SiftingConfig:
    """What is let into the list. partitions: by the hash of a name, so that equal ones meet in one."""

    unique: bool
    novel: bool
    novel_distance: int
    partitions: int


@dataclass(frozen=True, slots=True)
class ShardConfig:
    """Names from number `start` on, `sampling.count` of them, straight into a file."""

    sampling: SamplingConfig
    start: int
    file: FileConfig


@dataclass(frozen=True, slots=True)
class CandidatesConfig:
    """Names from number `start` on, `sampling.count` of them, of which those are kept that may be let in."""

    sampling: SamplingConfig
    start: int
    sifting: SiftingConfig


@dataclass(frozen=True, slots=True)
class PartitionConfig:
    number: int


@dataclass(frozen=True, slots=True)
class GatheringConfig:
    """A file of names that were let in.

    reads:  which of the candidates' artifacts: from the first to before the last of these numbers.
    skip:   how many names of theirs come before the first of this file.
    count:  how many are in it.
    """

    reads: tuple[int, int]
    skip: int
    count: int
    capitalise_first: bool
    file: FileConfig


@dataclass(frozen=True, slots=True)
class GenerateConfig:
    """Which list of names to generate.

    Attributes:
        unique: No name twice in the whole list; names that were already generated are skipped.
        novel: No name of the model's training list.
        novel_distance: With novel, also no name within this edit distance, 0 or 1, of a name of that
            list.
        fewer: If the model has fewer such names than requested, write those there are.
        format: File format: parquet, csv, jsonl, or txt with one name per line and nothing else.
        columns: Columns, separated by commas, of index, name, log_probability, length, in_training and
            source; by default all that are known.
        shard_size: Names per file; a multiple of 65,536.
    """

    sampling: Annotated[SamplingConfig, Parameter(name="*")] = SamplingConfig()
    unique: bool = False
    novel: bool = False
    novel_distance: Literal[0, 1] = 0
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
                fix="add --novel, or take it out.",
            )
        for column in self.columns:
            if column not in COLUMNS or self.columns.count(column) > 1:
                raise out_of_range("columns", f"different ones of {', '.join(COLUMNS)}", column)
        if self.format == "txt" and self.columns not in ((), ("name",)):
            raise ConfigError(
                "config.columns",
                "a text file holds the names and nothing else",
                saw=", ".join(self.columns),
                fix="leave --columns out, or choose another format.",
            )

    @property
    def count(self) -> int:
        return self.sampling.count

    @property
    def is_sifted(self) -> bool:
        """Whether some of the names that are drawn may not be let in."""
        return (self.unique or self.novel) and self.count > 0

    def of_the_list(self) -> "GenerateConfig":
        """What makes it this list and no other."""
        return replace(self, fewer=False)

    def for_training_list(self, is_known: bool) -> "GenerateConfig":
        """With all columns named. Raises ConfigError where a list is needed that is not known."""
        asked = self.columns or (("name",) if self.format == "txt" else COLUMNS)
        if is_known:
            return replace(self, columns=asked)
        needs = [column for column in self.columns if column in OF_THE_TRAINING_LIST]
        if self.novel or needs:
            raise ConfigError(
                "config.training_list",
                "the list that this model has learnt from is not known",
                saw=f"{'--novel' if self.novel else 'columns ' + ', '.join(needs)} with a model file alone",
                fix="name a model of a store by its key, or by its path there; or do without.",
            )
        return replace(self, columns=tuple(one for one in asked if one not in OF_THE_TRAINING_LIST))

    def file(self, number: int) -> FileConfig:
        return FileConfig(number, number * self.shard_size, self.format, self.columns)

    def sizes(self, names: int) -> Iterator[tuple[FileConfig, int]]:
        """Every file of a list of so many names, and how many are in it; of none, one that is empty."""
        for number in range(max(-(-names // self.shard_size), 1)):
            yield self.file(number), min(names - number * self.shard_size, self.shard_size)

    def shards(self) -> Iterator[ShardConfig]:
        for file, names in self.sizes(self.count):
            yield ShardConfig(replace(self.sampling, count=names), file.first, file)

    def candidates(self, start: int, count: int) -> Iterator[CandidatesConfig]:
        """The names from number `start` on, both in whole blocks, by shards."""
        sifting = SiftingConfig(self.unique, self.novel, self.novel_distance, self.partitions)
        for first in range(start, start + count, self.shard_size):
            names = min(self.shard_size, start + count - first)
            yield CandidatesConfig(replace(self.sampling, count=names), first, sifting)

    @property
    def partitions(self) -> int:
        return max(-(-self.count // NAMES_PER_PARTITION), 1) if self.unique else 1
