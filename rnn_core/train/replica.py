"""The steps of a training, as each of its processes takes them.

Every process computes the gradients of its parts of the batch. Once all are there, it adds up its slice of
them and updates that slice of the parameters, with the state of the optimizer for that slice alone. What the
optimizer does to whole matrices, it does to each in one process, in memory that all share.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rnn_core.arrays import Floats, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.batching.batches import BatchStream
from rnn_core.metrics.scoring import stream_cross_entropy
from rnn_core.nn import network
from rnn_core.nn.dropout import DropoutMasks, dropout_mask
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_optimizer
from rnn_core.train.config import Purpose, ResolvedTrainingConfig
from rnn_core.train.muon import orthogonal_step
from rnn_core.train.optimizers import OptimizerState
from rnn_core.train.parts import (
    BatchParts,
    BatchSchedule,
    PartLoss,
    StepResult,
    combine_gradients,
    mean_loss,
    steps_total,
)
from rnn_core.train.team import Team
from rnn_core.tree import tree_map, views


class Job(NamedTuple):
    """The training of a network, as each of its processes has to know it.

    validation:          names that it is to predict after every epoch; may be none.
    like:                its parameters, or what has their shapes.
    step, epoch, batch:  steps done, epochs done, and batches of the current epoch done.
    """

    config: ResolvedTrainingConfig
    training: EncodedNames
    validation: EncodedNames
    like: network.NetworkParameters
    step: int
    epoch: int
    batch: int


class NetworkMemory(NamedTuple):
    """The vectors of a network, in memory that its processes share.

    parameters, optimizer:  all of them, and the state of the optimizer.
    gradients:              of every part of a batch.
    """

    parameters: Floats
    optimizer: OptimizerState
    gradients: Sequence[Floats]


class Replica:
    """What a process has of the training of a network."""

    def __init__(self, job: Job, memory: NetworkMemory, team: Team) -> None:
        self._config, self._team, self._job = job.config, team, job
        config, like, piece = job.config, job.like, team.piece
        self._workspace = Workspace(config.dtype)
        self._step_count = job.step
        self._batches = BatchSchedule(config, job.training, team.number, team.size)
        self._validation = BatchStream.from_names(job.validation)
        self._parameters = views(memory.parameters, like)
        self._piece = memory.parameters[piece]
        self._gradients = [views(gradient, like) for gradient in memory.gradients]
        self._gradient_pieces = [gradient[piece] for gradient in memory.gradients]
        # The gradient of the whole batch is left in that of the first part.
        matrices = network.hidden_matrices(self._gradients[0])
        self._optimizer = build_optimizer(
            config,
            like,
            steps_total(config, job.training.count),
            piece,
            team.squared_norm,
            lambda _piece: team.share_out(matrices, orthogonal_step),
        )

        def of_this_process(leaf: Floats) -> Floats:
            if leaf.ndim:
                return leaf[piece]
            return leaf if team.number == 0 else leaf.copy()  # the first counts in memory for all

        self._optimizer_state = tree_map(of_this_process, memory.optimizer)

    def steps(self) -> Iterator[list[StepResult]]:
        """Takes steps together with the others, and yields the results of all networks that are trained."""
        for batch in self._batches.from_position(self._job.epoch, self._job.batch):
            yield self._team.results(self._step(batch))

    def _step(self, batch: BatchParts) -> StepResult:
        recurrent_masks = self._recurrent_masks()
        with np.errstate(all="ignore"):  # checked in the results
            for number, part in batch.own:
                masks = self._with_output_masks(recurrent_masks, part, number)
                loss, _ = network.loss_and_gradient(
                    self._parameters, part, self._workspace, masks, out=self._gradients[number]
                )
                self._team.put_loss(number, PartLoss(loss, part.targets.total))
            losses = self._team.losses(batch.total)
            whole = mean_loss(losses)
            gradient = combine_gradients(self._gradient_pieces, losses)
            finite = whole.loss + self._team.squared_norm(gradient)
            self._piece += self._optimizer.update(gradient, self._optimizer_state, self._piece)
            norm = self._team.squared_norm(self._piece)
            validates = batch.ends_epoch and self._team.number == 0
            validation_loss = self._validation_loss() if validates else math.nan
        self._step_count += 1
        return StepResult(*whole, norm if math.isfinite(finite) else finite, validation_loss)

    def _validation_loss(self) -> float:
        return stream_cross_entropy(
            self._parameters, self._validation, self._workspace, self._job.validation.weights
        )

    def _recurrent_masks(self) -> list[Floats | None]:
        """The recurrent mask of each layer, the same for the whole batch."""
        config = self._config
        if not config.recurrent_dropout:
            return [None] * config.layers
        rng = config.rng(Purpose.DROPPING_WEIGHTS, self._step_count)
        return [
            dropout_mask(
                rng,
                config.recurrent_dropout,
                self._workspace.child(number),
                "recurrent_mask",
                *layer.W_hh.shape,
            )
            for number, layer in enumerate(self._parameters.layers)
        ]

    def _with_output_masks(
        self, recurrent: Sequence[Floats | None], part: Batch, number: int
    ) -> list[DropoutMasks]:
        """The masks of each layer for one part of the batch."""
        config = self._config
        if not config.dropout:
            return [DropoutMasks(None, recurrent_mask) for recurrent_mask in recurrent]
        rng = config.rng(Purpose.DROPPING_UNITS, self._step_count, number)
        shape = part.size, config.hidden_size
        return [
            DropoutMasks(
                dropout_mask(rng, config.dropout, self._workspace.child(layer), "output_mask", *shape),
                recurrent_mask,
            )
            for layer, recurrent_mask in enumerate(recurrent)
        ]
