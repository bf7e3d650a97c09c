"""The vocabulary: characters as small integers."""

import unicodedata
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
NAMES_AT_ONCE: Final = 1 << 16  # decoded at a time; bounds the memory

CodePoints = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


class UnknownCharacter(DataError):
    """A name has a character that is not in the vocabulary."""

    def __init__(self, name: str, character: str) -> None:
        super().__init__(
            "vocabulary.unknown_character",
            "a name has a character that is not in the vocabulary",
            where=f"name {name!r}",
            saw=f"{character!r} (U+{ord(character):04X})",
            fix="build the vocabulary from names with this character, or remove the name.",
        )
        self.name, self.character = name, character

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.character)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters of a corpus; a character's token is its index.

    characters[0] is the end token, the others are sorted by code point; raises DataError otherwise.
    """

    characters: tuple[str, ...]
    _code_points: CodePoints = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        others = self.characters[1:]
        if self.characters[:1] != (END,) or END in others or list(others) != sorted(set(others)):
            raise DataError(
                "vocabulary.order",
                "a vocabulary must be a newline (the end token), then distinct characters by code point",
                saw=repr(self.characters[:20]),
                fix="build it with Vocabulary.from_names.",
            )
        object.__setattr__(self, "_code_points", _code_points("".join(others)))
        if len(self._code_points) != len(others):
            raise DataError(
                "vocabulary.character",
                "every entry of a vocabulary must be one character",
                saw=repr([entry for entry in others if len(entry) != 1][:5]),
                fix="build it with Vocabulary.from_names.",
            )

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "Vocabulary":
        """The vocabulary of all characters of the names."""
        return cls.from_characters(chain.from_iterable(names))

    @classmethod
    def from_characters(cls, characters: Iterable[str]) -> "Vocabulary":
        """The vocabulary of these characters, in any order, repeated or not."""
        return cls((END, *sorted(set(characters) - {END})))

    @property
    def size(self) -> int:
        """The number of tokens, end token included."""
        return len(self.characters)

    def spell(self, text: str) -> str:
        """The text in normal form C if all of its characters are known so; as it is otherwise.

        Lists are read in that form by default, so e with a combining acute accent means é.
        """
        if unicodedata.is_normalized("NFC", text):
            return text
        normal = unicodedata.normalize("NFC", text)
        return normal if set(normal) <= set(self.characters[END_TOKEN + 1 :]) else text

    def encode(self, names: Sequence[str]) -> EncodedNames:
        """The names as tokens. Raises UnknownCharacter."""
        offsets = np.concatenate([[0], np.cumsum(np.fromiter(map(len, names), np.int64, len(names)))])
        return EncodedNames(self._tokens(_code_points("".join(names)), offsets), offsets)

    def encode_utf8(self, text: Bytes, offsets: Integers) -> EncodedNames:
        """The names in a UTF-8 text as tokens, without a Python object per name.

        text, offsets:  as from `to_utf8`; (N + 1,) offsets in bytes need not begin with 0.

        Raises UnknownCharacter, and UnicodeDecodeError for invalid UTF-8.
        """
        tokens = np.empty(int(offsets[-1] - offsets[0]), np.int32)  # at most as many characters as bytes
        bounds = np.zeros(len(offsets), np.int64)
        done = end = 0
        for code_points, starts in _decode_utf8(text, offsets):
            tokens[end : end + len(code_points)] = self._tokens(code_points, starts)
            bounds[done : done + len(starts)] = end + starts
            done, end = done + len(starts) - 1, end + len(code_points)
        return EncodedNames(tokens[:end], bounds)

    def decode(self, names: EncodedNames) -> list[str]:
        """The names as strings. Raises DataError for a token outside of the vocabulary."""
        self._check(names)
        characters, encoding = np.append(_code_points(END), self._code_points), UTF32
        if characters.max() < 256:  # a byte each
            characters, encoding = characters.astype(np.uint8), "latin-1"
        # An end after each name, so that one call splits them all.
        text = np.insert(characters.take(names.tokens), names.offsets[1:], characters[END_TOKEN])
        return text.tobytes().decode(encoding, "surrogatepass").split(END)[:-1]

    def to_utf8(self, names: EncodedNames, capitalise_first: bool = False) -> tuple[Bytes, Offsets]:
        """The names as one UTF-8 text with (N + 1,) offsets in bytes, the layout of an Arrow string column.

        capitalise_first:  the first character of each as a capital, which may be several characters.

        Raises DataError for a token outside of the vocabulary.
        """
        self._check(names)
        forms = [*self.characters, *(character.title() for character in self.characters)]
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

    def _tokens(self, code_points: CodePoints, offsets: Offsets) -> npt.NDArray[np.int32]:
        """(C,) the tokens of the characters of N names. Raises UnknownCharacter."""
        # The end token never occurs in a name, so here it stands for unknown characters.
        token_of = np.full(int(self._code_points.max(initial=0)) + 2, END_TOKEN, np.int32)
        token_of[self._code_points] = np.arange(1, self.size)
        tokens = token_of.take(code_points, mode="clip")
        if not tokens.all():
            first = int(np.argmin(tokens != END_TOKEN))
            name = int(np.searchsorted(offsets, first, side="right")) - 1
            written = code_points[offsets[name] : offsets[name + 1]]
            raise UnknownCharacter(_text(written), _text(code_points[[first]]))
        return tokens

    def _check(self, names: EncodedNames) -> None:
        if names.tokens.size and not 1 <= names.tokens.min() <= names.tokens.max() < self.size:
            raise DataError(
                "vocabulary.token",
                f"a token of a name must lie in 1 to {self.size - 1} with this vocabulary",
                saw=f"tokens from {names.tokens.min()} to {names.tokens.max()}",
                fix="decode with the vocabulary that belongs to the model.",
            )


def character_counts(text: Bytes, offsets: Integers) -> npt.NDArray[np.int64]:
    """(CODE_POINTS,) how often each code point occurs in names laid out as by `Vocabulary.to_utf8`.

    Raises UnicodeDecodeError for invalid UTF-8.
    """
    counts = np.zeros(CODE_POINTS, np.int64)
    for code_points, _ in _decode_utf8(text, offsets):
        part = np.bincount(code_points)
        counts[: len(part)] += part
    return counts


def _decode_utf8(text: Bytes, offsets: Integers) -> Iterator[tuple[CodePoints, Offsets]]:
    """Parts of the names: code points, and the offsets of the names in them."""
    for start in range(0, len(offsets) - 1, NAMES_AT_ONCE):
        bounds = offsets[start : start + NAMES_AT_ONCE + 1]
        part = text[bounds[0] : bounds[-1]]
        begins_a_character = part & 0xC0 != 0x80  # the other bytes of one are 10xxxxxx
        starts = np.concatenate([[0], np.cumsum(begins_a_character)])[bounds - bounds[0]]
        yield _code_points(part.tobytes().decode("utf-8", "surrogatepass")), starts


def _code_points(text: str) -> CodePoints:
    return np.frombuffer(text.encode(UTF32, "surrogatepass"), dtype="<u4")


def _text(code_points: CodePoints) -> str:
    return code_points.tobytes().decode(UTF32, "surrogatepass")
