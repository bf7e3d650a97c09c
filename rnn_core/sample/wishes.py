"""Wishes: what a whole name has to be, such as an ending, beside the constraints on each character.

A name that is not as wished is rejected and sampled anew, so that the names that come have the proportions
that the model gives them among all that are as wished. A wish that an automaton can follow also tells of a
beginning that nothing can help any more: such a name is given up before its end, which saves time and changes
nothing, since its next attempt has random numbers of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers
from rnn_core.errors import ConfigError
from rnn_core.sample.automaton import Automaton, States
from rnn_core.sample.constraints import Constraints, NamePredicate
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

Mask = npt.NDArray[np.bool_]


_MOST_JOINT_STATES: Final = 1 << 10  # of all automata, in which names of one length are


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """One wish, followed by an automaton, or asked of whole names, or both.

    words:      for people: `suffix 'saurus'`.
    automaton:  accepts every name that the predicate accepts.
    accepts:    which whole names are as wished; None if the automaton accepts no others.
    """

    words: str
    automaton: Automaton | None = None
    accepts: NamePredicate | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """All wishes of a list, of which K are followed by automata.

    needed:      of each automaton, (S,) the fewest characters that are missing in a state.
    max_length:  of a name, in characters.
    """

    automata: tuple[Automaton, ...]
    needed: tuple[States, ...]
    predicates: tuple[NamePredicate, ...]
    max_length: int

    @classmethod
    def build(cls, wishes: Sequence[Wish], constraints: Constraints, vocabulary_size: int) -> "Wishes":
        """The wishes under these constraints.

        Raises ConfigError if no name of these characters and lengths is as wished.
        """
        automata = tuple(wish.automaton for wish in wishes if wish.automaton)
        may_come = np.ones(vocabulary_size, np.bool_)
        may_come[[END_TOKEN, *constraints.forbidden]] = False
        usable = np.flatnonzero(may_come)
        needed = tuple(automaton.needed(usable) for automaton in automata)
        bound = cls(
            automata,
            needed,
            tuple(wish.accepts for wish in wishes if wish.accepts),
            constraints.max_length,
        )
        words = [wish.words for wish in wishes if wish.automaton]
        for place, missing in enumerate(bound.missing(bound.start(constraints.prefix)).tolist()):
            if len(constraints.prefix) + missing > constraints.max_length:
                raise _no_such_name([words[place]], constraints)
        if automata and bound._contradict(constraints, usable):
            raise _no_such_name(words, constraints)
        return bound

    def _contradict(self, constraints: Constraints, usable: Integers) -> bool:
        """Whether it is certain that no name of these characters and lengths fulfills all wishes together.

        By all states that names of each length may be in; where these are too many, it stays open.
        """
        is_space = np.isin(usable, constraints.whitespace)
        alike = np.stack([*(automaton.classes[usable] for automaton in self.automata), is_space])
        tokens = usable[np.unique(alike, axis=1, return_index=True)[1]]  # one of each kind
        is_space = np.isin(tokens, constraints.whitespace)
        states = self.start(constraints.prefix)[np.newaxis]
        may_end = states if not np.isin(constraints.prefix[-1:], constraints.whitespace).any() else states[:0]
        for length in range(len(constraints.prefix), constraints.max_length + 1):
            if length >= constraints.min_length and self.fulfilled(may_end).any():
                return False
            following = tokens if length else tokens[~is_space]
            before = np.broadcast_to(states[:, np.newaxis], (len(states), len(following), states.shape[1]))
            after = self.advance(before, np.broadcast_to(following, before.shape[:2]))
            may_end = after[:, ~np.isin(following, constraints.whitespace)].reshape(-1, states.shape[1])
            states = np.unique(after.reshape(-1, states.shape[1]), axis=0)
            states = states[~self.hopeless(states, np.full(len(states), length + 1))]
            if len(states) > _MOST_JOINT_STATES:
                return False
        return True

    def start(self, prefix: Integers) -> States:
        """(K,) the states after the prefix of all names."""
        return np.array([automaton.read(prefix) for automaton in self.automata], np.int32)

    def advance(self, states: States, tokens: Integers) -> States:
        """(..., K) the states after one more character, (...,); after the end token they mean nothing."""
        advanced = np.empty((*tokens.shape, len(self.automata)), np.int32)
        for place, automaton in enumerate(self.automata):
            advanced[..., place] = automaton.steps[states[..., place], automaton.classes[tokens]]
        return advanced

    def missing(self, states: States) -> States:
        """(..., K) how many characters each wish needs at least."""
        missing = np.empty(states.shape, np.int32)
        for place, needed in enumerate(self.needed):
            missing[..., place] = needed[states[..., place]]
        return missing

    def fulfilled(self, states: States) -> Mask:
        """(...,) whether a name that ends here is accepted by every automaton."""
        fulfilled: Mask = (self.missing(states) == 0).all(axis=-1)
        return fulfilled

    def hopeless(self, states: States, lengths: Integers) -> Mask:
        """(...,) whether no name that goes on from here will be as wished. lengths: (...,) characters."""
        hopeless: Mask = self.missing(states).max(axis=-1, initial=0) > self.max_length - lengths
        return hopeless

    def accept(self, names: EncodedNames) -> Mask:
        """(N,) which whole names the predicates accept."""
        accepted = np.ones(names.count, np.bool_)
        for predicate in self.predicates:
            rows = np.flatnonzero(accepted)
            accepted[rows] = predicate(names.take(rows) if len(rows) < names.count else names)
        return accepted


def _no_such_name(words: Sequence[str], constraints: Constraints) -> ConfigError:
    lengths = f"{constraints.min_length} to {constraints.max_length}"
    return ConfigError(
        "sampling.no_such_name",
        "no name satisfies the options: none of these characters and lengths is as wished",
        saw=f"{', '.join(words)}, and names of {lengths} characters",
        fix="allow other lengths or more characters, or wish for something else.",
    )
