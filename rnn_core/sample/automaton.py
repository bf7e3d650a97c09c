"""Automata that read a name character by character, and know of every beginning what is still missing.

Source: J. E. Hopcroft & J. D. Ullman, "Introduction to Automata Theory, Languages, and Computation" (1979);
for the table of a text that is searched, D. E. Knuth, J. H. Morris & V. R. Pratt, "Fast Pattern Matching in
Strings", SIAM Journal on Computing 6 (1977); for that of an edit distance, K. U. Schulz & S. Mihov, "Fast
String Correction with Levenshtein-Automata", IJDAR 5 (2002).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.errors import ConfigError

NEVER: Final = 1 << 24  # characters, more than a name may have
MOST_STATES: Final = 1 << 14

States = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A deterministic automaton of S states; it begins in state 0.

    classes:    (V,) which of C classes each token is in; the end token is in none, whatever stands there.
    steps:      (S, C) the state after one more character.
    accepting:  (S,) whether a name that ends there is one.
    """

    classes: npt.NDArray[np.int64]
    steps: States
    accepting: npt.NDArray[np.bool_]

    def read(self, tokens: Integers) -> int:
        """The state after these characters."""
        state = 0
        for token in tokens:
            state = self.steps[state, self.classes[token]].item()
        return state

    def needed(self, usable: Integers) -> States:
        """(S,) the fewest further characters, of the usable ones, to a name that is accepted, or NEVER."""
        steps = self.steps[:, np.unique(self.classes[usable])]
        needed: States = np.where(self.accepting, 0, NEVER).astype(np.int32)
        while steps.size:
            nearer = np.minimum(needed, needed[steps].min(axis=1) + 1)
            if (nearer == needed).all():
                break
            needed = nearer
        return needed


def containing(text: Integers, vocabulary_size: int) -> Automaton:
    """Names that contain this text, (L,) tokens, anywhere."""
    return _searching(text, vocabulary_size, stays=True)


def ending_with(text: Integers, vocabulary_size: int) -> Automaton:
    """Names that end with this text, (L,) tokens."""
    return _searching(text, vocabulary_size, stays=False)


def similar_to(name: Integers, within: int, vocabulary_size: int) -> Automaton:
    """Names within an edit distance of this one, (L,) tokens.

    A state is a row of the table of distances, D[i, j] for all first j characters of the name, of which more
    than the bound are alike. Raises ConfigError if there are too many such rows.
    """
    characters, classes = _classes(name, vocabulary_size)
    differs = name != np.append(characters, -1)[:, np.newaxis]  # (C, L); the last class: any other character
    first = np.minimum(np.arange(len(name) + 1), within + 1).astype(np.uint8)
    numbers = {first.tobytes(): 0}
    steps, accepting = [], []
    rows = first[np.newaxis]
    while len(rows):
        following = np.repeat(rows[:, np.newaxis] + np.uint8(1), len(differs), axis=1)  # (rows, C, L + 1)
        for place in range(1, len(name) + 1):
            replaced = rows[:, np.newaxis, place - 1] + differs[:, place - 1]
            nearest = np.minimum(replaced, following[:, :, place - 1] + 1)
            np.minimum(following[:, :, place], nearest, out=following[:, :, place])
        following = np.minimum(following, within + 1).reshape(-1, len(name) + 1)
        accepting.append(rows[:, -1] <= within)
        known = len(numbers)
        after = [numbers.setdefault(row.tobytes(), len(numbers)) for row in following]
        steps.append(np.array(after, np.int32).reshape(len(rows), len(differs)))
        rows = np.empty((len(numbers) - known, len(name) + 1), np.uint8)
        is_new = np.array(after) >= known
        rows[np.array(after)[is_new] - known] = following[is_new]
        if len(numbers) > MOST_STATES:
            raise ConfigError(
                "sampling.too_far",
                "so large an edit distance cannot be searched for with so long a name",
                where="SamplingConfig.within",
                saw=f"within {within} of a name of {len(name)} characters",
                fix="lower within, or shorten the name.",
            )
    return Automaton(classes, np.concatenate(steps), np.concatenate(accepting))


def _classes(text: Integers, vocabulary_size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct characters of the text, and the class of every token; all others are in the last one."""
    characters = np.unique(text).astype(np.int64)
    classes = np.full(vocabulary_size, len(characters))
    classes[characters] = np.arange(len(characters))
    return characters, classes


def _searching(text: Integers, vocabulary_size: int, stays: bool) -> Automaton:
    """A state is how many characters of the text a name ends with. stays: in the last state for ever."""
    characters, classes = _classes(text, vocabulary_size)
    read: Sequence[int] = classes[text].tolist()
    steps = np.zeros((len(read) + 1, len(characters) + 1), np.int32)
    fallback = 0  # the state after the longest end that is a beginning too
    for state, character in enumerate(read):
        steps[state] = steps[fallback]
        steps[state, character] = state + 1
        if state:
            fallback = steps[fallback, character].item()
    steps[-1] = len(read) if stays else steps[fallback]
    accepting = np.arange(len(read) + 1) == len(read)
    return Automaton(classes, steps, accepting)
