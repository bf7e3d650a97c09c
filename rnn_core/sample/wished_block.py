"""A block of names with wishes: several attempts at a name at a time, of which the first accepted one counts.

Where names as wished are rare, attempt after attempt would take long for the first name, and most slots would
work on names that nobody wants yet. But an attempt needs nothing of those before it: its random numbers have
their own places. So several attempts at a name are made together, so many that every other time one of them
is accepted. The name is the accepted attempt with the lowest number, once all with lower numbers are
rejected: the same name as by one attempt after another.

Names get their attempts in their order, by what was rejected so far in this block and by nothing else. So
what is computed together, and with it every rounding, is the same however many names are requested.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.random_numbers import NAMES_PER_BLOCK, RandomStream
from rnn_core.sample.automaton import States
from rnn_core.sample.block import (
    PLACES_PER_ATTEMPT,
    Active,
    Indices,
    OnProgress,
    SampledNames,
    SamplingContext,
    assign_rows,
    next_tokens,
    take_rows,
)
from rnn_core.sample.constraints import too_rare
from rnn_core.sample.model import ModelState
from rnn_core.sample.prefix_tree import Leaves, PrefixTree, first_characters
from rnn_core.sample.wishes import Wishes
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import tree_map

# Sampling gives up when accepted names are rarer than one in MOST_REJECTIONS, of those that the tree leaves.
MOST_REJECTIONS: Final = 1 << 24
_SHARE_OF_ACTIVE: Final = 1 / 64  # of the attempts that have not ended, and are taken for accepted
_NONE: Final = np.iinfo(np.int64).max

OnAttempts: TypeAlias = Callable[[int, int], object]
"""Called before every step, and at the end, with how many attempts were accepted and rejected so far."""


class Attempts(NamedTuple):
    """B attempts that have not ended, each in its slot; changed in place as they grow.

    names:       (B,) numbers in the block of the names that they are for.
    numbers:     (B,) of the attempt at the name, from 0.
    tokens:      (B,) the last character of each.
    lengths:     (B,) characters so far.
    log_p:       (B,) of them.
    characters:  (B, W) of each so far, in a buffer that is at least one wider than the longest.
    starts:      (B,) the start token before each.
    wished:      (B, K) states of the wishes, which have read all characters.
    state:       of the model, which has read all but the last character.
    """

    names: Indices
    numbers: Indices
    tokens: Indices
    lengths: Indices
    log_p: npt.NDArray[np.float64]
    characters: npt.NDArray[np.int32]
    starts: Indices
    wished: States
    state: ModelState

    @property
    def active(self) -> Active:
        """The same arrays, as names that grow."""
        places = self.numbers * PLACES_PER_ATTEMPT
        return Active(self.names, self.tokens, self.lengths, self.log_p, places, self.characters, self.state)

    @classmethod
    def start(
        cls, names: Indices, numbers: Indices, leaves: Leaves, tree: PrefixTree, wishes: Wishes, width: int
    ) -> "Attempts":
        """Attempts with these leaves of the tree; of one that has ended the state means nothing."""
        before, tokens = tree.prefixes.take(leaves.prefixes), leaves.tokens.astype(np.int64)
        lengths = before.lengths + (tokens != END_TOKEN)
        characters = np.zeros((len(names), width), np.int32)
        characters[:, : before.characters.shape[1]] = before.characters
        characters[np.arange(len(names)), before.lengths] = tokens
        wished = wishes.advance(before.wished, tokens)
        return cls(
            names, numbers, tokens, lengths, leaves.log_p, characters, before.starts, wished, before.state
        )

    def widened(self) -> "Attempts":
        """The same attempts, with a buffer twice as wide if it is full."""
        width = self.characters.shape[1]
        if self.lengths.max(initial=0) < width:
            return self
        return self._replace(characters=np.pad(self.characters, ((0, 0), (0, width))))

    def replaced(self, slots: Indices, others: "Attempts") -> "Attempts":
        """With other attempts in these slots. Slots that are left over go, and attempts are appended."""
        here = slots[: len(others.names)]
        assign_rows(self, here, take_rows(others, np.arange(len(here))))
        if len(here) < len(slots):
            return take_rows(self, np.delete(np.arange(len(self.names)), slots[len(here) :]))
        if len(here) < len(others.names):
            rest = take_rows(others, np.arange(len(here), len(others.names)))
            joined: Attempts = tree_map(lambda own, new: np.concatenate([own, new]), self, rest)
            return joined
        return self


class Accepted(NamedTuple):
    """Accepted attempts, each at the name of this number: the columns of `Attempts`, and the whole names."""

    names: Indices
    numbers: Indices
    starts: Indices
    log_p: npt.NDArray[np.float64]
    whole: EncodedNames


class Ledger:
    """Which attempts at every name of a block were begun, and what became of them.

    accepted, rejected:  attempts so far.
    first_open:          number of the first name that is not settled.
    """

    def __init__(self, max_active: int) -> None:
        self._begun = np.zeros(NAMES_PER_BLOCK, np.int64)  # attempts
        self._running = np.zeros(NAMES_PER_BLOCK, np.int64)  # of them
        self._best = np.full(NAMES_PER_BLOCK, _NONE)  # the lowest number of an accepted one
        self._is_settled = np.zeros(NAMES_PER_BLOCK, np.bool_)
        self._max_active = max_active
        self._parts: list[Accepted] = []
        self.accepted = self.rejected = self.first_open = 0

    def begin(self, active: int) -> tuple[Indices, Indices]:
        """Names and numbers of the attempts that come next. active: attempts that have not ended."""
        room = self._max_active - active
        names = np.flatnonzero(self._best[self.first_open :] == _NONE) + self.first_open
        names = names[: 2 * self._max_active]  # at most half of which have attempts
        wanted = np.maximum(self._together(active) - self._running[names], 0)
        begun = np.clip(room - (wanted.cumsum() - wanted), 0, wanted)
        names, begun = names[begun > 0], begun[begun > 0]
        place = np.arange(begun.sum()) - np.repeat(begun.cumsum() - begun, begun)
        numbers = np.repeat(self._begun[names], begun) + place
        self._begun[names] += begun
        self._running[names] += begun
        return np.repeat(names, begun), numbers

    def accept(self, part: Accepted) -> None:
        """Notes accepted attempts; those that are not the first of their name are forgotten at the end."""
        if len(part.names):
            np.minimum.at(self._best, part.names, part.numbers)
            self._parts.append(part)
            self.accepted += len(part.names)

    def is_needless(self, names: Indices, numbers: Indices) -> npt.NDArray[np.bool_]:
        """(B,) whether an attempt with a lower number was accepted."""
        needless: npt.NDArray[np.bool_] = numbers > self._best[names]
        return needless

    def end(self, names: Indices, start: int, stop: int) -> int:
        """Notes that attempts at these names have ended; how many requested names that settles."""
        np.subtract.at(self._running, names, 1)
        candidates = np.unique(names[self._best[names] != _NONE])
        settled = candidates[self._running[candidates] == 0]
        settled = settled[~self._is_settled[settled]]
        self._is_settled[settled] = True
        is_open = ~self._is_settled[self.first_open :]
        self.first_open = self.first_open + int(is_open.argmax()) if is_open.any() else NAMES_PER_BLOCK
        return int(np.count_nonzero((settled >= start) & (settled < stop)))

    def names(self, start: int, stop: int) -> SampledNames:
        """The names from `start` to before `stop`, which are settled."""
        names = np.concatenate([np.zeros(0, np.int64), *(part.names for part in self._parts)])
        numbers = np.concatenate([np.zeros(0, np.int64), *(part.numbers for part in self._parts)])
        starts = np.concatenate([np.zeros(0, np.int32), *(part.starts for part in self._parts)])
        log_p = np.concatenate([np.zeros(0), *(part.log_p for part in self._parts)])
        tokens = np.concatenate([np.zeros(0, np.int32), *(part.whole.tokens for part in self._parts)])
        lengths = np.concatenate([np.zeros(0, np.int64), *(part.whole.lengths for part in self._parts)])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        styles = starts.astype(np.int32) if starts.any() else None  # the end token is 0
        whole = EncodedNames(tokens, offsets, starts=styles)
        rows = np.flatnonzero((numbers == self._best[names]) & (names >= start) & (names < stop))
        rows = rows[np.argsort(names[rows])]
        return SampledNames(whole.take(rows), log_p[rows])

    def _together(self, active: int) -> int:
        """How many attempts at a name are made together.

        Rejected attempts end sooner than accepted ones. So of those that have not ended some are taken for
        accepted, or the first few rejected ones would make names look rarer than they are.
        """
        hoped = self.accepted + active * _SHARE_OF_ACTIVE + 1
        return max(int(0.5 * (hoped + self.rejected) / hoped), 1)


def sample_wished_block(
    context: SamplingContext,
    wishes: Wishes,
    stream: RandomStream,
    start: int,
    stop: int,
    on_progress: OnProgress,
    on_attempts: OnAttempts | None = None,
) -> SampledNames:
    """The names from `start` to before `stop` of a block, each in [0, NAMES_PER_BLOCK]: all as wished.

    Parameters as of `sample_block`, and what that raises.
    """
    tree = context.tree
    ledger = Ledger(context.max_active)
    workspace = Workspace(context.model.dtype)
    width = tree.prefixes.characters.shape[1] + 16
    nothing = np.zeros(0, np.int64)
    attempts = Attempts.start(nothing, nothing, tree.leaves.take(nothing), tree, wishes, width)
    freed = nothing
    while True:
        begun, settled = _begin(ledger, tree, wishes, stream, attempts, freed, start, stop)
        attempts = attempts.replaced(freed, begun)
        on_progress(settled)
        if on_attempts:
            on_attempts(ledger.accepted, ledger.rejected)
        if ledger.first_open >= stop:
            return ledger.names(start, stop)
        attempts = attempts.widened()
        freed = _step(context, wishes, stream, attempts, ledger, workspace)
        on_progress(ledger.end(attempts.names[freed], start, stop))
        if ledger.rejected and context.processor.temperature == 0 and tree.has_one_root:
            raise too_rare(0.0, wished=True)  # there is one name, and it is rejected
        if ledger.rejected > MOST_REJECTIONS * max(ledger.accepted, 1):
            raise too_rare(tree.cumulative[-1] / (ledger.rejected // max(ledger.accepted, 1)), wished=True)


def _begin(
    ledger: Ledger,
    tree: PrefixTree,
    wishes: Wishes,
    stream: RandomStream,
    attempts: Attempts,
    freed: Indices,
    start: int,
    stop: int,
) -> tuple[Attempts, int]:
    """New attempts, which the tree does not give whole; and how many requested names it has settled."""
    parts: list[Attempts] = []
    settled = 0
    active, width = len(attempts.names) - len(freed), attempts.characters.shape[1]
    while ledger.first_open < stop:
        names, numbers = ledger.begin(active)
        if not len(names) and parts:
            break
        leaves = tree.sample_leaves(stream.doubles(names, numbers * PLACES_PER_ATTEMPT))
        begun = Attempts.start(names, numbers, leaves, tree, wishes, width)
        is_whole = begun.tokens == END_TOKEN
        ledger.accept(_accepted(begun, np.flatnonzero(is_whole)))
        is_over = is_whole | ledger.is_needless(names, numbers)
        settled += ledger.end(names[is_over], start, stop)
        parts.append(take_rows(begun, np.flatnonzero(~is_over)))
        active += len(parts[-1].names)
        if not len(names):
            break
    if not parts:
        return take_rows(attempts, np.zeros(0, np.int64)), settled
    whole: Attempts = tree_map(lambda *arrays: np.concatenate(arrays), *parts)
    needed = ~ledger.is_needless(whole.names, whole.numbers)
    settled += ledger.end(whole.names[~needed], start, stop)
    return take_rows(whole, np.flatnonzero(needed)), settled


def _step(
    context: SamplingContext,
    wishes: Wishes,
    stream: RandomStream,
    attempts: Attempts,
    ledger: Ledger,
    workspace: Workspace,
) -> Indices:
    """One character further. The slots of attempts that have ended, or are not needed any more."""
    tokens = next_tokens(context, stream, attempts.active, workspace)
    is_rejected = context.processor.constraints.rejected(tokens, attempts.lengths)
    is_end = tokens == END_TOKEN
    ended = np.flatnonzero(is_end & ~is_rejected & wishes.fulfilled(attempts.wished))
    if len(ended):
        names = first_characters(attempts.characters[ended], attempts.lengths[ended])
        is_accepted = wishes.accept(names)
        if context.accepts:
            is_accepted &= context.accepts(names)
        ended = ended[is_accepted]
        ledger.accept(_accepted(attempts, ended))
    attempts.characters[np.arange(len(tokens)), attempts.lengths] = tokens
    attempts.tokens[:] = tokens
    attempts.lengths[:] += 1
    attempts.wished[:] = wishes.advance(attempts.wished, tokens)
    is_rejected |= is_end | wishes.hopeless(attempts.wished, attempts.lengths)
    is_rejected[ended] = False
    ledger.rejected += int(np.count_nonzero(is_rejected))
    is_rejected[ended] = True
    return np.flatnonzero(is_rejected | ledger.is_needless(attempts.names, attempts.numbers))


def _accepted(attempts: Attempts, rows: Indices) -> Accepted:
    whole = first_characters(attempts.characters[rows], attempts.lengths[rows])
    return Accepted(
        attempts.names[rows], attempts.numbers[rows], attempts.starts[rows], attempts.log_p[rows], whole
    )
