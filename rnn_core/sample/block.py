"""A block of names: from their beginnings, one character after another, to names spelled out.

Names begin in their order, as many at once as there are places. One that has ended leaves its place to the
next. Towards the end of the block no name is left to take it, and the places become fewer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.random_numbers import BLOCK, RandomStream
from rnn_core.sample.logits_processor import LogitsProcessor, drawn
from rnn_core.sample.model import Model, State
from rnn_core.sample.prefix_tree import PrefixTree
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import Tree, tree_map

Indices = npt.NDArray[np.int64]
Watch: TypeAlias = Callable[[int], object]


class Drawn(NamedTuple):
    """N names, and the log-probability of each, (N,), in nats: that of scoring.

    It is the model's own, at temperature 1 and without constraints, the end token included, whatever the
    settings were with which the name was drawn.
    """

    names: EncodedNames
    log_probabilities: npt.NDArray[np.float64]


class Started(NamedTuple):
    """All names of a block, with as much of each as the tree of beginnings gave.

    beginning:  (BLOCK,) number of the beginning.
    tokens:     (BLOCK,) the character after it, or the end.
    lengths:    (BLOCK,) characters, that one included.
    log_p:      (BLOCK,) of all that.
    """

    beginning: Indices
    tokens: Indices
    lengths: Indices
    log_p: npt.NDArray[np.float64]

    @classmethod
    def of(cls, beginnings: PrefixTree, stream: RandomStream) -> "Started":
        leaf = beginnings.drawn(stream.doubles(np.arange(BLOCK), 0))
        beginning, tokens = np.divmod(leaf, beginnings.vocabulary_size)
        lengths = beginnings.lengths[beginning] + (tokens != END_TOKEN)
        return cls(beginning, tokens, lengths, beginnings.log_p[leaf])


class Active(NamedTuple):
    """B names that have not ended, each in its place. What is here changes as they grow.

    names:    (B,) their numbers in the block.
    tokens:   (B,) the last character of each.
    lengths:  (B,) characters so far.
    log_p:    (B,) of them.
    state:    of the model, which has read all but the last character.
    """

    names: Indices
    tokens: Indices
    lengths: Indices
    log_p: npt.NDArray[np.float64]
    state: State

    @classmethod
    def of(cls, names: Indices, begun: Started, states: State) -> "Active":
        """names: numbers in the block. states: of all beginnings."""
        state = _rows(states, begun.beginning[names])
        return cls(names, begun.tokens[names], begun.lengths[names], begun.log_p[names], state)


class Emitted(NamedTuple):
    """Characters, in whatever order: of which name, at which place in it."""

    names: Indices
    places: Indices
    tokens: Indices


def names_of_block(
    model: Model,
    chooser: LogitsProcessor,
    beginnings: PrefixTree,
    stream: RandomStream,
    at_once: int,
    start: int,
    stop: int,
    watch: Watch,
) -> Drawn:
    """The names from `start` to before `stop` of a block, each in [0, BLOCK].

    at_once:  how many run together.
    watch:    is told after every step how many of those wanted have ended in it.

    Raises TrainingError as `Chooser.weights` does, and what `watch` raises.
    """
    begun = Started.of(beginnings, stream)
    waiting = np.flatnonzero(begun.tokens != END_TOKEN)
    running = Active.of(waiting[:at_once].copy(), begun, beginnings.state)
    last = int(np.searchsorted(waiting, stop))  # of the waiting, those that are wanted come before
    following = len(running.names)
    watch(stop - start - int(np.count_nonzero(begun.tokens[start:stop])))
    written = []
    workspace = Workspace(model.dtype)
    while len(running.names) and (following < last or running.names.min() < stop):
        tokens = _further(model, chooser, stream, running, workspace)
        on = np.flatnonzero(tokens)
        written.append(Emitted(running.names[on], running.lengths[on], tokens[on]))
        ended = np.flatnonzero(tokens == END_TOKEN)
        begun.lengths[running.names[ended]] = running.lengths[ended]
        begun.log_p[running.names[ended]] = running.log_p[ended]
        watch(int(np.count_nonzero((running.names[ended] >= start) & (running.names[ended] < stop))))
        running.tokens[:] = tokens
        running.lengths[:] += 1
        some = waiting[following : following + len(ended)]
        following += len(some)
        if len(some):
            _put(running, ended[: len(some)], Active.of(some, begun, beginnings.state))
        if len(some) < len(ended):
            running = _rows(running, np.delete(np.arange(len(tokens)), ended[len(some) :]))
    return _spelled(beginnings, begun, written, start, stop)


def _further(
    model: Model, chooser: LogitsProcessor, stream: RandomStream, running: Active, workspace: Workspace
) -> Indices:
    """(B,) the next character of every name, or its end. Their probability is added to the names'."""
    logits = model.step(running.tokens, running.state, workspace)
    weights, log_sums = chooser.weights(logits, running.tokens, running.lengths, workspace)
    tokens = drawn(weights, stream.singles(running.names, running.lengths))
    chosen = tokens * len(running.names) + np.arange(len(running.names))
    running.log_p[:] += logits.ravel().take(chosen) - log_sums
    return tokens


def _rows(tree: Tree, chosen: Indices) -> Tree:
    """Of every array, as a copy."""
    return tree_map(lambda part: part.take(chosen, axis=0), tree)


def _put(tree: Tree, places: Indices, others: Tree) -> None:
    def put(own: Any, new: Any) -> None:
        own[places] = new

    tree_map(put, tree, others)


def _spelled(beginnings: PrefixTree, begun: Started, written: list[Emitted], start: int, stop: int) -> Drawn:
    lengths = begun.lengths[start:stop]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.empty(offsets[-1], dtype=np.int32)
    beginning = begun.beginning[start:stop]
    in_beginning = beginnings.lengths[beginning]
    for place in range(int(in_beginning.max(initial=0))):
        names = np.flatnonzero(in_beginning > place)
        tokens[offsets[names] + place] = beginnings.prefixes[beginning[names], place]
    after = np.flatnonzero(begun.tokens[start:stop] != END_TOKEN)
    tokens[offsets[after] + in_beginning[after]] = begun.tokens[start:stop][after]
    for names, places, characters in written:
        wanted = slice(None) if (start, stop) == (0, BLOCK) else (names >= start) & (names < stop)
        tokens[offsets[names[wanted] - start] + places[wanted]] = characters[wanted]
    return Drawn(EncodedNames(tokens, offsets), begun.log_p[start:stop])
