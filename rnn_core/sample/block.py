"""A block of names: each begins with a leaf of the prefix tree and continues one character at a time.

Names start in their order, as many at a time as there are slots. One that has ended leaves its slot to the
next; towards the end of the block no name is left to take it, and the slots become fewer.
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
"""Called with the number of names that have ended since the last call."""


class SampledNames(NamedTuple):
    """N sampled names, and the log-probability of each, (N,), in nats: that of scoring.

    It is the model's own, at temperature 1 and without constraints, the end token included, whatever the
    options of sampling were.
    """

    names: EncodedNames
    log_probabilities: npt.NDArray[np.float64]


class Started(NamedTuple):
    """All names of a block, as far as the prefix tree gives them.

    prefix:   (NAMES_PER_BLOCK,) number of the prefix.
    tokens:   (NAMES_PER_BLOCK,) the character after it, or the end.
    lengths:  (NAMES_PER_BLOCK,) characters, that one included.
    log_p:    (NAMES_PER_BLOCK,) of all of them.
    """

    prefix: Indices
    tokens: Indices
    lengths: Indices
    log_p: npt.NDArray[np.float64]

    @classmethod
    def from_tree(cls, tree: PrefixTree, stream: RandomStream) -> "Started":
        """Every name of the block with its leaf of the tree."""
        leaf = tree.sample_leaves(stream.doubles(np.arange(NAMES_PER_BLOCK), 0))
        prefix, tokens = np.divmod(leaf, tree.vocabulary_size)
        lengths = tree.lengths[prefix] + (tokens != END_TOKEN)
        return cls(prefix, tokens, lengths, tree.log_p[leaf])


class Active(NamedTuple):
    """B names that have not ended, each in its slot; changed in place as they grow.

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
        """The names of these numbers in the block; states: of all prefixes of the tree."""
        state = _rows(states, started.prefix[names])
        return cls(names, started.tokens[names], started.lengths[names], started.log_p[names], state)


class Emitted(NamedTuple):
    """Characters in any order: their names, and their places in them."""

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
    """The names from `start` to before `stop` of a block, each in [0, NAMES_PER_BLOCK].

    max_active:   how many are computed together.
    on_progress:  called after every step with how many of the requested names ended in it.

    Raises TrainingError as `LogitsProcessor.weights` does, and what `on_progress` raises.
    """
    started = Started.from_tree(tree, stream)
    waiting = np.flatnonzero(started.tokens != END_TOKEN)
    active = Active.start(waiting[:max_active].copy(), started, tree.state)
    last = int(np.searchsorted(waiting, stop))  # the requested ones are before it
    next_waiting = len(active.names)
    on_progress(stop - start - int(np.count_nonzero(started.tokens[start:stop])))
    emitted = []
    workspace = Workspace(model.dtype)
    while len(active.names) and (next_waiting < last or active.names.min() < stop):
        tokens = _next_tokens(model, processor, stream, active, workspace)
        going_on = np.flatnonzero(tokens)
        emitted.append(Emitted(active.names[going_on], active.lengths[going_on], tokens[going_on]))
        ended = np.flatnonzero(tokens == END_TOKEN)
        started.lengths[active.names[ended]] = active.lengths[ended]
        started.log_p[active.names[ended]] = active.log_p[ended]
        on_progress(int(np.count_nonzero((active.names[ended] >= start) & (active.names[ended] < stop))))
        active.tokens[:] = tokens
        active.lengths[:] += 1
        entering = waiting[next_waiting : next_waiting + len(ended)]
        next_waiting += len(entering)
        if len(entering):
            _assign_rows(active, ended[: len(entering)], Active.start(entering, started, tree.state))
        if len(entering) < len(ended):
            active = _rows(active, np.delete(np.arange(len(tokens)), ended[len(entering) :]))
    return _assemble(tree, started, emitted, start, stop)


def _next_tokens(
    model: Model, processor: LogitsProcessor, stream: RandomStream, active: Active, workspace: Workspace
) -> Indices:
    """(B,) the next character of every name, or its end; its log-probability is added to the name's."""
    logits = model.step(active.tokens, active.state, workspace)
    weights, log_sums = processor.weights(logits, active.tokens, active.lengths, workspace)
    tokens = sample_tokens(weights, stream.singles(active.names, active.lengths))
    places = tokens * len(active.names) + np.arange(len(active.names))
    active.log_p[:] += logits.ravel().take(places) - log_sums
    return tokens


def _rows(tree: Tree, rows: Indices) -> Tree:
    """These rows of every array, as copies."""
    return tree_map(lambda part: part.take(rows, axis=0), tree)


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
    prefix = started.prefix[start:stop]
    prefix_lengths = tree.lengths[prefix]
    for place in range(int(prefix_lengths.max(initial=0))):
        names = np.flatnonzero(prefix_lengths > place)
        tokens[offsets[names] + place] = tree.prefixes[prefix[names], place]
    after = np.flatnonzero(started.tokens[start:stop] != END_TOKEN)
    tokens[offsets[after] + prefix_lengths[after]] = started.tokens[start:stop][after]
    for names, places, characters in emitted:
        requested = (
            slice(None) if (start, stop) == (0, NAMES_PER_BLOCK) else (names >= start) & (names < stop)
        )
        tokens[offsets[names[requested] - start] + places[requested]] = characters[requested]
    return SampledNames(EncodedNames(tokens, offsets), started.log_p[start:stop])
