"""Wishes that come from files or from RE2: names that match, and those that are not on a list."""

import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from data.corpus import read_corpus
from data.patterns import pattern_automaton
from data.reading.content import ListFile
from data.reading.rows import BLANK
from data.text.strings import to_strings
from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.fingerprints import fingerprints
from rnn_core.random_numbers import Words
from rnn_core.sample.blocklist import containing_none
from rnn_core.sample.wishes import Wish
from rnn_core.text.names import EncodedNames
from rnn_core.text.spelling import spelling_key
from rnn_core.text.vocabulary import END_TOKEN, UTF32, Vocabulary

LONGEST_PATTERN: Final = 1000  # characters
_MOST_BLOCKED: Final = 1 << 20  # words of a blocklist
_KEYS_AT_ONCE: Final = 1 << 16
_NO_NAME: Final = np.uint64((1 << 64) - 1)


def matching(pattern: str, vocabulary: Vocabulary) -> Wish:
    """Names that this regular expression matches as a whole. Raises ConfigError for an invalid one.

    Characters of it are composed, as `Vocabulary.spell` does, where the model knows them so.
    """
    normal = unicodedata.normalize("NFC", pattern)
    if set(normal) - set(pattern) <= set(vocabulary.characters):
        pattern = normal
    whole = rf"\A(?:{pattern})\z"
    if len(pattern) > LONGEST_PATTERN:
        raise _invalid_pattern(pattern, f"{len(pattern):,} characters; it may have {LONGEST_PATTERN:,}")
    for regex in (pattern, whole):  # alone too: `a)|(b` would be another one within the brackets
        try:
            pc.match_substring_regex(pa.array([""]), regex)
        except pa.ArrowInvalid as refusal:
            raise _invalid_pattern(
                pattern, str(refusal).removeprefix("Invalid regular expression: ")
            ) from None

    def accepts(names: EncodedNames) -> npt.NDArray[np.bool_]:
        matches = pc.match_substring_regex(to_strings(names, vocabulary), whole)
        accepted: npt.NDArray[np.bool_] = matches.to_numpy(zero_copy_only=False)
        return accepted

    return Wish(f"matching {pattern!r}", pattern_automaton(pattern, vocabulary), accepts)


def excluding(names: Iterable[str], vocabulary: Vocabulary) -> Wish:
    """Names that are none of these, whatever the spelling: their spelling keys differ.

    The keys are kept as fingerprints, 8 bytes each. An excluded name never comes; another one is taken for
    one of ten million excluded ones with a probability of one in 10^12.
    """
    # One is there in any case, of no text in particular, so that a search always finds a place.
    excluded = np.unique(np.concatenate([np.full(1, _NO_NAME), *_fingerprints_of_keys(names)]))
    keys = [spelling_key(character) for character in vocabulary.characters]
    keys[END_TOKEN] = ""
    widths = np.array([len(key) for key in keys])
    table = np.zeros((len(keys), max(widths.max(initial=0), 1)), np.int64)
    for token, key in enumerate(keys):
        table[token, : len(key)] = [ord(letter) for letter in key]

    def accepts(encoded: EncodedNames) -> npt.NDArray[np.bool_]:
        of_characters = widths[encoded.tokens]
        characters = table[encoded.tokens][np.arange(table.shape[1]) < of_characters[:, np.newaxis]]
        offsets = np.concatenate([[0], np.cumsum(of_characters)])[encoded.offsets]
        words = fingerprints(characters, offsets)
        places = np.searchsorted(excluded, words).clip(max=len(excluded) - 1)
        accepted: npt.NDArray[np.bool_] = excluded[places] != words
        return accepted

    return Wish("exclude", accepts=accepts)


def excluding_containing(words: Iterable[str], vocabulary: Vocabulary) -> Wish:
    """Names that contain none of these words, whatever the spelling.

    Raises DataError if a word has no letter that counts, or if they are too many.
    """

    def keys() -> Iterator[str]:
        for number, word in enumerate(words, 1):
            if number > _MOST_BLOCKED:
                raise DataError(
                    "wishes.too_many",
                    "the blocklist is too long",
                    saw=f"more than {_MOST_BLOCKED:,} words",
                    fix="shorten it; exclude names as a whole by the other list.",
                )
            if not (key := spelling_key(word)):
                raise DataError(
                    "wishes.empty_word",
                    "a word of the blocklist would be contained in every name",
                    saw=repr(word),
                    fix="remove it from the list.",
                )
            yield key

    return Wish("exclude_containing", containing_none(keys(), vocabulary))


def read_list(files: Sequence[ListFile], config: CorpusConfig) -> Iterator[str]:
    """The names of a list, or the words, of one file or several.

    Raises DataError as `read_corpus` does, for a row that is not read, and for a list without names.
    """
    count = 0
    for part in read_corpus(files, config):
        for row in part.rejected.select(["line", "reason"]).to_pylist():
            if row["reason"] not in BLANK:
                raise DataError(
                    "wishes.row",
                    f"a row could not be read: {row['reason']}",
                    where=f"{files[0].origin}, line {row['line']}",
                    fix="mend the row, or remove it.",
                )
        yield from part.names["name"].to_pylist()
        count += len(part.names)
    if not count:
        raise DataError(
            "wishes.empty",
            "the list holds no names",
            where=", ".join(file.origin for file in files[:3]),
            fix="check the file, or leave the option out.",
        )


def _fingerprints_of_keys(names: Iterable[str]) -> Iterator[Words]:
    """The fingerprints of the spelling keys, a part at a time."""
    remaining = iter(names)
    while keys := [spelling_key(name) for name in itertools.islice(remaining, _KEYS_AT_ONCE)]:
        characters = np.frombuffer("".join(keys).encode(UTF32, "surrogatepass"), "<u4")
        yield fingerprints(characters, np.cumsum([0, *map(len, keys)]))


def _invalid_pattern(pattern: str, saw: str) -> ConfigError:
    return ConfigError(
        "config.matching",
        "not a regular expression that RE2 understands",
        where="SamplingConfig.matching",
        saw=f"{pattern[:80]!r}: {saw}",
        fix="mend it; RE2 has no backreferences and does not look around.",
    )
