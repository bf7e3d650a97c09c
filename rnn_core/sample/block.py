"""A block of names: each begins with a leaf of the prefix tree and continues one character at a time.

Names start in their order, as many at a time as there are slots. One that has ended leaves its slot to the
next; towards the end of the block no name is left to take it, and the slots become fewer.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.random_numbers import NAMES_PER_BLOCK, RandomStream
from rnn_core.sample.constraints import NamePredicate, too_rare
from rnn_core.sample.logits_processor import LogitsProcessor, sample_tokens
from rnn_core.sample.model import Model, ModelState
from rnn_core.sample.prefix_tree import PrefixTree, first_characters
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import Tree, tree_map

PLACES_PER_ATTEMPT: Final = 1 << 14  # random numbers of a name, more than it may have characters
# Sampling gives up when accepted names are rarer than one in MOST_REJECTIONS, but not before so many.
FEWEST_REJECTIONS: Final = 1 << 16
MOST_REJECTIONS: Final = 1 << 12

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


class SamplingContext(NamedTuple):
    """What every block of a list is sampled with.

    max_active:  how many names are computed together.
    accepts:     which names are accepted, besides the constraints and the wishes; None for all.
    """

    model: Model
    processor: LogitsProcessor
    tree: PrefixTree
    max_active: int
    accepts: NamePredicate | None = None


class Started(NamedTuple):
    """All names of a block, as far as the prefix tree gives them; changed in place when a name restarts.

    prefix:    (NAMES_PER_BLOCK,) number of the prefix.
    tokens:    (NAMES_PER_BLOCK,) the character after it, or the end.
    lengths:   (NAMES_PER_BLOCK,) characters, that one included.
    log_p:     (NAMES_PER_BLOCK,) of all of them.
    attempts:  (NAMES_PER_BLOCK,) how often the name was rejected.
    """

    prefix: Indices
    tokens: Indices
    lengths: Indices
    log_p: npt.NDArray[np.float64]
    attempts: Indices

    @classmethod
    def from_tree(cls, tree: PrefixTree, stream: RandomStream) -> "Started":
        """Every name of the block with its leaf of the tree."""
        prefix, tokens, lengths, attempts = np.zeros((4, NAMES_PER_BLOCK), np.int64)
        started = cls(prefix, tokens, lengths, np.zeros(NAMES_PER_BLOCK), attempts)
        started.restart(np.arange(NAMES_PER_BLOCK), tree, stream)
        return started

    def restart(self, names: Indices, tree: PrefixTree, stream: RandomStream) -> None:
        """Starts these names with the leaf of their attempt."""
        leaves = tree.sample_leaves(stream.doubles(names, self.attempts[names] * PLACES_PER_ATTEMPT))
        self.prefix[names], self.tokens[names] = leaves.prefixes, leaves.tokens
        self.lengths[names] = tree.prefixes.lengths[leaves.prefixes] + (leaves.tokens != END_TOKEN)
        self.log_p[names] = leaves.log_p


class Active(NamedTuple):
    """B names that have not ended, each in its slot; changed in place as they grow.

    names:       (B,) their numbers in the block.
    tokens:      (B,) the last character of each.
    lengths:     (B,) characters so far.
    log_p:       (B,) of them.
    places:      (B,) of the first random number of their attempt.
    characters:  (B, W) of each so far, in a buffer that is at least one wider than the longest.
    state:       of the model, which has read all but the last character.
    """

    names: Indices
    tokens: Indices
    lengths: Indices
    log_p: npt.NDArray[np.float64]
    places: Indices
    characters: npt.NDArray[np.int32]
    state: ModelState

    @classmethod
    def start(cls, names: Indices, started: Started, tree: PrefixTree, width: int) -> "Active":
        """The names of these numbers in the block."""
        prefix, tokens, lengths = started.prefix[names], started.tokens[names], started.lengths[names]
        characters = np.zeros((len(names), width), np.int32)
        characters[:, : tree.prefixes.characters.shape[1]] = tree.prefixes.characters[prefix]
        characters[np.arange(len(names)), lengths - 1] = tokens
        places = started.attempts[names] * PLACES_PER_ATTEMPT
        state = take_rows(tree.prefixes.state, prefix)
        return cls(names, tokens, lengths, started.log_p[names], places, characters, state)

    def widened(self) -> "Active":
        """The same names, with a buffer twice as wide if it is full."""
        width = self.characters.shape[1]
        if self.lengths.max() < width:
            return self
        return self._replace(characters=np.pad(self.characters, ((0, 0), (0, width))))


def sample_block(
    context: SamplingContext, stream: RandomStream, start: int, stop: int, on_progress: OnProgress
) -> SampledNames:
    """The names from `start` to before `stop` of a block, each in [0, NAMES_PER_BLOCK].

    A name that is rejected starts again in its slot, with the random numbers of its next attempt.

    on_progress:  called after every step with how many of the requested names ended in it.

    Raises TrainingError as `LogitsProcessor.weights` does, and if accepted names are too rare; and what
    `on_progress` raises.
    """
    tree, accepts = context.tree, context.accepts
    started = Started.from_tree(tree, stream)
    waiting = np.flatnonzero(started.tokens != END_TOKEN)
    width = tree.prefixes.characters.shape[1] + 16
    active = Active.start(waiting[: context.max_active].copy(), started, tree, width)
    last = int(np.searchsorted(waiting, stop))  # the requested ones are before it
    next_waiting = len(active.names)
    accepted, rejections = NAMES_PER_BLOCK - len(waiting), 0
    on_progress(stop - start - int(np.count_nonzero(started.tokens[start:stop])))
    grown = []
    workspace = Workspace(context.model.dtype)
    while len(active.names) and (next_waiting < last or active.names.min() < stop):
        active = active.widened()
        tokens = next_tokens(context, stream, active, workspace)
        is_rejected = context.processor.constraints.rejected(tokens, active.lengths)
        is_ended = (tokens == END_TOKEN) & ~is_rejected
        ended = np.flatnonzero(is_ended)
        if accepts and len(ended):
            names = first_characters(active.characters[ended], active.lengths[ended])
            is_rejected[ended] = ~accepts(names)
            ended = ended[~is_rejected[ended]]
        grown.append((active.names[ended], first_characters(active.characters[ended], active.lengths[ended])))
        started.lengths[active.names[ended]] = active.lengths[ended]
        started.log_p[active.names[ended]] = active.log_p[ended]
        active.characters[np.arange(len(tokens)), active.lengths] = tokens
        active.tokens[:] = tokens
        active.lengths[:] += 1
        rejected = np.flatnonzero(is_rejected)
        if len(rejected):
            rejections += len(rejected)
            if context.processor.temperature == 0 and tree.has_one_root:
                raise too_rare(0.0)  # there is one name, and it is rejected
            ended = np.sort(np.concatenate([ended, _restart(rejected, active, started, tree, stream)]))
        accepted += len(ended)
        if rejections > max(FEWEST_REJECTIONS, MOST_REJECTIONS * accepted):
            raise too_rare(tree.cumulative[-1] / (rejections // max(accepted, 1)))
        ended_names = active.names[ended]
        on_progress(int(np.count_nonzero((ended_names >= start) & (ended_names < stop))))
        entering = waiting[next_waiting : next_waiting + len(ended)]
        next_waiting += len(entering)
        if len(entering):
            new = Active.start(entering, started, tree, active.characters.shape[1])
            assign_rows(active, ended[: len(entering)], new)
        if len(entering) < len(ended):
            active = take_rows(active, np.delete(np.arange(len(tokens)), ended[len(entering) :]))
    return _assemble(tree, started, grown, start, stop)


def _restart(
    slots: Indices, active: Active, started: Started, tree: PrefixTree, stream: RandomStream
) -> Indices:
    """Starts the names of these slots again; the slots whose names the tree gives whole."""
    names = active.names[slots]
    started.attempts[names] += 1
    started.restart(names, tree, stream)
    goes_on = started.tokens[names] != END_TOKEN
    if goes_on.any():
        again = Active.start(names[goes_on], started, tree, active.characters.shape[1])
        assign_rows(active, slots[goes_on], again)
    ended: Indices = slots[~goes_on]
    return ended


def next_tokens(
    context: SamplingContext, stream: RandomStream, active: Active, workspace: Workspace
) -> Indices:
    """(B,) the next character of every name, or its end; its log-probability is added to the name's."""
    logits = context.model.step(active.tokens, active.state, workspace)
    weights, log_sums = context.processor.weights(logits, active.tokens, active.lengths, workspace)
    tokens = sample_tokens(weights, stream.singles(active.names, active.places + active.lengths))
    places = tokens * len(active.names) + np.arange(len(active.names))
    active.log_p[:] += logits.ravel().take(places) - log_sums
    return tokens


def take_rows(tree: Tree, rows: Indices) -> Tree:
    """These rows of every array, as copies."""
    return tree_map(lambda part: part.take(rows, axis=0), tree)


def assign_rows(tree: Tree, places: Indices, others: Tree) -> None:
    """Puts the rows of the other arrays into these places."""

    def put(own: Any, new: Any) -> None:
        own[places] = new

    tree_map(put, tree, others)


def _assemble(
    tree: PrefixTree, started: Started, grown: list[tuple[Indices, EncodedNames]], start: int, stop: int
) -> SampledNames:
    """grown: names that did not end in the tree, as they ended."""
    lengths = started.lengths[start:stop]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.empty(offsets[-1], dtype=np.int32)
    ended_in_tree = np.flatnonzero(started.tokens[start:stop] == END_TOKEN)
    _place(
        tokens,
        offsets[ended_in_tree],
        first_characters(
            tree.prefixes.characters[started.prefix[start:stop][ended_in_tree]], lengths[ended_in_tree]
        ),
    )
    if grown:
        names = np.concatenate([numbers for numbers, _ in grown])
        sizes = np.concatenate([part.lengths for _, part in grown])
        characters = np.concatenate([part.tokens for _, part in grown])
        whole = EncodedNames(characters, np.concatenate([[0], np.cumsum(sizes)]))
        requested = np.flatnonzero((names >= start) & (names < stop))
        if len(requested) < len(names):
            names, whole = names[requested], whole.take(requested)
        _place(tokens, offsets[names - start], whole)
    starts = tree.prefixes.starts[started.prefix[start:stop]].astype(np.int32)
    styles = starts if tree.prefixes.starts.any() else None  # the end token is 0
    return SampledNames(EncodedNames(tokens, offsets, starts=styles), started.log_p[start:stop])


def _place(tokens: npt.NDArray[np.int32], starts: Indices, names: EncodedNames) -> None:
    """Writes each name into `tokens` from its start on."""
    tokens[np.arange(len(names.tokens)) + np.repeat(starts - names.offsets[:-1], names.lengths)] = (
        names.tokens
    )
