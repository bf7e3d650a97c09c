"""The training loop: mini-batches, AdamW, warm-up and cosine, dropout, early stopping on held-out names.

An epoch is as many names as the list has. If they have weights, each epoch samples its names anew by them: a
light name is missing from some epochs, a heavy one occurs in all of them, and more than once.

A resumed training ends with the bytes of one that was never interrupted.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import alphabetical_ranks, downcast, shuffled_batches
from rnn_core.batching.resampling import systematic_resample
from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics.scoring import check_tokens, stream_cross_entropy
from rnn_core.nn import network
from rnn_core.nn.dropout import DropoutMasks, dropout_mask
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_optimizer, build_schedule
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.optimizers import Optimizer
from rnn_core.train.sharding import MapFunction, Shard, ShardLoss, combine_gradients, shard_map, split_batch
from rnn_core.train.state import HistoryRow, TrainingState, check_position

# The purposes of random numbers, as START.
SHUFFLING, DROPPING_WEIGHTS, DROPPING_UNITS, RESAMPLING = 1, 2, 3, 4


class TrainingProgress(NamedTuple):
    """The progress of a training after a step. Losses in nats per character."""

    step: int  # steps done
    steps_total: int  # if validation does not stop it earlier
    epoch: int  # of this step, counted from 1
    epochs: int  # the last of them may be cut short by max_steps
    learning_rate: float
    training_loss: float  # of this step's batch
    validation_loss: float  # nan but for the last step of an epoch
    best_validation_loss: float  # nan before the first
    state: TrainingState  # changes with the next step: call its `arrays()` before


def train(
    config: ResolvedTrainingConfig,
    vocabulary_size: int,
    training: EncodedNames,
    validation: EncodedNames,
    state: TrainingState | None = None,
    threads: int = 1,
) -> Iterator[TrainingProgress]:
    """Trains a network, and yields after every step; the last `state.parameters` are the result.

    validation:  the parameters that predict these names best are kept, and training stops when they have not
                 improved for `config.patience` epochs. Without any, all epochs are trained and the last
                 parameters kept.
    state:       resumes from here, and changes it. A finished one is yielded once as it is.
    threads:     share the parts of a batch (`config.shards`); the result is the same with any number.

    Raises DataError where there is no name to train on or a token is not in the vocabulary, TrainingError
    when the loss or its gradient is no longer finite: what was yielded before is still valid.
    """
    if training.count == 0:
        raise DataError(
            "training.empty",
            "there is no name to train on",
            fix="use longer lists, or a larger share of them for training.",
        )
    check_tokens(training, vocabulary_size)
    check_tokens(validation, vocabulary_size)
    training_stream, validation_stream = BatchStream.from_names(training), BatchStream.from_names(validation)
    shared = config.shares_prefixes
    layout = training_stream.shared_batches if shared else training_stream.packed_batches
    keys = downcast(alphabetical_ranks(training) if shared else -training_stream.rows)
    batches_per_epoch = -(-training.count // config.batch_size)
    steps_total = min(config.epochs * batches_per_epoch, config.max_steps)
    state = state or TrainingState.start(config, vocabulary_size)
    check_position(state, batches_per_epoch, steps_total)
    schedule = build_schedule(config, steps_total)
    optimizer = build_optimizer(config, state.current, steps_total)
    part_count = min(config.shards, config.batch_size, training.count)
    shards = [Shard.like(state.current) for _ in range(part_count)]

    def progress(epoch: int, training_loss: float, validation_loss: float) -> TrainingProgress:
        return TrainingProgress(
            step=state.step,
            steps_total=steps_total,
            epoch=epoch,
            epochs=-(-steps_total // batches_per_epoch),
            learning_rate=schedule(state.step - 1),
            training_loss=training_loss,
            validation_loss=validation_loss,
            best_validation_loss=state.best_validation_loss,
            state=state,
        )

    def finished() -> bool:
        return state.step >= steps_total or state.epochs_without_gain >= config.patience

    if finished():
        last = state.history[-1]
        yield progress(last.epoch, last.training_loss, last.validation_loss)
    with shard_map(min(threads, part_count)) as shared_map:
        while not finished():
            epoch = state.epoch + 1
            names = _weighted_epoch(config, training, state.epoch)
            batches = shuffled_batches(keys, config.batch_size, config.rng(SHUFFLING, state.epoch), names)
            del batches[state.batch + steps_total - state.step :]
            remaining = [
                split_batch(batch, config.shards, contiguous=shared) for batch in batches[state.batch :]
            ]
            laid_out = layout(itertools.chain.from_iterable(remaining))  # some ahead
            for batch_names in remaining:
                learning_rate = schedule(state.step)
                batch = list(itertools.islice(laid_out, len(batch_names)))
                result = _gradient(config, state, batch, shards, shared_map)
                with np.errstate(all="ignore"):  # checked in the results
                    _update(optimizer, state, result.loss, shards[0].vector, learning_rate)
                state.step += 1
                state.batch += 1
                state.epoch_nats += result.loss * result.rows
                state.epoch_rows += result.rows
                validation_loss = math.nan
                if state.batch == len(batches):
                    if validation.count:
                        validation_loss = stream_cross_entropy(
                            state.current, validation_stream, shards[0].workspace, validation.weights
                        )
                        _check_finite(validation_loss, state.step, learning_rate)
                    _end_epoch(state, validation_loss, learning_rate)
                yield progress(epoch, result.loss, validation_loss)


def _weighted_epoch(config: ResolvedTrainingConfig, training: EncodedNames, epoch: int) -> Integers | None:
    """(N,) the names of an epoch; None without weights, when each occurs once."""
    if training.weights is None:
        return None
    rng = config.rng(RESAMPLING, epoch)
    order = rng.permutation(training.count)
    return order[systematic_resample(training.weights[order], rng.random())]


def _gradient(
    config: ResolvedTrainingConfig,
    state: TrainingState,
    batch_parts: Sequence[Batch],
    shards: Sequence[Shard],
    shared_map: MapFunction,
) -> ShardLoss:
    """The loss of a batch given in parts; its gradient is left in the first shard."""
    masks = _recurrent_masks(config, state, shards[0].workspace)

    def part(number: int) -> ShardLoss:
        shard, batch = shards[number], batch_parts[number]
        layer_masks = _with_output_masks(config, masks, batch.size, state.step, number, shard.workspace)
        with np.errstate(all="ignore"):
            loss, _ = network.loss_and_gradient(
                state.current, batch, shard.workspace, layer_masks, out=shard.gradient
            )
        return ShardLoss(loss, batch.targets.total)

    return combine_gradients(shards, list(shared_map(part, range(len(batch_parts)))))


def _update(
    optimizer: Optimizer, state: TrainingState, loss: float, gradient: Floats, learning_rate: float
) -> None:
    """Takes one step. Raises TrainingError if the gradient or the new parameters are not finite."""
    _check_finite(loss + _squared_norm(gradient), state.step + 1, learning_rate)
    state.vector += optimizer.update(gradient, state.optimizer, state.vector)
    _check_finite(_squared_norm(state.vector), state.step + 1, learning_rate)


def _recurrent_masks(
    config: ResolvedTrainingConfig, state: TrainingState, workspace: Workspace
) -> list[Floats | None]:
    """The recurrent mask of each layer, the same for the whole batch."""
    if not config.recurrent_dropout:
        return [None] * config.layers
    rng = config.rng(DROPPING_WEIGHTS, state.step)
    return [
        dropout_mask(
            rng, config.recurrent_dropout, workspace.child(number), "recurrent_mask", *layer.W_hh.shape
        )
        for number, layer in enumerate(state.current.layers)
    ]


def _with_output_masks(
    config: ResolvedTrainingConfig,
    recurrent: Sequence[Floats | None],
    rows: int,
    step: int,
    part: int,
    workspace: Workspace,
) -> list[DropoutMasks]:
    """The masks of each layer for one part of a batch."""
    if not config.dropout:
        return [DropoutMasks(None, recurrent_mask) for recurrent_mask in recurrent]
    rng = config.rng(DROPPING_UNITS, step, part)
    return [
        DropoutMasks(
            dropout_mask(
                rng, config.dropout, workspace.child(number), "output_mask", rows, config.hidden_size
            ),
            recurrent_mask,
        )
        for number, recurrent_mask in enumerate(recurrent)
    ]


def _end_epoch(state: TrainingState, validation_loss: float, learning_rate: float) -> None:
    state.epoch += 1
    state.batch = 0
    training_loss = state.epoch_nats / state.epoch_rows
    state.history.append(HistoryRow(state.step, state.epoch, training_loss, validation_loss, learning_rate))
    state.epoch_nats, state.epoch_rows = 0.0, 0
    if not validation_loss >= state.best_validation_loss:  # better, the first, or nothing is held out
        state.best[:] = state.vector
        state.best_validation_loss = validation_loss
        state.epochs_without_gain = 0
    else:
        state.epochs_without_gain += 1


def _squared_norm(vector: Floats) -> float:
    return float(vector @ vector)


def _check_finite(value: float, step: int, learning_rate: float) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            "training.diverged",
            "the loss, its gradient or the parameters are no longer finite numbers",
            where=f"step {step}, learning rate {learning_rate:.3g}",
            saw=f"{value}",
            fix="lower learning_rate (a third of it is a good next try), "
            "limit the gradient by clip_norm (1 is a good value), or train in float64.",
        )
