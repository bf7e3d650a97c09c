"""The steps of a training, as each of its processes takes them.

Every process computes the gradients of its parts of the batch. Once all are there, it adds up its slice of
them and updates that slice of the parameters, with the state of the optimizer for that slice alone. What the
optimizer does to whole matrices, it does to each in one process, in memory that all share.
"""

import math
from collections.abc import Sequence

import numpy as np

from rnn_core.arrays import Floats, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.errors import TrainingError
from rnn_core.nn import network
from rnn_core.nn.dropout import DropoutMasks, dropout_mask
from rnn_core.train.build_optimizer import build_optimizer, build_schedule
from rnn_core.train.config import Purpose, ResolvedTrainingConfig
from rnn_core.train.muon import orthogonal_step
from rnn_core.train.optimizers import OptimizerState
from rnn_core.train.parts import BatchParts, PartLoss, combine_gradients, mean_loss
from rnn_core.train.team import Team
from rnn_core.tree import tree_map, views


class Replica:
    """What a process has of a training.

    vector:      all parameters, in memory that all processes share.
    like:        the parameters, or what has their shapes.
    optimizer:   the state of the optimizer, of all parameters.
    gradients:   a vector for every part of a batch, in memory that all processes share.
    step_count:  steps done.
    """

    def __init__(
        self,
        config: ResolvedTrainingConfig,
        vector: Floats,
        like: network.NetworkParameters,
        optimizer: OptimizerState,
        gradients: Sequence[Floats],
        steps_total: int,
        step_count: int,
        team: Team,
    ) -> None:
        piece = team.piece
        self.workspace = Workspace(config.dtype)
        self.step_count = step_count
        self._config, self._team = config, team
        self._parameters = views(vector, like)
        self._piece = vector[piece]
        self._gradients = [views(gradient, like) for gradient in gradients]
        self._gradient_pieces = [gradient[piece] for gradient in gradients]
        self._schedule = build_schedule(config, steps_total)
        matrices = network.hidden_matrices(
            self._gradients[0]
        )  # where the gradient of the whole batch is left
        self._optimizer = build_optimizer(
            config,
            like,
            steps_total,
            piece,
            team.squared_norm,
            lambda _piece: team.share_out(matrices, orthogonal_step),
        )
        self._optimizer_state = tree_map(lambda leaf: leaf[piece] if leaf.ndim else leaf, optimizer)

    def step(self, batch: BatchParts) -> PartLoss:
        """Takes a step together with the others, and returns the loss before it.

        Raises TrainingError if the loss, its gradient or the new parameters are not finite; in the last case
        the parameters are no longer valid.
        """
        recurrent_masks = self._recurrent_masks()
        with np.errstate(all="ignore"):  # checked in the results
            for number, part in batch.own:
                masks = self._with_output_masks(recurrent_masks, part, number)
                loss, _ = network.loss_and_gradient(
                    self._parameters, part, self.workspace, masks, out=self._gradients[number]
                )
                self._team.put_loss(number, PartLoss(loss, part.targets.total))
            losses = self._team.losses(batch.total)
            whole = mean_loss(losses)
            gradient = combine_gradients(self._gradient_pieces, losses)
            self._check_finite(whole.loss + self._team.squared_norm(gradient))
            self._piece += self._optimizer.update(gradient, self._optimizer_state, self._piece)
            self._check_finite(self._team.squared_norm(self._piece))
        self.step_count += 1
        return whole

    def _recurrent_masks(self) -> list[Floats | None]:
        """The recurrent mask of each layer, the same for the whole batch."""
        config = self._config
        if not config.recurrent_dropout:
            return [None] * config.layers
        rng = config.rng(Purpose.DROPPING_WEIGHTS, self.step_count)
        return [
            dropout_mask(
                rng,
                config.recurrent_dropout,
                self.workspace.child(number),
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
        rng = config.rng(Purpose.DROPPING_UNITS, self.step_count, number)
        shape = part.size, config.hidden_size
        return [
            DropoutMasks(
                dropout_mask(rng, config.dropout, self.workspace.child(layer), "output_mask", *shape),
                recurrent_mask,
            )
            for layer, recurrent_mask in enumerate(recurrent)
        ]

    def _check_finite(self, value: float) -> None:
        check_finite(value, self.step_count + 1, self._schedule(self.step_count))


def check_finite(value: float, step: int, learning_rate: float) -> None:
    """Raises TrainingError for a value that is not a finite number."""
    if not math.isfinite(value):
        raise TrainingError(
            "training.diverged",
            "the loss, its gradient or the parameters are no longer finite numbers",
            where=f"step {step}, learning rate {learning_rate:.3g}",
            saw=f"{value}",
            fix="lower learning_rate (a third of it is a good next try), "
            "limit the gradient by clip_norm (1 is a good value), or train in float64.",
        )
