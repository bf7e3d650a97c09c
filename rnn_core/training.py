"""The default recipe: mini-batches, AdamW, warm-up and cosine, dropout, early stopping on held-out names.

Random numbers are drawn from streams named by the seed, the purpose and the number of the epoch or step.
No generator is carried along, so a state is only arrays and counters, and a training that goes on from one
ends with the bytes of a training that was never interrupted.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core import cells, network
from rnn_core.arrays import Floats, Workspace
from rnn_core.batch import Batch
from rnn_core.batching import Stream
from rnn_core.dropout import Masks, mask
from rnn_core.errors import DataError, TrainingError
from rnn_core.names import EncodedNames
from rnn_core.optimizers import (
    Optimizer,
    OptimizerState,
    adam,
    chain,
    clip,
    clip_by_norm,
    decay,
    momentum,
    scale_by,
)
from rnn_core.ordering import alphabetical_places, shuffled_batches, small
from rnn_core.ranges import check_at_least_0, check_choice, check_positive, check_share, check_whole
from rnn_core.restoring import check_arrays, no_checkpoint
from rnn_core.schedules import Schedule, constant, cosine, warmup
from rnn_core.scoring import check_tokens, stream_cross_entropy
from rnn_core.sharding import Map, Part, Shard, combined, parts, sharing
from rnn_core.tree import flat_views, leaves, tree_map

START, SHUFFLING, DROPPING_WEIGHTS, DROPPING_UNITS = range(4)  # what a stream of random numbers is for

# From so many multiplications in the recurrence of one time step on, a training step is quicker with shared
# prefixes. Below it, finding them takes longer than computing them again. See docs/benchmarks.md.
SHARING_PAYS = 1 << 20


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Every default was chosen by measuring the cross-entropy of held-out names.

    They were names of the bundled lists, and of lists of first names, surnames and towns, in Latin, Greek and
    Armenian letters, 600 to 32,000 long. Shorter lists gain from more dropout, longer ones from less.

    layers:             one above the other, each as wide as the first.
    hidden_size:        units of a layer.
    batch_size:         names per step.
    optimizer:          `adamw`; `momentum`, whose steps are what recent gradients agree on; or `sgd`.
    momentum:           how much of the last step stays in the next one, with the optimizer `momentum`.
    learning_rate:      at its highest.
    schedule:           `cosine`: from there it falls in half a wave to 0; or `constant`.
    warmup:             share of all steps over which the learning rate rises first.
    epochs:             how often every name is seen, if neither validation nor max_steps stops it earlier.
    max_steps:          bounds the time for long lists; every name is seen less often then.
    patience:           epochs without a better validation loss before training stops.
    dropout:            share of hidden units that the layer above does not see.
    recurrent_dropout:  share of the weights in W_hh that a batch goes without.
    weight_decay:       of the matrices, per unit of learning rate.
    clip_value:         largest element of the gradient, either way; 0 for no limit.
    clip_norm:          longest gradient; 0 for no limit.
    batches:            how the names of a batch are computed: `packed`, one by one; `shared`, prefixes that
                        names of the batch have in common only once; `auto`, whichever was measured to be
                        quicker at this hidden_size and batch_size. Loss and gradient are the same to
                        rounding, but names that share a row share what `dropout` hides from it; all share
                        the first, before any character.
    shards:             parts of a batch that can be computed at the same time. As many threads as the
                        machine has cores share them; how many those are changes nothing in the result.
    """

    cell: Literal["elman", "gru", "lstm"] = "elman"
    layers: int = 1
    hidden_size: int = 256
    batch_size: int = 32
    optimizer: Literal["adamw", "momentum", "sgd"] = "adamw"
    momentum: float = 0.9
    learning_rate: float = 2e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    epochs: int = 40
    max_steps: int = 40_000
    patience: int = 10
    dropout: float = 0.2
    recurrent_dropout: float = 0.2
    weight_decay: float = 0.01
    clip_value: float = 0.0
    clip_norm: float = 1.0
    batches: Literal["auto", "packed", "shared"] = "auto"
    shards: int = 1
    dtype: Literal["float32", "float64"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        cells.by_name(self.cell)
        for name, highest in (
            ("layers", 64),
            ("hidden_size", 1 << 14),
            ("batch_size", 1 << 20),
            ("epochs", 1 << 20),
            ("max_steps", 1 << 40),
            ("patience", 1 << 20),
            ("shards", 1 << 10),
        ):
            check_whole(f"training.{name}", getattr(self, name), 1, highest)
        check_whole("training.seed", self.seed, 0, (1 << 64) - 1)
        check_positive("training.learning_rate", self.learning_rate)
        for name in ("warmup", "momentum", "dropout", "recurrent_dropout"):
            check_share(f"training.{name}", getattr(self, name))
        for name in ("weight_decay", "clip_value", "clip_norm"):
            check_at_least_0(f"training.{name}", getattr(self, name))
        check_choice("training.optimizer", self.optimizer, ("adamw", "momentum", "sgd"))
        check_choice("training.schedule", self.schedule, ("cosine", "constant"))
        check_choice("training.dtype", self.dtype, ("float32", "float64"))
        check_choice("training.batches", self.batches, ("auto", "packed", "shared"))

    @property
    def shares_prefixes(self) -> bool:
        """Never decided by a clock: the bytes of a training must not depend on what else the machine does."""
        if self.batches == "auto":
            *gates, _, _ = cells.by_name(self.cell).shapes(1, 1)["W_hh"]
            return math.prod(gates) * self.hidden_size**2 * self.batch_size >= SHARING_PAYS
        return self.batches == "shared"


class HistoryRow(NamedTuple):
    """One epoch. Losses in nats per character; nan where there is no validation split."""

    step: int  # steps done when it ended
    epoch: int  # counted from 1
    training_loss: float  # mean over the epoch, with dropout, while the parameters moved
    validation_loss: float
    learning_rate: float  # of its last step


@dataclass(slots=True)
class State:
    """All that training needs to go on. `train` changes it in place; `arrays` is a copy to keep.

    vocabulary_size:         without the tokens added by `network.padded`.
    vector, current:         the parameters as one vector, and as views of it.
    best:                    the vector of the epoch with the lowest validation loss; the last epoch's where
                             nothing is held out; the start's during the first epoch.
    optimizer:               its state.
    step:                    steps done.
    epoch, batch:            where the next step is: epochs done, batches of the current one done.
    epoch_nats, epoch_rows:  loss and characters of the current epoch so far.
    best_validation_loss:    nan before the first.
    epochs_without_gain:     since the best one.
    """

    vocabulary_size: int
    vector: Floats
    current: network.Parameters
    best: Floats
    optimizer: OptimizerState
    step: int = 0
    epoch: int = 0
    batch: int = 0
    epoch_nats: float = 0.0
    epoch_rows: int = 0
    best_validation_loss: float = math.nan
    epochs_without_gain: int = 0
    history: list[HistoryRow] = field(default_factory=list)

    @classmethod
    def start(cls, config: TrainingConfig, vocabulary_size: int) -> "State":
        """Random parameters and an optimizer that has seen nothing."""
        initial = network.init(
            _rng(config, START),
            config.cell,
            vocabulary_size,
            config.hidden_size,
            config.dtype,
            config.layers,
        )
        padded = network.padded(initial)
        vector, current = flat_views(padded, config.dtype)
        tree_map(np.copyto, current, padded)
        optimizer = _optimizer(config, current, steps_total=1)
        return cls(vocabulary_size, vector, current, vector.copy(), optimizer.init(vector))

    @property
    def parameters(self) -> network.Parameters:
        """The best parameters so far, in arrays of their own."""
        vector, best = flat_views(self.current, self.vector.dtype)
        vector[:] = self.best
        return network.unpadded(best, self.vocabulary_size)

    @property
    def history_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """A column per field of `HistoryRow`."""
        types = {"step": np.int64, "epoch": np.int64}
        return {
            name: np.array([getattr(row, name) for row in self.history], types.get(name, np.float64))
            for name in HistoryRow._fields
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, as copies under names: ready to be written while training goes on."""
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
        cls, config: TrainingConfig, vocabulary_size: int, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> "State":
        """What `arrays` gave, in arrays of its own.

        Raises DataError if names, types or shapes are not those of this configuration and vocabulary.
        """
        state = cls.start(config, vocabulary_size)
        expected = state.arrays()
        check_arrays(expected, arrays)
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


class Progress(NamedTuple):
    """Where training stands after a step. Losses in nats per character."""

    step: int  # steps done
    steps_total: int  # if validation does not stop it earlier
    epoch: int  # of this step, counted from 1
    epochs: int  # the last of them may be cut short by max_steps
    learning_rate: float
    training_loss: float  # of this step's batch
    validation_loss: float  # nan but for the last step of an epoch
    best_validation_loss: float  # nan before the first
    state: State  # the living state: ask it for `arrays()` before the next step


def train(
    config: TrainingConfig,
    vocabulary_size: int,
    training: EncodedNames,
    validation: EncodedNames,
    state: State | None = None,
    threads: int = 1,
) -> Iterator[Progress]:
    """Trains, and yields after every step; the last `state.parameters` are the result.

    validation:  the parameters that predict these names best are kept, and training stops when they have not
                 become better for `config.patience` epochs. If there are none, all epochs are trained and the
                 last parameters kept.
    state:       goes on from here, and changes it. A finished one is yielded once as it is.
    threads:     share the parts of a batch (`config.shards`); with any number the same bits come out.

    Raises DataError where there is no name to train on or a token is not in the vocabulary, TrainingError
    when the loss or its gradient is no longer a number: what was yielded before is still sound.
    """
    if training.count == 0:
        raise DataError(
            "training.empty",
            "there is no name to train on",
            fix="give longer lists, or a larger share of them to training.",
        )
    check_tokens(training, vocabulary_size)
    check_tokens(validation, vocabulary_size)
    trained_on, held_out = Stream.of(training), Stream.of(validation)
    shared = config.shares_prefixes
    layout = trained_on.shared if shared else trained_on.packed
    keys = small(alphabetical_places(training) if shared else -trained_on.rows)
    batches_per_epoch = -(-training.count // config.batch_size)
    steps_total = min(config.epochs * batches_per_epoch, config.max_steps)
    state = state or State.start(config, vocabulary_size)
    _check_place(state, batches_per_epoch, steps_total)
    schedule = _schedule(config, steps_total)
    optimizer = _optimizer(config, state.current, steps_total)
    shards = [Shard.like(state.current) for _ in range(config.shards)]

    def progress(epoch: int, training_loss: float, validation_loss: float) -> Progress:
        return Progress(
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
    with sharing(min(threads, config.shards)) as shared_map:
        while not finished():
            epoch = state.epoch + 1
            batches = shuffled_batches(keys, config.batch_size, _rng(config, SHUFFLING, state.epoch))
            del batches[state.batch + steps_total - state.step :]
            left = [parts(chosen, config.shards, neighbours=shared) for chosen in batches[state.batch :]]
            laid_out = layout(itertools.chain.from_iterable(left))  # some ahead
            for some in left:
                learning_rate = schedule(state.step)
                batch = list(itertools.islice(laid_out, len(some)))
                found = _gradient(config, state, batch, shards, shared_map)
                with np.errstate(all="ignore"):  # what is not a number is found by looking at the results
                    _descend(optimizer, state, found.loss, shards[0].vector, learning_rate)
                state.step += 1
                state.batch += 1
                state.epoch_nats += found.loss * found.rows
                state.epoch_rows += found.rows
                validation_loss = math.nan
                if state.batch == len(batches):
                    if validation.count:
                        validation_loss = stream_cross_entropy(state.current, held_out, shards[0].workspace)
                        _check_finite(validation_loss, state.step, learning_rate)
                    _end_epoch(state, validation_loss, learning_rate)
                yield progress(epoch, found.loss, validation_loss)


def _gradient(
    config: TrainingConfig,
    state: State,
    some: Sequence[Batch],
    shards: Sequence[Shard],
    shared_map: Map,
) -> Part:
    """The loss of a batch, which comes in parts; its gradient is left in the first shard."""
    masks = _recurrent_masks(config, state, shards[0].workspace)

    def part(number: int) -> Part:
        shard, batch = shards[number], some[number]
        left_out = _with_output_masks(config, masks, batch.size, state.step, number, shard.workspace)
        with np.errstate(all="ignore"):
            loss, _ = network.loss_and_gradient(
                state.current, batch, shard.workspace, left_out, out=shard.gradient
            )
        return Part(loss, batch.wanted.total)

    return combined(shards, list(shared_map(part, range(len(some)))))


def _descend(optimizer: Optimizer, state: State, loss: float, gradient: Floats, learning_rate: float) -> None:
    """One step downhill. Raises TrainingError if the way there or where it leads is not a number."""
    _check_finite(loss + _squared_norm(gradient), state.step + 1, learning_rate)
    state.vector += optimizer.update(gradient, state.optimizer, state.vector)
    _check_finite(_squared_norm(state.vector), state.step + 1, learning_rate)


def _recurrent_masks(config: TrainingConfig, state: State, workspace: Workspace) -> list[Floats | None]:
    """One for each layer; the same for the whole batch."""
    if not config.recurrent_dropout:
        return [None] * config.layers
    rng = _rng(config, DROPPING_WEIGHTS, state.step)
    return [
        mask(rng, config.recurrent_dropout, workspace.inner(number), "recurrent_mask", *layer.W_hh.shape)
        for number, layer in enumerate(state.current.layers)
    ]


def _with_output_masks(
    config: TrainingConfig,
    recurrent: Sequence[Floats | None],
    rows: int,
    step: int,
    part: int,
    workspace: Workspace,
) -> list[Masks]:
    """What each layer leaves out in one part of a batch."""
    if not config.dropout:
        return [Masks(None, of_layer) for of_layer in recurrent]
    rng = _rng(config, DROPPING_UNITS, step, part)
    return [
        Masks(
            mask(rng, config.dropout, workspace.inner(number), "output_mask", rows, config.hidden_size),
            of_layer,
        )
        for number, of_layer in enumerate(recurrent)
    ]


def _end_epoch(state: State, validation_loss: float, learning_rate: float) -> None:
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


def _schedule(config: TrainingConfig, steps_total: int) -> Schedule:
    rising = math.ceil(config.warmup * steps_total)
    if config.schedule == "constant":
        return warmup(rising, constant(config.learning_rate))
    return warmup(rising, cosine(config.learning_rate, steps_total - rising))


def _optimizer(config: TrainingConfig, parameters: network.Parameters, steps_total: int) -> Optimizer:
    rates, views = flat_views(parameters, config.dtype)
    for matrix in network.matrices(views):  # biases are few and do not overfit
        matrix[...] = config.weight_decay
    limits = [clip(config.clip_value)] * bool(config.clip_value)
    limits += [clip_by_norm(config.clip_norm)] * bool(config.clip_norm)
    ways = {"adamw": [adam()], "momentum": [momentum(config.momentum)], "sgd": []}
    return chain(*limits, *ways[config.optimizer], decay(rates), scale_by(_schedule(config, steps_total)))


def _rng(config: TrainingConfig, purpose: int, *numbers: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((config.seed, purpose, *numbers)))


def _squared_norm(vector: Floats) -> float:
    return float(vector @ vector)


def _check_finite(value: float, step: int, learning_rate: float) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            "training.diverged",
            "the loss, its gradient or the parameters are no longer finite numbers",
            where=f"step {step}, learning rate {learning_rate:.3g}",
            saw=f"{value}",
            fix="lower learning_rate (a third of it is a good next try) or clip_norm, or train in float64.",
        )


def _check_place(state: State, batches_per_epoch: int, steps_total: int) -> None:
    place = state.epoch * batches_per_epoch + state.batch
    if state.batch >= batches_per_epoch or state.step != min(place, steps_total):
        raise no_checkpoint("step", f"step {state.step}, {state.epoch} epochs and {state.batch} batches")


def _check_numbers(arrays: Mapping[str, npt.NDArray[Any]], vocabulary_size: int) -> None:
    if arrays["vocabulary_size"] != vocabulary_size:
        raise no_checkpoint("vocabulary_size", f"{arrays['vocabulary_size']}, not {vocabulary_size}")
    for name in ("step", "epoch", "batch", "epoch_nats", "epoch_rows", "epochs_without_gain"):
        if not arrays[name] >= 0:
            raise no_checkpoint(name, f"{arrays[name]}, not 0 or above")
    for name, array in arrays.items():
        if name.startswith("history.") and len(array) != arrays["epoch"]:
            raise no_checkpoint(name, f"{len(array)} epochs, not {arrays['epoch']}")
        is_vector = name.endswith("parameters") or name.startswith("optimizer.")
        if is_vector and not np.isfinite(array).all():
            raise no_checkpoint(name, "numbers that are not finite")
