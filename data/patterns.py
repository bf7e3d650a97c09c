"""Regular expressions as automata, so that a beginning which cannot match any more is known as such.

RE2 alone says what a pattern means, and has the last word on every name. It does not tell which beginnings
can still match. For patterns of characters, classes, groups, alternatives and repetitions this automaton
does, and it accepts the same names. For what else RE2 has there is none, and only whole names are looked at.

Sources: K. Thompson, "Regular Expression Search Algorithm", Communications of the ACM 11 (1968); for the sets
of states, M. O. Rabin & D. Scott, "Finite Automata and Their Decision Problems", IBM Journal 3 (1959).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rnn_core.sample.automaton import Automaton
from rnn_core.text.vocabulary import END_TOKEN, Vocabulary

MOST_PLACES: Final = 2_000  # in a pattern with its repetitions written out
MOST_STATES: Final = 4_096
_DEEPEST: Final = 20  # groups within groups
_COUNTS: Final = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_ESCAPED_CLASS: Final = re.compile(r"\\(?:[pP](?:\{\^?\w+\}|\w)|[dDsSwW])")
_NAMED_GROUP: Final = re.compile(r"\?P?<\w+>")
_EMPTY: Final = -1  # in the place of a character: a step that reads none


class _UnsupportedError(Exception):
    """The pattern has something that is left to RE2, or is too large."""


def pattern_automaton(pattern: str, vocabulary: Vocabulary) -> Automaton | None:
    """The automaton of the names that a pattern matches as a whole; None where it is left to RE2.

    pattern:  that RE2 has found valid.
    """
    if "|" not in pattern:  # there, these two say what is so anyway
        pattern = pattern.removeprefix("^")
        if pattern.endswith("$") and not pattern.endswith("\\$"):
            pattern = pattern[:-1]
    try:
        places = _Places(pattern)
        start, end = places.whole()
        return _determined(places, start, end, vocabulary)
    except _UnsupportedError:
        return None


class _Places:
    """The places within a pattern, and the steps between them.

    steps:  for each place (what is read, the place after it), where what is read is a number of `atoms`.
    atoms:  what one character may be, as patterns.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern, self._at, self._depth = pattern, 0, 0
        self.steps: list[list[tuple[int, int]]] = []
        self.atoms: dict[str, int] = {}

    def whole(self) -> tuple[int, int]:
        """The first place and the last one."""
        ends = self._alternatives()
        if self._at < len(self._pattern):
            raise _UnsupportedError
        return ends

    def closure(self, places: Iterable[int]) -> frozenset[int]:
        """These places, and those that are reached without reading."""
        reached, left = set(places), list(places)
        while left:
            for atom, after in self.steps[left.pop()]:
                if atom == _EMPTY and after not in reached:
                    reached.add(after)
                    left.append(after)
        return frozenset(reached)

    def _place(self) -> int:
        if len(self.steps) == MOST_PLACES:
            raise _UnsupportedError
        self.steps.append([])
        return len(self.steps) - 1

    def _join(self, place: int, after: int) -> None:
        self.steps[place].append((_EMPTY, after))

    def _next(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _alternatives(self) -> tuple[int, int]:
        start, end = self._place(), self._place()
        while True:
            first = last = self._place()
            while self._next() not in ("", "|", ")"):
                begin, after = self._repeated()
                self._join(last, begin)
                last = after
            self._join(start, first)
            self._join(last, end)
            if self._next() != "|":
                return start, end
            self._at += 1

    def _repeated(self) -> tuple[int, int]:
        begin = self._at
        once = self._one()
        after = self._at
        least, most = self._counts()
        if (least, most) == (1, 1) and self._at == after:
            return once
        resume = self._at
        start = last = self._place()
        end = self._place()
        for number in range(least + 1 if most is None else most):
            if number >= least:
                self._join(last, end)
            self._at = begin
            first, after = self._one()
            self._join(last, first)
            if most is None and number == least:
                self._join(after, first)
            last = after
        self._join(last, end)
        self._at = resume
        return start, end

    def _counts(self) -> tuple[int, int | None]:
        """How often what is before is repeated, at least and at most; None for without end."""
        counts: tuple[int, int | None]
        if found := _COUNTS.match(self._pattern, self._at):
            least = int(found[1])
            most = (int(found[3]) if found[3] else None) if found[2] else least
            self._at, counts = found.end(), (least, most)
        elif self._next() and self._next() in "*+?":
            counts = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self._next()]
            self._at += 1
        else:
            return 1, 1
        if self._next() == "?":  # as few as possible: of whole names it is the same
            self._at += 1
        if self._next() and self._next() in "*+?{":
            raise _UnsupportedError
        return counts

    def _one(self) -> tuple[int, int]:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._atom(self._end_of_class())
        if character == "\\":
            return self._atom(self._end_of_escape())
        if character in "^$*+?":
            raise _UnsupportedError
        return self._atom(self._at + 1)

    def _atom(self, end: int) -> tuple[int, int]:
        text = self._pattern[self._at : end]
        self._at = end
        start, after = self._place(), self._place()
        self.steps[start].append((self.atoms.setdefault(text, len(self.atoms)), after))
        return start, after

    def _group(self) -> tuple[int, int]:
        self._at += 1
        if self._next() == "?":
            named = _NAMED_GROUP.match(self._pattern, self._at)
            if not named and not self._pattern.startswith("?:", self._at):
                raise _UnsupportedError
            self._at = named.end() if named else self._at + 2
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _UnsupportedError
        ends = self._alternatives()
        self._depth -= 1
        self._at += 1  # the bracket
        return ends

    def _end_of_escape(self) -> int:
        if found := _ESCAPED_CLASS.match(self._pattern, self._at):
            return found.end()
        if self._pattern[self._at + 1 : self._at + 2].isalnum():  # a place, a code point, a quotation
            raise _UnsupportedError
        return self._at + 2

    def _end_of_class(self) -> int:
        place = self._at + 1 + (self._pattern[self._at + 1] == "^")
        place += self._pattern[place] == "]"  # the first one is a character
        while self._pattern[place] != "]":
            if self._pattern[place] == "\\":
                place += 2
            elif self._pattern.startswith("[:", place):
                place = self._pattern.index(":]", place) + 2
            else:
                place += 1
        return place + 1


def _determined(places: _Places, start: int, end: int, vocabulary: Vocabulary) -> Automaton:
    """The automaton whose states are sets of places."""
    matches = _matches([*places.atoms], vocabulary)  # (atoms, V)
    columns, classes = np.unique(matches, axis=1, return_inverse=True)
    numbers = {places.closure([start]): 0}
    steps = []
    for state in (states := [*numbers]):
        row = []
        for column in columns.T:
            read = {
                after for place in state for atom, after in places.steps[place] if atom >= 0 and column[atom]
            }
            reached = places.closure(read)
            if reached not in numbers:
                numbers[reached] = len(numbers)
                states.append(reached)
                if len(numbers) > MOST_STATES:
                    raise _UnsupportedError
            row.append(numbers[reached])
        steps.append(row)
    accepting = np.array([end in state for state in states])
    return Automaton(classes.reshape(-1), np.array(steps, np.int32).reshape(len(states), -1), accepting)


def _matches(atoms: Sequence[str], vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """(atoms, V) which characters RE2 takes for each."""
    characters = pa.array([*vocabulary.characters])
    matches = np.zeros((len(atoms), vocabulary.size), np.bool_)
    for row, atom in zip(matches, atoms, strict=True):
        row[:] = pc.match_substring_regex(characters, rf"\A(?:{atom})\z").to_numpy(zero_copy_only=False)
    matches[:, END_TOKEN] = False
    return matches
