"""The training loop: mini-batches, AdamW, warm-up and cosine, dropout, early stopping on held-out names.

A resumed training ends with the bytes of one that was never interrupted, and several processes with those of
one.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from rnn_core.batching.batches import BatchStream
from rnn_core.errors import DataError
from rnn_core.metrics.scoring import check_names, stream_cross_entropy
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_schedule
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.parts import BatchSchedule
from rnn_core.train.processes import training_processes, usable_processes
from rnn_core.train.replica import check_finite
from rnn_core.train.state import HistoryRow, TrainingState, check_position


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
    processes: int = 1,
    style_count: int = 0,
) -> Iterator[TrainingProgress]:
    """Trains a network, and yields after every step; the last `state.parameters` are the result.

    validation:  the parameters that predict these names best are kept, and training stops when they have not
                 improved for `config.patience` epochs. Without any, all epochs are trained and the last
                 parameters kept.
    state:       resumes from here, and changes it: its arrays too may be others afterwards. A finished one is
                 yielded once as it is.
    processes:   share the parts of a batch (`config.shards`); the result is the same with any number. The
                 others than this one are started here, and end with it.
    style_count: of the network; 0 if it knows no styles, else every name has one.

    Raises DataError where there is no name to train on or a token is not in the vocabulary, TrainingError
    when the loss or its gradient is no longer finite, or another process died: what was yielded before is
    still valid.
    """
    if training.count == 0:
        raise DataError(
            "training.empty",
            "there is no name to train on",
            fix="use longer lists, or a larger share of them for training.",
        )
    check_names(training, vocabulary_size, style_count)
    check_names(validation, vocabulary_size, style_count)
    validation_stream = BatchStream.from_names(validation)
    state = state or TrainingState.start(config, vocabulary_size, style_count=style_count)
    processes = usable_processes(config, training.count, processes)
    batches = BatchSchedule(config, training, rank=0, size=processes)
    steps_total, batches_per_epoch = batches.steps_total, batches.batches_per_epoch
    check_position(state, batches_per_epoch, steps_total)
    schedule = build_schedule(config, steps_total)

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
        return
    with training_processes(config, training, state, processes) as replica:
        while not finished():
            epoch = state.epoch + 1
            for batch in batches.epoch(state.epoch, state.batch):
                learning_rate = schedule(state.step)
                result = replica.step(batch)
                state.step += 1
                state.batch += 1
                state.epoch_nats += result.loss * result.rows
                state.epoch_rows += result.rows
                validation_loss = math.nan
                if state.batch == batches_per_epoch or state.step == steps_total:
                    if validation.count:
                        validation_loss = stream_cross_entropy(
                            state.current, validation_stream, replica.workspace, validation.weights
                        )
                        check_finite(validation_loss, state.step, learning_rate)
                    _end_epoch(state, validation_loss, learning_rate)
                yield progress(epoch, result.loss, validation_loss)


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
