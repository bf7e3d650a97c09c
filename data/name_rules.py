"""The rules that every name of a list keeps, as a predicate on the encoded names that a model samples."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from data.text.strings import Strings
from rnn_core.sample.constraints import NamePredicate
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary

Mask = npt.NDArray[np.bool_]

_JOINERS = "\u200c\u200d"
_JAMO = range(0x1160, 0x1200)  # vowels and finals, which become one syllable with what is before them


@dataclass(frozen=True, slots=True)
class NameRules:
    """The rules that all names of a list keep, so that names sampled from its model keep them too.

    No name begins with a combining mark or a joiner: validation rejects it. The others depend on how the list
    was merged, and are read off its names.

    normal_form:    every name is in the normal form NFC.
    single_spaces:  no name has two white-space characters in a row.
    """

    normal_form: bool = False
    single_spaces: bool = False

    @classmethod
    def from_names(cls, names: Strings) -> "NameRules":
        """The rules that all of these names keep."""
        return cls(
            normal_form=pc.all(pc.equal(pc.utf8_normalize(names, "NFC"), names), min_count=0).as_py(),
            single_spaces=not pc.any(pc.match_substring_regex(names, r"[\s\p{Z}]{2}"), min_count=0).as_py(),
        )

    def predicate(self, vocabulary: Vocabulary) -> NamePredicate | None:
        """(N,) which encoded names keep the rules; None if all names of these characters do."""
        is_mark = _mask(vocabulary, _is_mark)
        is_space = _mask(vocabulary, str.isspace) & self.single_spaces
        may_compose = _mask(vocabulary, _may_compose) & self.normal_form
        if not (is_mark | is_space | may_compose).any():
            return None

        def keep_rules(names: EncodedNames) -> Mask:
            keep = np.ones(names.count, np.bool_)
            starts = names.offsets[:-1][names.lengths > 0]
            keep[names.lengths > 0] = ~is_mark[names.tokens[starts]]
            spaces = is_space[names.tokens]
            double = spaces[1:] & spaces[:-1]
            double[starts[starts > 0] - 1] = False  # the end of a name beside the beginning of the next
            keep[_owners(names, np.flatnonzero(double))] = False
            suspects = np.unique(_owners(names, np.flatnonzero(may_compose[names.tokens])))
            suspects = suspects[keep[suspects]]
            strings = vocabulary.decode(names.take(suspects))
            keep[suspects] = [unicodedata.is_normalized("NFC", name) for name in strings]
            return keep

        return keep_rules


def _owners(names: EncodedNames, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The name of each of these places among the tokens."""
    owners: npt.NDArray[np.int64] = np.searchsorted(names.offsets, places, side="right") - 1
    return owners


def _mask(vocabulary: Vocabulary, has_property: Callable[[str], bool]) -> Mask:
    """(V,) the characters with a property; the end token has none."""
    return np.array([False, *map(has_property, vocabulary.characters[1:])], np.bool_)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M") or character in _JOINERS


def _may_compose(character: str) -> bool:
    """Whether a name with this character may not be in NFC."""
    return (
        unicodedata.category(character).startswith("M")
        or ord(character) in _JAMO
        or not unicodedata.is_normalized("NFC", character)
    )
