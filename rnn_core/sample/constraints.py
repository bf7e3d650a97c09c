"""Which characters may come where in a name.

What may not come gets no weight, and what is left is drawn as if there were nothing else. There is no
beginning from which a name cannot be ended: white space that has to be followed by something comes only where
something may follow.
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
    """What names have to be like, in tokens. `of` makes one, and sees to it that there are such names.

    beginning:   (P,) what every name begins with.
    forbidden:   characters that come nowhere after the beginning.
    spaces:      characters that neither begin nor end a name.
    min_length:  in characters, at least 1: no name is empty.
    max_length:  in characters; a name ends there if it has not before.
    """

    beginning: npt.NDArray[np.int32]
    forbidden: npt.NDArray[np.int64]
    spaces: npt.NDArray[np.int64]
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
        """The knobs are those of SamplingConfig.

        Raises ConfigError for a character of `prefix` or `allowed` that the vocabulary does not have, and
        when no name can be as all of them want it. It does not mind a forbidden character that is unknown.
        """
        characters = vocabulary.characters
        _check_known("prefix", prefix, characters)
        _check_known("allowed", allowed, characters)
        _check_beginning(prefix, max_length, trimmed)
        is_space = np.array([trimmed and character.isspace() for character in characters])
        may_come = np.array([c not in forbidden and (not allowed or c in allowed) for c in characters])
        may_come[END_TOKEN] = is_space[END_TOKEN] = False  # it is no character of a name
        if not (may_come & ~is_space).any():
            may_come[:] = False  # nothing could follow white space
        must_go_on = len(prefix) < min_length or (trimmed and prefix[-1:].isspace())
        if must_go_on and not may_come.any():
            raise _no_such_name(
                "no character is left to make one of",
                f"allowed {allowed!r}, forbidden {forbidden!r}",
                "allow more characters, or forbid fewer.",
            )
        return cls(
            beginning=vocabulary.encode([prefix]).tokens,
            forbidden=np.flatnonzero(~may_come[1:]) + 1,
            spaces=np.flatnonzero(is_space),
            min_length=min_length,
            max_length=max_length,
        )

    def forbid(self, weights: Floats, tokens: Integers, places: Integers) -> None:
        """Sets to 0 in `weights`, (V, B), what may not come next.

        tokens:  (B,) the last character of each name, the end token if there is none yet.
        places:  (B,) how many it has.
        """
        weights[self.forbidden] = 0.0
        may_not_end = places < self.min_length
        if len(self.spaces):
            may_not_end |= np.isin(tokens, self.spaces)
            at_an_edge = np.flatnonzero((places == 0) | (places == self.max_length - 1))
            weights[self.spaces[:, np.newaxis], at_an_edge] = 0.0
        weights[END_TOKEN, may_not_end] = 0.0
        weights[END_TOKEN + 1 :, np.flatnonzero(places == self.max_length)] = 0.0


def _check_known(name: str, text: str, characters: Sequence[str]) -> None:
    for character in text:
        if character not in characters[1:]:
            raise ConfigError(
                "sampling.unknown_character",
                f"{name} has a character that the model has never seen",
                where=f"SamplingConfig.{name}",
                saw=f"{character!r} (U+{ord(character):04X}) in {text!r}",
                fix=f"leave it out; the model knows {''.join(characters[1:])!r}.",
            )


def _check_beginning(prefix: str, max_length: int, trimmed: bool) -> None:
    if len(prefix) > max_length:
        raise _no_such_name(
            "the prefix is longer than a name may be",
            f"prefix {prefix!r} of {len(prefix)} characters, max_length {max_length}",
            "give a shorter prefix, or raise max_length.",
        )
    if trimmed and prefix[:1].isspace():
        raise _no_such_name(
            "no name begins with white space",
            f"prefix {prefix!r}",
            "leave it out, or allow it by turning trimmed off.",
        )
    if trimmed and prefix[-1:].isspace() and len(prefix) == max_length:
        raise _no_such_name(
            "no name ends with white space, and nothing may follow it",
            f"prefix {prefix!r} of {len(prefix)} characters, max_length {max_length}",
            "leave it out, raise max_length, or allow it by turning trimmed off.",
        )


def _no_such_name(what: str, saw: str, fix: str) -> ConfigError:
    return ConfigError("sampling.no_such_name", f"there is no such name: {what}", saw=saw, fix=fix)
