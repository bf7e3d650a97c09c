"""Constraints: which characters may come where in a name.

What may not come gets no weight, and the rest keeps its proportions. Every prefix can be completed to a name:
white space, which must be followed by something, comes only where something may follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers
from rnn_core.errors import ConfigError
from rnn_core.text.vocabulary import END_TOKEN, Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """The constraints on a name, in tokens. `build` checks that such names exist.

    prefix:      (P,) the first characters of every name.
    forbidden:   characters that never come after the prefix.
    whitespace:  characters that neither begin nor end a name.
    min_length:  in characters, at least 1: no name is empty.
    max_length:  in characters; a longer name is cut off there.
    """

    prefix: npt.NDArray[np.int32]
    forbidden: npt.NDArray[np.int64]
    whitespace: npt.NDArray[np.int64]
    min_length: int
    max_length: int

    @classmethod
    def build(
        cls,
        vocabulary: Vocabulary,
        *,
        prefix: str = "",
        min_length: int = 1,
        max_length: int,
        allowed: str = "",
        forbidden: str = "",
        trimmed: bool = True,
    ) -> "Constraints":
        """The constraints of these options, which are those of SamplingConfig.

        Raises ConfigError for a character of `prefix` or `allowed` that is not in the vocabulary, and if no
        name satisfies them all. A forbidden character may be unknown.
        """
        characters = vocabulary.characters
        _check_known("prefix", prefix, characters)
        _check_known("allowed", allowed, characters)
        _check_prefix(prefix, max_length, trimmed)
        is_space = np.array([trimmed and character.isspace() for character in characters])
        may_come = np.array([c not in forbidden and (not allowed or c in allowed) for c in characters])
        may_come[END_TOKEN] = is_space[END_TOKEN] = False  # it is not a character of a name
        if not (may_come & ~is_space).any():
            may_come[:] = False  # nothing could follow white space
        must_continue = len(prefix) < min_length or (trimmed and prefix[-1:].isspace())
        if must_continue and not may_come.any():
            raise _no_such_name(
                "no character may follow the prefix",
                f"allowed {allowed!r}, forbidden {forbidden!r}",
                "allow more characters, or forbid fewer.",
            )
        return cls(
            prefix=vocabulary.encode([prefix]).tokens,
            forbidden=np.flatnonzero(~may_come[1:]) + 1,
            whitespace=np.flatnonzero(is_space),
            min_length=min_length,
            max_length=max_length,
        )

    def apply(self, weights: Floats, tokens: Integers, lengths: Integers) -> None:
        """Sets the weights, (V, B), of what may not come next to 0.

        tokens:   (B,) the last character of each name, the end token if there is none yet.
        lengths:  (B,) how many characters it has.
        """
        weights[self.forbidden] = 0.0
        may_not_end = lengths < self.min_length
        if len(self.whitespace):
            may_not_end |= np.isin(tokens, self.whitespace)
            at_an_edge = np.flatnonzero((lengths == 0) | (lengths == self.max_length - 1))
            weights[self.whitespace[:, np.newaxis], at_an_edge] = 0.0
        weights[END_TOKEN, may_not_end] = 0.0
        weights[END_TOKEN + 1 :, np.flatnonzero(lengths == self.max_length)] = 0.0


def _check_known(name: str, text: str, characters: Sequence[str]) -> None:
    for character in text:
        if character not in characters[1:]:
            raise ConfigError(
                "sampling.unknown_character",
                f"{name} has a character that the model does not know",
                where=f"SamplingConfig.{name}",
                saw=f"{character!r} (U+{ord(character):04X}) in {text!r}",
                fix=f"remove it; the model knows {''.join(characters[1:])!r}.",
            )


def _check_prefix(prefix: str, max_length: int, trimmed: bool) -> None:
    if len(prefix) > max_length:
        raise _no_such_name(
            "the prefix is longer than a name may be",
            f"prefix {prefix!r} of {len(prefix)} characters, max_length {max_length}",
            "use a shorter prefix, or raise max_length.",
        )
    if trimmed and prefix[:1].isspace():
        raise _no_such_name(
            "no name begins with white space",
            f"prefix {prefix!r}",
            "remove it, or allow it by turning trimmed off.",
        )
    if trimmed and prefix[-1:].isspace() and len(prefix) == max_length:
        raise _no_such_name(
            "no name ends with white space, and nothing may follow it",
            f"prefix {prefix!r} of {len(prefix)} characters, max_length {max_length}",
            "remove it, raise max_length, or allow it by turning trimmed off.",
        )


def _no_such_name(what: str, saw: str, fix: str) -> ConfigError:
    return ConfigError("sampling.no_such_name", f"no name satisfies the options: {what}", saw=saw, fix=fix)
