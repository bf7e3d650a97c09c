"""A block of names: from their tree, one character after another, to names spelled out.

Names begin in their order, as many at once as there are places. One that has ended leaves its place to the
next. Towards the end of the block no name is left to take it, and the places become fewer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.random_numbers import NAMES_PER_BLOCK, RandomStream
from rnn_core.sample.logits_processor import LogitsProcessor, sample_tokens
from rnn_core.sample.model import Model, ModelState
from rnn_core.sample.prefix_tree import PrefixTree
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import Tree, tree_map

Indices = npt.NDArray[np.int64]
OnProgress: TypeAlias = Callable[[int], object]


class SampledNames(NamedTuple):
    """N names, and the log-probability of each, (N,), in nats: that of scoring.

    It is the model's own, at temperature 1 and without constraints, the end token included, whatever the
    settings were with which the name was drawn.
    """

    names: EncodedNames
    log_probabilities: npt.NDArray[np.float64]


class Started(NamedTuple):
    """All names of a block, with as much of each as the tree of tree gave.

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
    def from_tree(cls, tree: PrefixTree, stream: RandomStream) -> "Started":
        leaf = tree.drawn(stream.doubles(np.arange(NAMES_PER_BLOCK), 0))
        beginning, tokens = np.divmod(leaf, tree.vocabulary_size)
        lengths = tree.lengths[beginning] + (tokens != END_TOKEN)
        return cls(beginning, tokens, lengths, tree.log_p[leaf])


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
    state: ModelState

    @classmethod
    def start(cls, names: Indices, started: Started, states: ModelState) -> "Active":
        """names: numbers in the block. states: of all tree."""
        state = _rows(states, started.beginning[names])
        return cls(names, started.tokens[names], started.lengths[names], started.log_p[names], state)


class Emitted(NamedTuple):
    """Characters, in whatever order: of which name, at which place in it."""

    names: Indices
    places: Indices
    tokens: Indices


def sample_block(
    model: Model,
    processor: LogitsProcessor,
    tree: PrefixTree,
    stream: RandomStream,
    max_active: int,
    start: int,
    stop: int,
    on_progress: OnProgress,
) -> SampledNames:
    """The names from `start` to before `stop` of a block, each in [0, BLOCK].

    max_active:  how many run together.
    on_progress:    is told after every step how many of those wanted have ended in it.

    Raises TrainingError as `Chooser.weights` does, and what `on_progress` raises.
    """
    started = Started.from_tree(tree, stream)
    waiting = np.flatnonzero(started.tokens != END_TOKEN)
    active = Active.start(waiting[:max_active].copy(), started, tree.state)
    last = int(np.searchsorted(waiting, stop))  # of the waiting, those that are wanted come before
    following = len(active.names)
    on_progress(stop - start - int(np.count_nonzero(started.tokens[start:stop])))
    emitted = []
    workspace = Workspace(model.dtype)
    while len(active.names) and (following < last or active.names.min() < stop):
        tokens = _next_tokens(model, processor, stream, active, workspace)
        on = np.flatnonzero(tokens)
        emitted.append(Emitted(active.names[on], active.lengths[on], tokens[on]))
        ended = np.flatnonzero(tokens == END_TOKEN)
        started.lengths[active.names[ended]] = active.lengths[ended]
        started.log_p[active.names[ended]] = active.log_p[ended]
        on_progress(int(np.count_nonzero((active.names[ended] >= start) & (active.names[ended] < stop))))
        active.tokens[:] = tokens
        active.lengths[:] += 1
        some = waiting[following : following + len(ended)]
        following += len(some)
        if len(some):
            _assign_rows(active, ended[: len(some)], Active.start(some, started, tree.state))
        if len(some) < len(ended):
            active = _rows(active, np.delete(np.arange(len(tokens)), ended[len(some) :]))
    return _assemble(tree, started, emitted, start, stop)


def _next_tokens(
    model: Model, processor: LogitsProcessor, stream: RandomStream, active: Active, workspace: Workspace
) -> Indices:
    """(B,) the next character of every name, or its end. Their probability is added to the names'."""
    logits = model.step(active.tokens, active.state, workspace)
    weights, log_sums = processor.weights(logits, active.tokens, active.lengths, workspace)
    tokens = sample_tokens(weights, stream.singles(active.names, active.lengths))
    chosen = tokens * len(active.names) + np.arange(len(active.names))
    active.log_p[:] += logits.ravel().take(chosen) - log_sums
    return tokens


def _rows(tree: Tree, chosen: Indices) -> Tree:
    """Of every array, as a copy."""
    return tree_map(lambda part: part.take(chosen, axis=0), tree)


def _assign_rows(tree: Tree, places: Indices, others: Tree) -> None:
    def put(own: Any, new: Any) -> None:
        own[places] = new

    tree_map(put, tree, others)


def _assemble(
    tree: PrefixTree, started: Started, emitted: list[Emitted], start: int, stop: int
) -> SampledNames:
    lengths = started.lengths[start:stop]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.empty(offsets[-1], dtype=np.int32)
    beginning = started.beginning[start:stop]
    in_beginning = tree.lengths[beginning]
    for place in range(int(in_beginning.max(initial=0))):
        names = np.flatnonzero(in_beginning > place)
        tokens[offsets[names] + place] = tree.prefixes[beginning[names], place]
    after = np.flatnonzero(started.tokens[start:stop] != END_TOKEN)
    tokens[offsets[after] + in_beginning[after]] = started.tokens[start:stop][after]
    for names, places, characters in emitted:
        wanted = slice(None) if (start, stop) == (0, NAMES_PER_BLOCK) else (names >= start) & (names < stop)
        tokens[offsets[names[wanted] - start] + places[wanted]] = characters[wanted]
    return SampledNames(EncodedNames(tokens, offsets), started.log_p[start:stop])
