"""The wishes of a list that need more than the sampler: a regular expression, and lists from files."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from artifacts.source_file import SourceFile
from data import wishes
from data.config import CorpusConfig
from data.text.strings import as_texts
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.sample.wishes import Wish
from rnn_core.text.vocabulary import Vocabulary
from tasks.config.wish_lists import wish_list

NamesOrFile: TypeAlias = str | Path | Iterable[str]
"""Names as they are, or the file that they are in, as `file,option=value`."""


class WishList(NamedTuple):
    """The files of a list of names or words, and how they are read. digests: of their bytes."""

    files: tuple[SourceFile, ...]
    digests: tuple[str, ...]
    reading: CorpusConfig

    @classmethod
    def of(cls, files: Sequence[SourceFile], reading: CorpusConfig | None) -> "WishList | None":
        """The list of these files; None if there is none."""
        return cls(tuple(files), tuple(file.digest for file in files), reading) if reading else None

    def names(self) -> Iterator[str]:
        """Its names or words. Raises DataError as `read_list` does."""
        return wishes.read_list(self.files, self.reading)


def all_wishes(
    config: SamplingConfig,
    vocabulary: Vocabulary,
    exclude: NamesOrFile | None,
    exclude_containing: NamesOrFile | None,
) -> list[Wish]:
    """The wishes of these options, to be passed to a sampler with them.

    exclude, exclude_containing:  names and words; None if there is no such wish.

    Raises ConfigError for an invalid regular expression, DataError as the lists are read.
    """
    found = []
    if config.matching:
        found.append(wishes.matching(config.matching, vocabulary))
    if exclude is not None:
        found.append(wishes.excluding(_names("exclude", exclude), vocabulary))
    if exclude_containing is not None:
        words = _names("exclude_containing", exclude_containing)
        found.append(wishes.excluding_containing(words, vocabulary))
    return found


def _names(option: str, given: NamesOrFile) -> Iterable[str]:
    if not isinstance(given, str | Path):
        return as_texts(given)
    source = wish_list(option, str(given))
    return wishes.read_list(source.files, source.reading)
