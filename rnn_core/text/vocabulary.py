"""Characters as small integers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.errors import DataError
from rnn_core.text.names import EncodedNames

END = "\n"  # ends a name, so it begins one too
END_TOKEN = 0
UTF32 = "utf-32-le"
CODE_POINTS: Final = 0x110000  # in Unicode
NAMES_AT_ONCE: Final = 1 << 16  # that are decoded; bounds the memory it takes

CodePoints = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


class UnknownCharacter(DataError):
    """A name holds a character that the vocabulary has never seen."""

    def __init__(self, name: str, character: str) -> None:
        super().__init__(
            "vocabulary.unknown_character",
            "a name holds a character that the vocabulary has never seen",
            where=f"name {name!r}",
            saw=f"{character!r} (U+{ord(character):04X})",
            fix="build the vocabulary from a corpus that has this character, or drop the name.",
        )
        self.name, self.character = name, character

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.character)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters of a corpus; a character's token is its place.

    characters[0] is the end token, the rest is sorted by code point.
    Raises DataError if it is not so.
    """

    characters: tuple[str, ...]
    _code_points: CodePoints = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        letters = self.characters[1:]
        if self.characters[:1] != (END,) or END in letters or list(letters) != sorted(set(letters)):
            raise DataError(
                "vocabulary.order",
                "a vocabulary is the end token (a newline), then distinct characters sorted by code point",
                saw=repr(self.characters[:20]),
                fix="make it with Vocabulary.from_names.",
            )
        object.__setattr__(self, "_code_points", _code_points("".join(letters)))
        if len(self._code_points) != len(letters):
            raise DataError(
                "vocabulary.character",
                "every entry of a vocabulary is one character",
                saw=repr([letter for letter in letters if len(letter) != 1][:5]),
                fix="make it with Vocabulary.from_names.",
            )

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "Vocabulary":
        """Every character that the names have."""
        return cls.from_characters(chain.from_iterable(names))

    @classmethod
    def from_characters(cls, characters: Iterable[str]) -> "Vocabulary":
        """In any order, repeated or not."""
        return cls((END, *sorted(set(characters) - {END})))

    @property
    def size(self) -> int:
        """How many tokens there are, the end token among them."""
        return len(self.characters)

    def encode(self, names: Sequence[str]) -> EncodedNames:
        """Raises UnknownCharacter."""
        offsets = np.concatenate([[0], np.cumsum(np.fromiter(map(len, names), np.int64, len(names)))])
        return EncodedNames(self._tokens(_code_points("".join(names)), offsets), offsets)

    def encode_utf8(self, text: Bytes, offsets: Integers) -> EncodedNames:
        """Names as `utf8` lays them out, without a Python object for any of them.

        offsets:  (N + 1,) in bytes; they need not begin with 0.

        Raises UnknownCharacter, and UnicodeDecodeError for what is no UTF-8.
        """
        tokens = np.empty(int(offsets[-1] - offsets[0]), np.int32)  # there are no more characters than bytes
        bounds = np.zeros(len(offsets), np.int64)
        done = end = 0
        for read, starts in _decoded(text, offsets):
            tokens[end : end + len(read)] = self._tokens(read, starts)
            bounds[done : done + len(starts)] = end + starts
            done, end = done + len(starts) - 1, end + len(read)
        return EncodedNames(tokens[:end], bounds)

    def decode(self, names: EncodedNames) -> list[str]:
        """Raises DataError if a token is none of this vocabulary's characters."""
        self._check(names)
        characters, encoding = np.append(_code_points(END), self._code_points), UTF32
        if characters.max() < 256:  # a byte each
            characters, encoding = characters.astype(np.uint8), "latin-1"
        # An end after each name, so that one call cuts them all.
        text = np.insert(characters.take(names.tokens), names.offsets[1:], characters[END_TOKEN])
        return text.tobytes().decode(encoding, "surrogatepass").split(END)[:-1]

    def utf8(self, names: EncodedNames, capitalise_first: bool = False) -> tuple[Bytes, Offsets]:
        """The names as one text in UTF-8, and (N + 1,) where in it each begins, as Arrow lays out strings.

        capitalise_first:  the first character of each as a capital, which may be several characters.

        Raises DataError if a token is none of this vocabulary's characters.
        """
        self._check(names)
        forms = [*self.characters, *(character.upper() for character in self.characters)]
        encoded = [form.encode("utf-8", "surrogatepass") for form in forms]
        widths = np.array([len(form) for form in encoded])
        widest = int(widths.max())
        table = np.frombuffer(b"".join(form.ljust(widest) for form in encoded), np.uint8)
        table = table.reshape(len(forms), widest)
        chosen = names.tokens.astype(np.int64)
        if capitalise_first:
            chosen[names.offsets[:-1][names.lengths > 0]] += self.size
        if widest == 1:
            return table[chosen, 0], names.offsets
        of_characters = widths[chosen]
        text = table[chosen][np.arange(widest) < of_characters[:, np.newaxis]]
        return text, np.concatenate([[0], np.cumsum(of_characters)])[names.offsets]

    def _tokens(self, read: CodePoints, offsets: Offsets) -> npt.NDArray[np.int32]:
        """(C,) of the characters of N names. Raises UnknownCharacter."""
        # The end token is no character of a name, so it can stand for those that are unknown.
        token_of = np.full(int(self._code_points.max(initial=0)) + 2, END_TOKEN, np.int32)
        token_of[self._code_points] = np.arange(1, self.size)
        tokens = token_of.take(read, mode="clip")
        if not tokens.all():
            first = int(np.argmin(tokens != END_TOKEN))
            name = int(np.searchsorted(offsets, first, side="right")) - 1
            raise UnknownCharacter(_text(read[offsets[name] : offsets[name + 1]]), _text(read[[first]]))
        return tokens

    def _check(self, names: EncodedNames) -> None:
        if names.tokens.size and not 1 <= names.tokens.min() <= names.tokens.max() < self.size:
            raise DataError(
                "vocabulary.token",
                f"a token of a name lies in 1 to {self.size - 1} with this vocabulary",
                saw=f"tokens from {names.tokens.min()} to {names.tokens.max()}",
                fix="decode with the vocabulary that belongs to the model.",
            )


def character_counts(text: Bytes, offsets: Integers) -> npt.NDArray[np.int64]:
    """(CODE_POINTS,) how often each occurs in names that are laid out as by `Vocabulary.utf8`.

    Raises UnicodeDecodeError for what is no UTF-8.
    """
    counts = np.zeros(CODE_POINTS, np.int64)
    for read, _ in _decoded(text, offsets):
        found = np.bincount(read)
        counts[: len(found)] += found
    return counts


def _decoded(text: Bytes, offsets: Integers) -> Iterator[tuple[CodePoints, Offsets]]:
    """Some names at a time: their code points, and where among these each begins and the last one ends."""
    for start in range(0, len(offsets) - 1, NAMES_AT_ONCE):
        bounds = offsets[start : start + NAMES_AT_ONCE + 1]
        some = text[bounds[0] : bounds[-1]]
        begins_a_character = some & 0xC0 != 0x80  # the other bytes of one are 10xxxxxx
        starts = np.concatenate([[0], np.cumsum(begins_a_character)])[bounds - bounds[0]]
        yield _code_points(some.tobytes().decode("utf-8", "surrogatepass")), starts


def _code_points(text: str) -> CodePoints:
    return np.frombuffer(text.encode(UTF32, "surrogatepass"), dtype="<u4")


def _text(code_points: CodePoints) -> str:
    return code_points.tobytes().decode(UTF32, "surrogatepass")
