"""The training loop: mini-batches, AdamW, warm-up and cosine, dropout, early stopping on held-out names.

A resumed training ends with the bytes of one that was never interrupted, and several processes with those of
one.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics.scoring import check_names
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_schedule
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.parts import StepResult, batches_per_epoch, steps_total
from rnn_core.train.processes import training_steps, usable_processes
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
                 others than this one are started here, and end with the training.
    style_count: of the network; 0 if it knows no styles, else every name has one.

    Raises DataError where there is no name to train on or a token is not in the vocabulary, TrainingError
    when the loss or its gradient is no longer finite, or another process died: what was yielded before is
    still valid.
    """
    state = state or TrainingState.start(config, vocabulary_size, style_count=style_count)
    for progress in train_together(
        [config], vocabulary_size, training, validation, [state], processes, style_count
    ):
        yield progress[0]


def train_together(
    configs: Sequence[ResolvedTrainingConfig],
    vocabulary_size: int,
    training: EncodedNames,
    validation: EncodedNames,
    states: Sequence[TrainingState],
    processes: int = 1,
    style_count: int = 0,
) -> Iterator[dict[int, TrainingProgress]]:
    """Trains networks whose configurations differ in their seeds alone, each as `train` does.

    As many as there are processes take their steps beside each other; where there are more processes, several
    share one network. When one is finished, the next begins. Yields after every step the progress of those
    that took it, by their numbers from 0; of all, once, if all are finished already.
    """
    if training.count == 0:
        raise DataError(
            "training.empty",
            "there is no name to train on",
            fix="use longer lists, or a larger share of them for training.",
        )
    check_names(training, vocabulary_size, style_count)
    check_names(validation, vocabulary_size, style_count)
    runs = [
        _Run(number, config, state, training.count, validation.count > 0)
        for number, (config, state) in enumerate(zip(configs, states, strict=True))
    ]
    if all(run.finished for run in runs):
        yield {run.number: run.last_progress for run in runs}
    while waiting := [run for run in runs if not run.finished]:
        size = usable_processes(configs[0], training.count, processes, len(waiting))
        active = waiting[:size]
        with training_steps(
            [run.config for run in active], training, validation, [run.state for run in active], size
        ) as steps:
            for results in steps:
                yield {run.number: run.record(result) for run, result in zip(active, results, strict=True)}
                if any(run.finished for run in active):
                    break


class _Run:
    """The training of a network, as its steps are counted and judged."""

    def __init__(
        self, number: int, config: ResolvedTrainingConfig, state: TrainingState, names: int, validates: bool
    ) -> None:
        self.number, self.config, self.state, self._validates = number, config, state, validates
        self._steps_total = steps_total(config, names)
        self._batches_per_epoch = batches_per_epoch(config, names)
        check_position(state, self._batches_per_epoch, self._steps_total)
        self._schedule = build_schedule(config, self._steps_total)

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or validation has stopped it."""
        return self.state.step >= self._steps_total or self.state.epochs_without_gain >= self.config.patience

    @property
    def last_progress(self) -> TrainingProgress:
        """The progress after the last epoch."""
        last = self.state.history[-1]
        return self._progress(last.epoch, last.training_loss, last.validation_loss)

    def record(self, result: StepResult) -> TrainingProgress:
        """Count a step. Raises TrainingError if a number of its result is not finite that should be."""
        state = self.state
        epoch, learning_rate = state.epoch + 1, self._schedule(state.step)
        state.step += 1
        state.batch += 1
        state.epoch_nats += result.loss * result.rows
        state.epoch_rows += result.rows
        _check_finite(result.finite, state.step, learning_rate)
        if state.batch == self._batches_per_epoch or state.step == self._steps_total:
            if self._validates:
                _check_finite(result.validation_loss, state.step, learning_rate)
            _end_epoch(state, result.validation_loss, learning_rate)
        return self._progress(epoch, result.loss, result.validation_loss)

    def _progress(self, epoch: int, training_loss: float, validation_loss: float) -> TrainingProgress:
        return TrainingProgress(
            step=self.state.step,
            steps_total=self._steps_total,
            epoch=epoch,
            epochs=-(-self._steps_total // self._batches_per_epoch),
            learning_rate=self._schedule(self.state.step - 1),
            training_loss=training_loss,
            validation_loss=validation_loss,
            best_validation_loss=self.state.best_validation_loss,
            state=self.state,
        )


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
