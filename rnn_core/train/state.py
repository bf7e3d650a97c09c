"""The state of a training: the arrays and counters that it needs to resume."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats
from rnn_core.nn import network
from rnn_core.state_dict import Layouts, check_arrays, invalid_checkpoint
from rnn_core.train.build_optimizer import build_optimizer
from rnn_core.train.config import Purpose, ResolvedTrainingConfig
from rnn_core.train.optimizers import OptimizerState
from rnn_core.tree import flat_views, leaves, tree_map, views


class HistoryRow(NamedTuple):
    """The result of an epoch. Losses in nats per character; nan without a validation split."""

    step: int  # steps done when it ended
    epoch: int  # counted from 1
    training_loss: float  # mean over the epoch, with dropout, while the parameters moved
    validation_loss: float
    learning_rate: float  # of its last step


@dataclass(slots=True)
class TrainingState:
    """The state of a training, which `train` changes in place; `arrays` is a copy to store.

    vocabulary_size:         without the tokens added by `network.pad_vocabulary`.
    style_count:             how many start tokens the network has, 0 without styles.
    vector, current:         the parameters as one vector, and as views of it.
    best:                    the vector of the epoch with the lowest validation loss; the last epoch's
                             without validation names; the initial one during the first epoch.
    optimizer:               its state.
    step:                    steps done.
    epoch, batch:            where the next step is: epochs done, batches of the current one done.
    epoch_nats, epoch_rows:  loss and characters of the current epoch so far.
    best_validation_loss:    nan before the first.
    epochs_without_gain:     since the best one.
    """

    vocabulary_size: int
    vector: Floats
    current: network.NetworkParameters
    best: Floats
    optimizer: OptimizerState
    step: int = 0
    epoch: int = 0
    batch: int = 0
    epoch_nats: float = 0.0
    epoch_rows: int = 0
    best_validation_loss: float = math.nan
    epochs_without_gain: int = 0
    style_count: int = 0
    history: list[HistoryRow] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        config: ResolvedTrainingConfig,
        vocabulary_size: int,
        initial: network.NetworkParameters | None = None,
        style_count: int = 0,
    ) -> "TrainingState":
        """An optimizer before its first step, and the parameters to start from: by default random ones."""
        padded = network.pad_vocabulary(initial or random_parameters(config, vocabulary_size, style_count))
        vector, current = flat_views(padded, config.dtype)
        tree_map(np.copyto, current, padded)
        optimizer = build_optimizer(config, current, steps_total=1)
        blank = optimizer.init(vector)
        return cls(vocabulary_size, vector, current, vector.copy(), blank, style_count=style_count)

    def move(self, vector: Floats, optimizer: OptimizerState) -> None:
        """Move the parameters and the optimizer's state into these arrays."""
        vector[:] = self.vector
        self.vector, self.current = vector, views(vector, self.current)
        for place, leaf in zip(leaves(optimizer), leaves(self.optimizer), strict=True):
            place[...] = leaf
        self.optimizer = optimizer

    @property
    def parameters(self) -> network.NetworkParameters:
        """The best parameters so far, in arrays of their own."""
        vector, best = flat_views(self.current, self.vector.dtype)
        vector[:] = self.best
        return network.trim_vocabulary(best, self.vocabulary_size, self.style_count)

    @property
    def history_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """A column per field of `HistoryRow`."""
        types = {"step": np.int64, "epoch": np.int64}
        return {
            name: np.array([getattr(row, name) for row in self.history], types.get(name, np.float64))
            for name in HistoryRow._fields
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything by name, ready to be written while training continues."""
        return {
            "vocabulary_size": np.array(self.vocabulary_size),
            "parameters": self.vector.copy(),
            "best_parameters": self.best.copy(),
            **{f"optimizer.{place}": leaf.copy() for place, leaf in enumerate(leaves(self.optimizer))},
            "step": np.array(self.step),
            "epoch": np.array(self.epoch),
            "batch": np.array(self.batch),
            "epoch_nats": np.array(self.epoch_nats),
            "epoch_rows": np.array(self.epoch_rows),
            "best_validation_loss": np.array(self.best_validation_loss),
            "epochs_without_gain": np.array(self.epochs_without_gain),
            **{f"history.{name}": column for name, column in self.history_arrays.items()},
        }

    @classmethod
    def from_arrays(
        cls,
        config: ResolvedTrainingConfig,
        vocabulary_size: int,
        arrays: Mapping[str, npt.NDArray[Any]],
        style_count: int = 0,
    ) -> "TrainingState":
        """The state that `arrays` gave, in arrays of its own.

        Raises DataError if names, types or shapes are not those of this configuration and vocabulary.
        """
        state = cls.start(config, vocabulary_size, style_count=style_count)
        check_arrays(state.arrays(), arrays)
        _check_numbers(arrays, vocabulary_size)
        state.vector[:] = arrays["parameters"]
        state.best[:] = arrays["best_parameters"]
        for place, leaf in enumerate(leaves(state.optimizer)):
            leaf[...] = arrays[f"optimizer.{place}"]
        for name in ("step", "epoch", "batch", "epoch_nats", "epoch_rows"):
            setattr(state, name, arrays[name].item())
        state.best_validation_loss = arrays["best_validation_loss"].item()
        state.epochs_without_gain = arrays["epochs_without_gain"].item()
        columns = [arrays[f"history.{name}"].tolist() for name in HistoryRow._fields]
        state.history = [HistoryRow(*row) for row in zip(*columns, strict=True)]
        return state

    @classmethod
    def check_layout(
        cls, config: ResolvedTrainingConfig, vocabulary_size: int, arrays: Layouts, style_count: int = 0
    ) -> None:
        """Raise DataError unless arrays of these types and shapes can be a state of this configuration."""
        check_arrays(cls.start(config, vocabulary_size, style_count=style_count).arrays(), arrays)


def random_parameters(
    config: ResolvedTrainingConfig, vocabulary_size: int, style_count: int = 0
) -> network.NetworkParameters:
    """What a training from scratch starts from."""
    return network.init(
        config.rng(Purpose.START),
        config.cell,
        vocabulary_size,
        config.hidden_size,
        config.dtype,
        config.layers,
        style_count,
    )


def check_position(state: TrainingState, batches_per_epoch: int, steps_total: int) -> None:
    """Raises DataError unless step, epoch and batch of the state fit together for this list."""
    place = state.epoch * batches_per_epoch + state.batch
    if state.batch >= batches_per_epoch or state.step != min(place, steps_total):
        raise invalid_checkpoint("step", f"step {state.step}, {state.epoch} epochs and {state.batch} batches")


def _check_numbers(arrays: Mapping[str, npt.NDArray[Any]], vocabulary_size: int) -> None:
    if arrays["vocabulary_size"] != vocabulary_size:
        raise invalid_checkpoint("vocabulary_size", f"{arrays['vocabulary_size']}, not {vocabulary_size}")
    for name in ("step", "epoch", "batch", "epoch_nats", "epoch_rows", "epochs_without_gain"):
        if not arrays[name] >= 0:
            raise invalid_checkpoint(name, f"{arrays[name]}, not 0 or above")
    for name, array in arrays.items():
        if name.startswith("history.") and len(array) != arrays["epoch"]:
            raise invalid_checkpoint(name, f"{len(array)} epochs, not {arrays['epoch']}")
        is_vector = name.endswith("parameters") or name.startswith("optimizer.")
        if is_vector and not np.isfinite(array).all():
            raise invalid_checkpoint(name, "numbers that are not finite")
