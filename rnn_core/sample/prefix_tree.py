"""The tree of prefixes that many names share: the model steps through each of them once, for all names.

Its root is the prefix of the options, one for each style that names may have. A prefix is in it if at least
one name in `RARITY` is expected to begin with it. What leaves the tree, an end or a character that makes the
prefix too rare, is a *leaf*. The leaves' probabilities sum to 1, so one random number samples a whole prefix.

    P(leaf) = product of the probabilities of its characters, and that of its root

A root is as probable as its style given the prefix of the options: by the share of the style, times the
probability that the model gives to the prefix in it.

Where a list has wishes, leaves of which no name can be as wished are left out, and rarity is relative to what
is left: where few beginnings can be as wished, the tree is the deeper.

The tree depends on the model and the options alone, so every block of names uses the same. It is computed in
double precision: with hundreds of thousands of leaves, rounding in single precision would move one name in a
few hundred to another leaf on another processor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.sample.automaton import States
from rnn_core.sample.constraints import NamePredicate, too_rare
from rnn_core.sample.logits_processor import LogitsProcessor
from rnn_core.sample.model import Model, ModelState
from rnn_core.sample.wishes import Wishes
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import leaves, tree_map

RARITY = 1 << 15  # twice as many: names a fifth faster, and the first one after twice the time
MAX_BYTES = (
    1 << 24
)  # bytes of states at most, or of leaves: in the cache, and a thousand names come in a moment
MAX_DEPTH = 32  # characters

Probabilities = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class TreeLevel(NamedTuple):
    """N prefixes of one length.

    prefixes:  (N, length) their characters.
    state:     (N, ...) of the model that has read them.
    wished:    (N, K) states of the wishes that have.
    reach:     (N, V) the probabilities of their leaves; 0 where the tree goes on.
    begin:     (N, V) the probability of all leaves before, in alphabetical order.
    log_p:     (N, V) of each prefix with one character more, under the unconstrained model.
    starts:    (N,) the start token before each prefix.
    """

    prefixes: Indices
    state: ModelState
    wished: States
    reach: Probabilities
    begin: Probabilities
    log_p: Probabilities
    starts: Indices


@dataclass(frozen=True, slots=True, eq=False)
class PrefixTree:
    """The tree of N prefixes. The number of a leaf is that of its prefix, times V, plus its character.

    The leaves lie in alphabetical order, style by style. So where rounding drops a prefix, other names stay
    the same.

    prefixes:    (N, D) the characters of each prefix, padded with 0.
    lengths:     (N,) how many it has.
    state:       (N, ...) of the model that has read each prefix.
    wished:      (N, K) states of the wishes that have; K is 0 without wishes.
    leaves:      (L,) all that are possible.
    cumulative:  (L,) sums of their probabilities.
    log_p:       (N * V,) of each leaf, in nats, under the unconstrained model.
    starts:      (N,) the start token before each prefix; the end token without styles.
    """

    vocabulary_size: int
    prefixes: Indices
    lengths: Indices
    state: ModelState
    wished: States
    leaves: Indices
    cumulative: Probabilities
    log_p: Probabilities
    starts: Indices

    @property
    def has_one_root(self) -> bool:
        """Whether all names begin alike."""
        return bool((self.starts == self.starts[0]).all())

    @classmethod
    def build(
        cls,
        model: Model,
        processor: LogitsProcessor,
        accepts: NamePredicate | None = None,
        wishes: Wishes | None = None,
    ) -> "PrefixTree":
        """The tree of a model under these options, without leaves whose names are rejected.

        accepts:  which names are accepted, besides the constraints and the wishes.

        Raises TrainingError as `LogitsProcessor.weights` does, and if no name is left.
        """
        levels = list(_levels(model.double or model, processor, row_bytes(model.initial_state(1)), wishes))
        deepest = levels[-1].prefixes.shape[1]
        prefixes = [
            np.pad(level.prefixes, ((0, 0), (0, deepest - level.prefixes.shape[1]))) for level in levels
        ]
        reach, begin = (
            np.concatenate([getattr(level, name).ravel() for level in levels]) for name in ("reach", "begin")
        )
        tree_prefixes = np.concatenate(prefixes)
        lengths = np.concatenate([np.full(len(p.prefixes), p.prefixes.shape[1]) for p in levels])
        starts = np.concatenate([level.starts for level in levels])
        possible = np.flatnonzero(reach)
        for predicate in (accepts, wishes and wishes.accept):
            if not predicate:
                continue
            nodes, tokens = np.divmod(possible, model.vocabulary_size)
            ends = np.flatnonzero(tokens == END_TOKEN)
            whole_names = first_characters(tree_prefixes[nodes[ends]], lengths[nodes[ends]])
            possible = np.delete(possible, ends[~predicate(whole_names)])
        if not len(possible):
            raise too_rare(0.0, wished=wishes is not None)
        nodes, tokens = np.divmod(possible, model.vocabulary_size)
        if wishes:  # so rare leaves may be left that `begin` cannot tell from one another
            order = _alphabetical(starts[nodes], tree_prefixes[nodes], lengths[nodes], tokens)
        else:
            order = np.argsort(begin[possible])
        possible = possible[order]
        return cls(
            vocabulary_size=model.vocabulary_size,
            prefixes=tree_prefixes,
            lengths=lengths,
            state=tree_map(
                lambda like, *parts: np.concatenate(parts, dtype=like.dtype, casting="same_kind"),
                model.initial_state(0),
                *(level.state for level in levels),
            ),
            wished=np.concatenate([level.wished for level in levels]),
            leaves=possible,
            cumulative=reach[possible].cumsum(),
            log_p=np.concatenate([level.log_p.ravel() for level in levels]),
            starts=starts,
        )

    def sample_leaves(self, uniforms: Probabilities) -> Indices:
        """(B,) a leaf for each of the uniform numbers in [0, 1)."""
        order = np.argsort(uniforms)  # in order the search is several times as fast
        places = np.searchsorted(self.cumulative, uniforms[order] * self.cumulative[-1], side="right")
        leaf = np.empty(len(uniforms), np.int64)
        leaf[order] = self.leaves[places]
        return leaf


def first_characters(rows: npt.NDArray[np.integer], lengths: Indices) -> EncodedNames:
    """The names whose characters are the first so many of each row, (N, W)."""
    is_inside = np.arange(rows.shape[1]) < lengths[:, np.newaxis]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return EncodedNames(rows[is_inside].astype(np.int32), offsets)


def row_bytes(state: ModelState) -> int:
    """The bytes of the state of one name."""
    return sum(leaf[:1].nbytes for leaf in leaves(state))


def _alphabetical(starts: Indices, prefixes: Indices, lengths: Indices, tokens: Indices) -> Indices:
    """(L,) the order of leaves: by style, then by prefix, (L, D), padded, with one character more."""
    whole = np.column_stack([prefixes, np.zeros(len(prefixes), np.int64)])
    whole[np.arange(len(whole)), lengths] = tokens
    order: Indices = np.lexsort([*whole.T[::-1], starts])
    return order


def _levels(
    model: Model, processor: LogitsProcessor, bytes_of_a_state: int, wishes: Wishes | None
) -> Iterator[TreeLevel]:
    workspace = Workspace(model.dtype)
    prefix = processor.constraints.prefix.astype(np.int64)
    starts = np.array(model.starts)
    state = model.initial_state(len(starts))
    room = MAX_BYTES // max(bytes_of_a_state, model.vocabulary_size * 16)
    log_p: Probabilities = np.zeros(len(starts))
    log_weights = log_p.copy()
    tokens = starts
    for place, character in enumerate(prefix):
        prefix_logits = model.step(tokens, state, workspace).astype(np.float64)
        possible = prefix_logits if place else np.delete(prefix_logits, END_TOKEN, axis=0)  # no name is empty
        with np.errstate(invalid="ignore"):  # checked by the logits processor
            log_p += prefix_logits[character] - np.logaddexp.reduce(prefix_logits)
            log_weights += prefix_logits[character] - np.logaddexp.reduce(possible)
        tokens = np.full(len(starts), character)
    probability = _root_probabilities(np.array(model.shares), log_weights)
    before: Probabilities = probability.cumsum() - probability
    prefixes = np.tile(prefix, (len(starts), 1))
    wished = np.tile(wishes.start(prefix) if wishes else np.zeros(0, np.int32), (len(starts), 1))
    left = 0.0  # the probability of all leaves so far
    for depth in range(MAX_DEPTH):
        logits = model.step(tokens, state, workspace)
        lengths = np.full(len(tokens), prefixes.shape[1])
        weights, log_sums = processor.weights(logits, tokens, lengths, workspace)
        reach: Probabilities = weights.T.astype(np.float64)
        reach *= (probability / reach.sum(axis=1))[:, np.newaxis]
        next_log_p: Probabilities = (logits - log_sums).T.astype(np.float64)
        next_log_p += log_p[:, np.newaxis]
        every_token = np.arange(reach.shape[1])
        reach[:, processor.constraints.rejected(every_token, lengths[:1])] = 0.0
        if wishes:
            _drop_unwished(reach, wishes, wished, lengths)
        begin = reach.cumsum(axis=1) - reach + before[:, np.newaxis]
        room -= len(tokens)
        all_leaves = left + reach.sum().item() if wishes else 1.0
        parents, tokens = _frequent(reach, all_leaves / RARITY, room if depth < MAX_DEPTH - 1 else 0)
        probability, log_p = reach[parents, tokens], next_log_p[parents, tokens]
        before = begin[parents, tokens]
        reach[parents, tokens] = 0.0
        left += reach.sum().item()
        yield TreeLevel(prefixes, state, wished, reach, begin, next_log_p, starts)
        if not len(parents):
            return
        if wishes:
            wished = wishes.advance(wished[parents], tokens)
        state = tree_map(lambda part, rows=parents: part[rows], state)
        prefixes = np.column_stack([prefixes[parents], tokens])
        starts = starts[parents]


def _root_probabilities(shares: Probabilities, log_p: Probabilities) -> Probabilities:
    """(S,) how probable each style is given the prefix, which has the log-probabilities `log_p` in them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        weights: Probabilities = np.log(shares) + log_p
        weights = np.exp(weights - weights.max())
        weights /= weights.sum()
    # Of a model that is not finite, which is an error at the next step.
    return weights if np.isfinite(weights).all() else shares / shares.sum()


def _drop_unwished(reach: Probabilities, wishes: Wishes, wished: States, lengths: Indices) -> None:
    """Sets the probability of leaves to 0 of which no name can be as wished."""
    every_token = np.broadcast_to(np.arange(reach.shape[1]), reach.shape)
    following = np.broadcast_to(wished[:, np.newaxis], (*reach.shape, wished.shape[1]))
    is_hopeless = wishes.hopeless(wishes.advance(following, every_token), lengths[:1] + 1)
    is_hopeless[:, END_TOKEN] = ~wishes.fulfilled(wished)
    reach[is_hopeless] = 0.0


def _frequent(reach: Probabilities, least: float, room: int) -> tuple[Indices, Indices]:
    """Where the tree goes on, the most probable if room is short: prefixes, and the next character.

    least:  a probability from which on it does.
    """
    goes_on = (reach >= least) & (reach > 0.0)
    goes_on[:, END_TOKEN] = False
    places = np.flatnonzero(goes_on)
    if len(places) > room:
        most_probable = np.argsort(-reach.ravel()[places], kind="stable")[: max(room, 0)]
        places = np.sort(places[most_probable])
    return np.divmod(places, reach.shape[1])
