"""The tree of prefixes that many names share: the model steps through each of them once, for all names.

Its root is the prefix of the options, one for each style that names may have. A prefix is in it if at least
one name in `RARITY` is expected to begin with it. What leaves the tree, an end or a character that makes the
prefix too rare, is a *leaf*. The leaves' probabilities sum to 1, so one random number samples a whole prefix.

    P(leaf) = product of the probabilities of its characters, and that of its root

A root is as probable as its style given the prefix of the options: by the share of the style, times the
probability that the model gives to the prefix in it.

Where a list has wishes, leaves of which no name can be as wished are left out, and rarity is relative to the
whole names as wished that the tree has found so far. So where these are rare the tree grows on, the most
probable prefixes first, until it is full. If there are few, as within a small edit distance, it holds all
that ever come, and no attempt is rejected.

The tree depends on the model and the options alone, so every block of names uses the same. It is computed in
double precision: with hundreds of thousands of leaves, rounding in single precision would move one name in a
few hundred to another leaf on another processor.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Integers, Workspace
from rnn_core.sample.automaton import States
from rnn_core.sample.constraints import NamePredicate, too_rare
from rnn_core.sample.logits_processor import LogitsProcessor
from rnn_core.sample.model import Model, ModelState
from rnn_core.sample.wishes import Wishes
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import leaves as leaves_of
from rnn_core.tree import tree_map

RARITY = 1 << 15  # twice as many: names a fifth faster, and the first one after twice the time
MAX_BYTES = (
    1 << 24
)  # bytes of states at most, or of leaves: in the cache, and a thousand names come in a moment
LEAF_BYTES: Final = 16  # its number, and the sum of the probabilities up to it
MAX_DEPTH = 32  # characters
WISHED_AT_ONCE, WISHED_ROUNDS = 1_024, 256  # prefixes added in a round with wishes, and rounds at most

Probabilities = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class Prefixes(NamedTuple):
    """N prefixes of names.

    characters:  (N, D) of each, padded with 0.
    lengths:     (N,) how many it has.
    starts:      (N,) the start token before each; the end token without styles.
    wished:      (N, K) states of the wishes that have read each; K is 0 without wishes.
    state:       (N, ...) of the model that has.
    """

    characters: npt.NDArray[np.int32]
    lengths: Indices
    starts: Indices
    wished: States
    state: ModelState

    def take(self, rows: Integers) -> "Prefixes":
        """These prefixes, as copies."""
        taken: Prefixes = tree_map(lambda part: part.take(rows, axis=0), self)
        return taken

    def joined(self, others: "Prefixes") -> "Prefixes":
        """These prefixes, and then the others."""
        missing = others.characters.shape[1] - self.characters.shape[1]
        padded = [
            part._replace(characters=np.pad(part.characters, ((0, 0), (0, max(width, 0)))))
            for part, width in ((self, missing), (others, -missing))
        ]
        joined: Prefixes = tree_map(lambda own, new: np.concatenate([own, new]), *padded)
        return joined


class Leaves(NamedTuple):
    """L leaves: prefixes of the tree, each with one character more, or the end.

    prefixes:     (L,) number of the prefix.
    tokens:       (L,) the character after it.
    log_p:        (L,) in nats, under the unconstrained model.
    probability:  (L,) of being sampled.
    """

    prefixes: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int32]
    log_p: Probabilities
    probability: Probabilities

    def take(self, rows: Indices | npt.NDArray[np.bool_]) -> "Leaves":
        """These leaves, as copies."""
        taken: Leaves = tree_map(lambda part: part[rows], self)
        return taken

    def joined(self, others: "Leaves") -> "Leaves":
        """These leaves, and then the others."""
        joined: Leaves = tree_map(lambda own, new: np.concatenate([own, new]), self, others)
        return joined


@dataclass(frozen=True, slots=True, eq=False)
class PrefixTree:
    """The tree of N prefixes and L leaves.

    The leaves lie in alphabetical order, style by style. So where rounding drops a prefix, other names stay
    the same.

    cumulative:  (L,) sums of the probabilities of the leaves.
    """

    prefixes: Prefixes
    leaves: Leaves
    cumulative: Probabilities

    @property
    def has_one_root(self) -> bool:
        """Whether all names begin alike."""
        return bool((self.prefixes.starts == self.prefixes.starts[0]).all())

    @classmethod
    def build(
        cls,
        model: Model,
        processor: LogitsProcessor,
        accepts: NamePredicate | None = None,
        wishes: Wishes | None = None,
        rarity: int | None = None,
    ) -> "PrefixTree":
        """The tree of a model under these options, without leaves whose names are rejected.

        accepts:  which names are accepted, besides the constraints and the wishes.
        rarity:   instead of `RARITY`.

        Raises TrainingError as `LogitsProcessor.weights` does, and if no name is left.
        """
        double = model.double or model
        state_bytes = row_bytes(model.initial_state(1))
        builder = _Builder(
            double, processor, accepts, wishes, rarity or RARITY, state_bytes, Workspace(double.dtype)
        )
        prefixes, leaves = builder.grow()
        if not len(leaves.tokens):
            raise too_rare(0.0, wished=wishes is not None)
        leaves = leaves.take(_alphabetical(prefixes, leaves))
        state = tree_map(
            lambda like, part: part.astype(like.dtype, casting="same_kind", copy=False),
            model.initial_state(0),
            prefixes.state,
        )
        return cls(prefixes._replace(state=state), leaves, leaves.probability.cumsum())

    def sample_leaves(self, uniforms: Probabilities) -> Leaves:
        """A leaf for each of the uniform numbers in [0, 1), (B,)."""
        order = np.argsort(uniforms)  # in order the search is several times as fast
        found = np.searchsorted(self.cumulative, uniforms[order] * self.cumulative[-1], side="right")
        places = np.empty(len(uniforms), np.int64)
        places[order] = found
        return self.leaves.take(places)


def first_characters(rows: npt.NDArray[np.integer], lengths: Indices) -> EncodedNames:
    """The names whose characters are the first so many of each row, (N, W)."""
    is_inside = np.arange(rows.shape[1]) < lengths[:, np.newaxis]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return EncodedNames(rows[is_inside].astype(np.int32), offsets)


def row_bytes(state: ModelState) -> int:
    """The bytes of the state of one name."""
    return sum(leaf[:1].nbytes for leaf in leaves_of(state))


def _alphabetical(prefixes: Prefixes, leaves: Leaves) -> Indices:
    """(L,) the order of the leaves: by style, then by all of their characters."""
    characters = np.pad(prefixes.characters, ((0, 0), (0, 1)))[leaves.prefixes]
    characters[np.arange(len(characters)), prefixes.lengths[leaves.prefixes]] = leaves.tokens
    order: Indices = np.lexsort([*characters.T[::-1], prefixes.starts[leaves.prefixes]])
    return order


class _Growing(NamedTuple):
    """N prefixes that the tree goes on to.

    prefixes:     the model has yet to read their last character.
    tokens:       (N,) that character.
    log_p:        (N,) in nats, under the unconstrained model.
    probability:  (N,) of names that begin so.
    """

    prefixes: Prefixes
    tokens: Indices
    log_p: Probabilities
    probability: Probabilities

    @classmethod
    def from_leaves(cls, leaves: Leaves, prefixes: Prefixes, wishes: Wishes | None) -> "_Growing":
        """The prefixes that these leaves of a tree become."""
        before, tokens = prefixes.take(leaves.prefixes), leaves.tokens.astype(np.int64)
        characters = np.pad(before.characters, ((0, 0), (0, 1)))
        characters[np.arange(len(tokens)), before.lengths] = tokens
        after = before._replace(
            characters=characters[:, : before.lengths.max() + 1],
            lengths=before.lengths + 1,
            wished=wishes.advance(before.wished, tokens) if wishes else before.wished,
        )
        return cls(after, tokens, leaves.log_p, leaves.probability)


class _Builder(NamedTuple):
    """What a tree is built with. state_bytes: of a prefix, in the precision that names are sampled in."""

    model: Model
    processor: LogitsProcessor
    accepts: NamePredicate | None
    wishes: Wishes | None
    rarity: int
    state_bytes: int
    workspace: Workspace

    def grow(self) -> tuple[Prefixes, Leaves]:
        """All prefixes of the tree, and all leaves that may become a name."""
        room, rounds, at_once = MAX_BYTES, MAX_DEPTH, MAX_BYTES
        if self.wishes:
            rounds, at_once = WISHED_ROUNDS, WISHED_AT_ONCE
        growing = self.roots()
        prefixes = growing.prefixes.take(np.zeros(0, np.int64))
        leaves = Leaves(*np.zeros((2, 0), np.int32), *np.zeros((2, 0)))
        while True:
            new = self.expand(growing)
            new = new._replace(prefixes=new.prefixes + np.int32(len(prefixes.lengths)))
            prefixes, leaves = prefixes.joined(growing.prefixes), leaves.joined(new)
            room -= self._bytes(len(growing.tokens), new)
            rounds -= 1
            fitting = room // self._bytes(1)
            known = leaves.probability[leaves.tokens == END_TOKEN].sum() if self.wishes else 1.0
            goes_on = _frequent(leaves, known / self.rarity, min(fitting, at_once) if rounds else 0)
            if not len(goes_on):
                return prefixes, leaves
            growing = _Growing.from_leaves(leaves.take(goes_on), prefixes, self.wishes)
            stays = np.ones(len(leaves.tokens), np.bool_)
            stays[goes_on] = False
            leaves = leaves.take(stays)

    def _bytes(self, prefixes: int, leaves: Leaves | None = None) -> int:
        """The bytes of prefixes: of their states, or their leaves; by default all that they may have.

        Where there are wishes few characters may lead to a name as wished, so a tree has more prefixes.
        """
        of_leaves = prefixes * self.model.vocabulary_size * LEAF_BYTES
        if leaves is not None and self.wishes:
            of_leaves = len(leaves.tokens) * LEAF_BYTES
        return max(prefixes * self.state_bytes, of_leaves)

    def roots(self) -> _Growing:
        """The prefix of the options, in every style."""
        model, wishes = self.model, self.wishes
        prefix = self.processor.constraints.prefix
        starts = np.array(model.starts)
        state = model.initial_state(len(starts))
        log_p: Probabilities = np.zeros(len(starts))
        log_weights = log_p.copy()
        tokens = starts
        for place, character in enumerate(prefix):
            prefix_logits = model.step(tokens, state, self.workspace).astype(np.float64)
            # No name is empty.
            possible = prefix_logits if place else np.delete(prefix_logits, END_TOKEN, axis=0)
            with np.errstate(invalid="ignore"):  # checked by the logits processor
                log_p += prefix_logits[character] - np.logaddexp.reduce(prefix_logits)
                log_weights += prefix_logits[character] - np.logaddexp.reduce(possible)
            tokens = np.full(len(starts), character)
        wished = wishes.start(prefix) if wishes else np.zeros(0, np.int32)
        prefixes = Prefixes(
            characters=np.tile(prefix, (len(starts), 1)),
            lengths=np.full(len(starts), len(prefix)),
            starts=starts,
            wished=np.tile(wished, (len(starts), 1)),
            state=state,
        )
        return _Growing(prefixes, tokens, log_p, _root_probabilities(np.array(model.shares), log_weights))

    def expand(self, growing: _Growing) -> Leaves:
        """The leaves of these prefixes that may become a name; their states read the last character."""
        prefixes, tokens, log_p, probability = growing
        logits = self.model.step(tokens, prefixes.state, self.workspace)
        weights, log_sums = self.processor.weights(logits, tokens, prefixes.lengths, self.workspace)
        reach: Probabilities = weights.T.astype(np.float64)
        reach *= (probability / reach.sum(axis=1))[:, np.newaxis]
        next_log_p: Probabilities = (logits - log_sums).T.astype(np.float64)
        next_log_p += log_p[:, np.newaxis]
        self._drop_rejected(reach, prefixes)
        rows, characters = np.nonzero(reach)
        return Leaves(
            rows.astype(np.int32),
            characters.astype(np.int32),
            next_log_p[rows, characters],
            reach[rows, characters],
        )

    def _drop_rejected(self, reach: Probabilities, prefixes: Prefixes) -> None:
        """Sets the probability of leaves to 0, (N, V), of which no name is accepted."""
        tokens = np.broadcast_to(np.arange(reach.shape[1]), reach.shape)
        lengths = prefixes.lengths[:, np.newaxis]
        reach[self.processor.constraints.rejected(tokens, lengths)] = 0.0
        if self.wishes:
            before = np.broadcast_to(prefixes.wished[:, np.newaxis], (*reach.shape, prefixes.wished.shape[1]))
            is_hopeless = self.wishes.hopeless(self.wishes.advance(before, tokens), lengths + 1)
            is_hopeless[:, END_TOKEN] = ~self.wishes.fulfilled(prefixes.wished)
            reach[is_hopeless] = 0.0
        for predicate in (self.accepts, self.wishes and self.wishes.accept):
            ends = np.flatnonzero(reach[:, END_TOKEN])
            if predicate and len(ends):
                is_accepted = predicate(first_characters(prefixes.characters[ends], prefixes.lengths[ends]))
                reach[ends[~is_accepted], END_TOKEN] = 0.0


def _root_probabilities(shares: Probabilities, log_p: Probabilities) -> Probabilities:
    """(S,) how probable each style is given the prefix, which has the log-probabilities `log_p` in them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        weights: Probabilities = np.log(shares) + log_p
        weights = np.exp(weights - weights.max())
        weights /= weights.sum()
    # Of a model that is not finite, which is an error at the next step.
    return weights if np.isfinite(weights).all() else shares / shares.sum()


def _frequent(leaves: Leaves, least: float, room: int) -> Indices:
    """(G,) the leaves where the tree goes on, the most probable ones if room is short.

    least:  a probability from which on it does.
    """
    places = np.flatnonzero((leaves.probability >= least) & (leaves.tokens != END_TOKEN))
    if len(places) <= room:
        return places
    if room <= 0:
        return places[:0]
    probability = leaves.probability[places]
    bound = np.partition(probability, -room)[-room]
    above, equal = np.flatnonzero(probability > bound), np.flatnonzero(probability == bound)
    chosen: Indices = places[np.sort(np.concatenate([above, equal[: room - len(above)]]))]
    return chosen
