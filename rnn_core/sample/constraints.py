"""Constraints: which characters may come where in a name, and which names are accepted.

A character that may not come gets no weight, and the rest keeps its proportions. White space, which must be
followed by something, comes only where something may follow.

A name that is too short or too long is rejected and sampled anew, so that accepted names keep the proportions
that the model gives whole names. With `truncate` the length is forced instead: no name ends before it is long
enough, and what would be longer is cut off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers
from rnn_core.errors import ConfigError, TrainingError
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN, Vocabulary

NamePredicate: TypeAlias = Callable[[EncodedNames], npt.NDArray[np.bool_]]
"""(N,) which of N whole names are accepted, whatever else is in the list."""


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """The constraints on a name, in tokens. `build` checks that such names exist.

    prefix:      (P,) the first characters of every name.
    forbidden:   characters that never come after the prefix.
    whitespace:  characters that neither begin nor end a name.
    min_length:  in characters, at least 1: no name is empty.
    max_length:  in characters.
    whole:       whether names out of these lengths are rejected, and not lengthened or cut off.
    ends_from:   characters before which the end gets no weight.
    """

    prefix: npt.NDArray[np.int32]
    forbidden: npt.NDArray[np.int64]
    whitespace: npt.NDArray[np.int64]
    min_length: int
    max_length: int
    whole: bool
    ends_from: int

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
        truncate: bool = False,
        temperature: float = 1.0,
    ) -> "Constraints":
        """The constraints of these options, which are those of SamplingConfig.

        Raises ConfigError for a character of `prefix` or `allowed` that is not in the vocabulary, and if no
        name satisfies them all. A forbidden character may be unknown.
        """
        characters = vocabulary.characters
        check_known("prefix", prefix, characters)
        check_known("allowed", allowed, characters)
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
            whole=not truncate,
            # At temperature 0 there is one name, which would be rejected again and again.
            ends_from=min_length if truncate or temperature == 0 else 1,
        )

    def apply(self, weights: Floats, tokens: Integers, lengths: Integers) -> None:
        """Sets the weights, (V, B), of what may not come next to 0.

        tokens:   (B,) the last character of each name, the end token if there is none yet.
        lengths:  (B,) how many characters it has.
        """
        weights[self.forbidden] = 0.0
        may_not_end = lengths < self.ends_from
        if len(self.whitespace):
            may_not_end |= np.isin(tokens, self.whitespace)
            at_an_edge = lengths == 0
            if not self.whole:
                at_an_edge |= lengths == self.max_length - 1
            weights[self.whitespace[:, np.newaxis], np.flatnonzero(at_an_edge)] = 0.0
        weights[END_TOKEN, may_not_end] = 0.0
        if not self.whole:
            weights[END_TOKEN + 1 :, np.flatnonzero(lengths == self.max_length)] = 0.0

    def rejected(self, tokens: Integers, lengths: Integers) -> npt.NDArray[np.bool_]:
        """(B,) whether names are rejected for their next token: an end too soon, or no end in time.

        tokens:   (B,) the next token.
        lengths:  (B,) the characters before it, or (1,) for all.
        """
        is_end = tokens == END_TOKEN
        mask: npt.NDArray[np.bool_] = np.where(is_end, lengths < self.min_length, lengths >= self.max_length)
        return mask & self.whole


def too_rare(share: float, wished: bool = False) -> TrainingError:
    """The error for options that next to no name satisfies.

    share:   of the names, at most.
    wished:  whether there are wishes, which are the rarest part then.
    """
    return TrainingError(
        "sampling.too_rare",
        "next to no name of the model satisfies these options and the rules of its list",
        saw=f"fewer than one name in {1 / share:,.0f}" if share else "no name at all",
        fix="wish for what is less rare, allow more lengths, or raise the temperature."
        if wished
        else "allow more lengths, choose another prefix, raise the temperature, or truncate names.",
    )


def check_known(name: str, text: str, characters: Sequence[str]) -> None:
    """Raise ConfigError for a character of an option that is not in the vocabulary."""
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
