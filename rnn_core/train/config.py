"""The configuration of a training, and its defaults, which depend on the number of names."""

import math
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np

from rnn_core.errors import ConfigError
from rnn_core.nn import cells
from rnn_core.nn.cells import elman
from rnn_core.nn.ensemble import MOST_MEMBERS
from rnn_core.validators import AT_LEAST_0, POSITIVE, SEED, SHARE, SHARE_OR_ALL, check_fields, whole

# From so many multiplications in the recurrence of one time step on, a training step is faster with shared
# prefixes. Below it, finding them takes longer than computing them again. See docs/reference/benchmarks.md.
SHARING_THRESHOLD = 1 << 20

MOMENTUM = 0.9

# Of a training that starts from trained parameters: its share of the steps, and of the peak learning rate,
# which is less with Muon. On 32,000 names with 1 % of new ones it predicts held-out names as well as one from
# scratch (docs/explanation/quality.md).
WARM_STEPS, WARM_LEARNING_RATE, WARM_MUON_LEARNING_RATE = 0.15, 0.5, 0.25

Cell = Literal["elman", "gru", "lstm"]
Optimizer = Literal["adamw", "muon", "momentum", "sgd"]


class Purpose(IntEnum):
    """What random numbers of a training are for: two purposes never have the same ones."""

    START = 0
    SHUFFLING = 1
    DROPPING_WEIGHTS = 2
    DROPPING_UNITS = 3
    RESAMPLING = 4
    MEMBERS = 5


class SizeDefaults(NamedTuple):
    """The defaults that predict held-out names best in lists of fewer than `below` training names.

    optimizer:  with which they do; momentum and sgd have the defaults of adamw.

    How that was measured, and what else was tried: docs/explanation/quality.md.
    """

    below: float
    optimizer: Optimizer
    cell: Cell
    layers: int
    hidden_size: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    epochs: int
    max_steps: int
    dropout: float
    recurrent_dropout: float


# The first row that fits decides; with an optimizer that was set, the first of that optimizer. The key of a
# model holds the options that were set, not these numbers: when a row changes, raise the version of the stage
# `model`.
SIZE_DEFAULTS = (
    SizeDefaults(1_000, "adamw", "gru", 1, 256, 32, 3e-3, 0.01, 40, 40_000, 0.3, 0.2),
    SizeDefaults(3_000, "adamw", "gru", 1, 256, 32, 3e-3, 0.01, 20, 40_000, 0.3, 0.2),
    SizeDefaults(10_000, "muon", "gru", 1, 256, 128, 0.012, 0.15, 16, 40_000, 0.3, 0.2),
    SizeDefaults(10_000, "adamw", "gru", 1, 256, 32, 3e-3, 0.01, 20, 40_000, 0.3, 0.2),
    SizeDefaults(math.inf, "muon", "gru", 2, 192, 256, 0.012, 0.1, 9, 5_000, 0.1, 0.1),
    SizeDefaults(math.inf, "adamw", "gru", 2, 192, 128, 4e-3, 0.01, 15, 8_000, 0.1, 0.1),
)


def _without_key(name: str, default: Any) -> Any:
    """A field that is part of no key: it decides what a training starts from, and that is an input."""
    return field(default=default, metadata={"neutral": attrgetter(name)})


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the network is trained. What is None is chosen by the number of training names.

    Attributes:
        cell: Recurrent cell: `elman`, `gru` or `lstm`. Default: `gru`.
        layers: Number of stacked layers. Default: 1; 2 from 10,000 names on.
        hidden_size: Units per layer. Default: 256; 192 from 10,000 names on.
        batch_size: Names per training step. Default: 32; with `muon` 128, and 256 from 10,000 names on; with
            another optimizer 128 from there on.
        learning_rate: Peak learning rate. Default: 0.003, 0.004 from 10,000 names on; with `muon` 0.012.
        epochs: Passes over the names, unless validation or max_steps stops training earlier. Default: 40
            below 1,000 names, 20 below 10,000, 15 from there on; with `muon` 16 and 9.
        max_steps: Most training steps, which bounds the time. Default: 40,000; from 10,000 names on 8,000,
            with `muon` 5,000.
        dropout: Share of hidden units dropped between layers. Default: 0.3; 0.1 from 10,000 names on.
        recurrent_dropout: Share of recurrent weights (W_hh) dropped for a batch. Default: 0.2; 0.1 from
            10,000 names on.
        optimizer: `adamw`, `muon`, `momentum` or `sgd`. With `muon`, the matrices from units to units move in
            all directions by about the same length, and all other parameters as with `adamw`. Default:
            `muon`; `adamw` below 3,000 names and for the cell `elman`.
        weight_decay: Weight decay (matrices only), per unit of learning rate. Default: 0.01; with `muon`
            0.15, 0.1 from 10,000 names on.
        shards: Parts of a batch, which as many processes can compute side by side. How many processes share
            them does not change the result. More parts than cores make a training slower
            (docs/reference/benchmarks.md).
        momentum: Share of the last step that stays in the next one, with the optimizer `momentum`.
        schedule: Learning rate over time: `cosine` falls in half a wave to 0, `constant` stays.
        warmup: Share of all steps over which the learning rate rises to its peak.
        patience: Epochs without a better validation loss before training stops.
        clip_value: Largest magnitude of an element of the gradient; 0 for no limit.
        clip_norm: Largest global norm of the gradient; 0 for no limit.
        batches: How a batch is computed: `packed` computes each name by itself, `shared` computes common
            prefixes once, `auto` takes what was measured to be faster for this cell, hidden_size and
            batch_size. Loss and gradient are the same to rounding, but names that share a prefix share
            what `dropout` drops there; all share the start.
        dtype: Type of the parameters: `float32` or `float64`.
        seed: Random seed of the training.
        members: Networks that are trained with different seeds and averaged, character by character, beside
            each other where there are cores. Each costs the time of a training, and of sampling.
        styles: With `sources`, each of several lists is a style that names can be asked for: the network
            learns which list a name is from. `none` learns all lists as one.
        start: Parameters before the first step: random with `scratch`; with `champion` those of the
            champion, if the lists changed little since it was trained, and a short training.
        max_list_change: Largest change of the lists for a start from the champion: names added and
            removed, as a share of the champion's names.
        max_warm_starts: Most trainings in a row that start from a champion; the next is from scratch.
    """

    cell: Cell | None = None
    layers: Annotated[int | None, whole(1, 64)] = None
    hidden_size: Annotated[int | None, whole(1, 1 << 14)] = None
    batch_size: Annotated[int | None, whole(1, 1 << 20)] = None
    learning_rate: Annotated[float | None, POSITIVE] = None
    epochs: Annotated[int | None, whole(1, 1 << 20)] = None
    max_steps: Annotated[int | None, whole(1, 1 << 40)] = None
    dropout: Annotated[float | None, SHARE] = None
    recurrent_dropout: Annotated[float | None, SHARE] = None
    optimizer: Optimizer | None = None
    weight_decay: Annotated[float | None, AT_LEAST_0] = None
    shards: Annotated[int, whole(1, 1 << 10)] = 2
    momentum: Annotated[float, SHARE] = MOMENTUM
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: Annotated[float, SHARE] = 0.05
    patience: Annotated[int, whole(1, 1 << 20)] = 10
    clip_value: Annotated[float, AT_LEAST_0] = 0.0
    clip_norm: Annotated[float, AT_LEAST_0] = 1.0
    batches: Literal["auto", "packed", "shared"] = "auto"
    dtype: Literal["float32", "float64"] = "float32"
    seed: Annotated[int, SEED] = 0
    members: Annotated[int, whole(1, MOST_MEMBERS)] = field(
        default=1, metadata={"neutral": lambda _config: 1}
    )
    styles: Literal["sources", "none"] = field(
        default="sources", metadata={"neutral": lambda _config: "none"}
    )
    start: Literal["scratch", "champion"] = _without_key("start", "scratch")
    max_list_change: Annotated[float, SHARE_OR_ALL] = _without_key("max_list_change", 0.1)
    max_warm_starts: Annotated[int, whole(1, 1 << 10)] = _without_key("max_warm_starts", 6)

    def __post_init__(self) -> None:
        if self.cell is not None:
            cells.by_name(self.cell)
        check_fields(self)
        if self.optimizer != "momentum" and self.momentum != MOMENTUM:
            raise ConfigError(
                "config.range",
                f"momentum has no effect with the optimizer {self.optimizer or 'of the defaults'}",
                where="TrainingConfig.momentum",
                saw=f"{self.momentum}",
                fix="take it out, or choose the optimizer that has it: momentum.",
            )

    def resolve(self, count: int) -> "ResolvedTrainingConfig":
        """The complete configuration for so many training names: every None replaced by its default."""
        row = self._row(count)._asdict()
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return ResolvedTrainingConfig(
            **{name: row[name] if value is None else value for name, value in options.items()}
        )

    def defaults(self, count: int) -> dict[str, Any]:
        """What the options whose defaults depend on the number of names would be if they were not set.

        If the optimizer or the cell is set, those that go with it.
        """
        optimizer = TrainingConfig(cell=self.cell)._row(count).optimizer
        defaults = {**self._row(count)._asdict(), "optimizer": optimizer}
        return {name: value for name, value in defaults.items() if name != "below"}

    def _row(self, count: int) -> SizeDefaults:
        rows = [row for row in SIZE_DEFAULTS if count < row.below]
        if self.optimizer is None and self.cell != elman.NAME:
            return rows[0]
        optimizer = "muon" if self.optimizer == "muon" else "adamw"  # also for an Elman cell: Muon is worse
        return next(row for row in rows if row.optimizer == optimizer)


@dataclass(frozen=True, slots=True)
class ResolvedTrainingConfig(TrainingConfig):
    """A complete configuration, without None."""

    optimizer: Optimizer
    cell: Cell
    layers: int
    hidden_size: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    epochs: int
    max_steps: int
    dropout: float
    recurrent_dropout: float

    @property
    def size_dependent(self) -> dict[str, Any]:
        """The options whose defaults depend on the number of names."""
        return {name: getattr(self, name) for name in SizeDefaults._fields[1:]}

    @property
    def shares_prefixes(self) -> bool:
        """Whether batches share prefixes, by the configuration alone: timing must not change the result."""
        if self.batches == "auto":
            *gates, _, _ = cells.by_name(self.cell).shapes(1, 1)["W_hh"]
            return math.prod(gates) * self.hidden_size**2 * self.batch_size >= SHARING_THRESHOLD
        return self.batches == "shared"

    def warm(self, count: int) -> "ResolvedTrainingConfig":
        """The short training of parameters that are trained already, on so many names."""
        of_epoch = -(-count // self.batch_size)
        rate = WARM_MUON_LEARNING_RATE if self.optimizer == "muon" else WARM_LEARNING_RATE
        steps = max(1, round(WARM_STEPS * min(self.epochs * of_epoch, self.max_steps)))
        return replace(
            self,
            epochs=-(-steps // of_epoch),
            max_steps=steps,
            learning_rate=rate * self.learning_rate,
        )

    def member(self, number: int) -> "ResolvedTrainingConfig":
        """The configuration of a member of the ensemble: the first has the seed, the others seeds from it."""
        seed = int(self.rng(Purpose.MEMBERS, number).integers(1 << 63)) if number else self.seed
        return replace(self, members=1, seed=seed)

    def rng(self, purpose: Purpose, *numbers: int) -> np.random.Generator:
        """The random numbers of a purpose, and of an epoch or a step.

        No generator is carried along, so a training resumes from its position alone.
        """
        return np.random.default_rng(np.random.SeedSequence((self.seed, purpose, *numbers)))
