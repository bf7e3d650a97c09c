"""The parts of a batch: each is computed by itself, and their gradients are added in their order.

    loss = sum_p rows_p loss_p / sum_p rows_p,   and the gradient likewise, over the parts p of a batch

Sums in another order round differently, so the number of parts is set by the configuration. How many
processes share them changes no bit.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rnn_core.arrays import Floats, Integers
from rnn_core.batching.batch import Batch
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import alphabetical_ranks, downcast, shuffled_batches
from rnn_core.batching.resampling import systematic_resample
from rnn_core.text.names import EncodedNames
from rnn_core.train.config import Purpose, ResolvedTrainingConfig


class PartLoss(NamedTuple):
    """The mean loss of a part of a batch, or of all of it, and how many characters it has."""

    loss: float
    rows: int


class StepResult(NamedTuple):
    """The result of a step of a network. Losses in nats per character.

    loss, rows:       of the batch before the step, and how many characters it has.
    finite:           a finite number, unless the loss, its gradient or the new parameters are not.
    validation_loss:  after the last step of an epoch; else nan.
    """

    loss: float
    rows: int
    finite: float
    validation_loss: float


class BatchParts(NamedTuple):
    """A batch, as one of the processes that share it sees it.

    total:       how many parts it has.
    own:         those that this process computes, by their number.
    ends_epoch:  whether it is the last of its epoch.
    """

    total: int
    own: tuple[tuple[int, Batch], ...]
    ends_epoch: bool


class BatchSchedule:
    """The batches of a training in their order.

    An epoch is as many names as the list has. If they have weights, each epoch samples its names anew by
    them: a light name is missing from some epochs, a heavy one occurs in all of them, and more than once.

    rank, size:  of `size` processes this is number `rank`; part p is computed by number p modulo `size`.
    """

    def __init__(
        self, config: ResolvedTrainingConfig, training: EncodedNames, rank: int = 0, size: int = 1
    ) -> None:
        self._config, self._training, self._rank, self._size = config, training, rank, size
        stream = BatchStream.from_names(training)
        shared = config.shares_prefixes
        self._layout = stream.shared_batches if shared else stream.packed_batches
        self._keys = downcast(alphabetical_ranks(training) if shared else -stream.rows)
        self._batches_per_epoch = batches_per_epoch(config, training.count)
        self._steps_total = steps_total(config, training.count)

    def from_position(self, epoch: int, first: int) -> Iterator[BatchParts]:
        """The batches from number `first` of an epoch on; the last epoch may be cut short."""
        while epoch * self._batches_per_epoch < self._steps_total:
            yield from self._epoch(epoch, first)
            epoch, first = epoch + 1, 0

    def _epoch(self, epoch: int, first: int) -> Iterator[BatchParts]:
        config = self._config
        names = _weighted_epoch(config, self._training, epoch)
        batches = shuffled_batches(self._keys, config.batch_size, config.rng(Purpose.SHUFFLING, epoch), names)
        del batches[self._steps_total - epoch * self._batches_per_epoch :]
        contiguous = config.shares_prefixes
        parts = [split_batch(batch, config.shards, contiguous) for batch in batches[first:]]
        own = [range(self._rank, len(batch), self._size) for batch in parts]
        laid_out = self._layout(  # some ahead
            batch[number] for batch, numbers in zip(parts, own, strict=True) for number in numbers
        )
        for count, (batch, numbers) in enumerate(zip(parts, own, strict=True), start=1):
            laid_out_parts = tuple((number, next(laid_out)) for number in numbers)
            yield BatchParts(len(batch), laid_out_parts, ends_epoch=count == len(parts))


def batches_per_epoch(config: ResolvedTrainingConfig, names: int) -> int:
    """The batches of an epoch of so many names."""
    return -(-names // config.batch_size)


def steps_total(config: ResolvedTrainingConfig, names: int) -> int:
    """The steps of a training on so many names, if validation does not stop it earlier."""
    return min(config.epochs * batches_per_epoch(config, names), config.max_steps)


def part_count(config: ResolvedTrainingConfig, names: int) -> int:
    """Of how many parts the largest batch consists."""
    return min(config.shards, config.batch_size, names)


def split_batch(batch: Integers, count: int, contiguous: bool) -> list[Integers]:
    """The names of a batch in at most `count` parts of about equal work, none empty.

    contiguous:  whether neighbors stay together: in alphabetical order they share most. Otherwise, sorted by
                 length, the parts take turns.
    """
    count = min(count, len(batch))
    if not contiguous:
        return [batch[place::count] for place in range(count)]
    bounds = [len(batch) * place // count for place in range(count + 1)]
    return [batch[begin:end] for begin, end in itertools.pairwise(bounds)]


def mean_loss(parts: Sequence[PartLoss]) -> PartLoss:
    """The mean loss of a whole batch."""
    rows = sum(part.rows for part in parts)
    return PartLoss(sum(part.loss * part.rows for part in parts) / rows, rows)


def combine_gradients(gradients: Sequence[Floats], losses: Sequence[PartLoss]) -> Floats:
    """The gradient of a whole batch from those of its parts; it is left in the first.

    gradients:  of each part, or the same slice of each.
    """
    total = gradients[0]
    if len(losses) == 1:
        return total
    rows = sum(part.rows for part in losses)
    total *= losses[0].rows / rows
    for gradient, part in zip(gradients[1:], losses[1:], strict=False):
        gradient *= part.rows / rows
        total += gradient
    return total


def _weighted_epoch(config: ResolvedTrainingConfig, training: EncodedNames, epoch: int) -> Integers | None:
    """(N,) the names of an epoch; None without weights, when each occurs once."""
    if training.weights is None:
        return None
    rng = config.rng(Purpose.RESAMPLING, epoch)
    order = rng.permutation(training.count)
    return order[systematic_resample(training.weights[order], rng.random())]
