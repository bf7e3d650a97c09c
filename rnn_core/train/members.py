"""The training of an ensemble: members with seeds of their own, beside each other where there are processes.

The first member is the network that a training without others gives, to the byte.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.nn.ensemble import Networks, by_member, join, members_of, split_members
from rnn_core.state_dict import Layouts, invalid_checkpoint
from rnn_core.text.names import EncodedNames
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.loop import train_together
from rnn_core.train.state import TrainingState


class MembersProgress(NamedTuple):
    """The progress of an ensemble after a step of some of its members. Losses in nats per character."""

    numbers: tuple[int, ...]  # of these members, counted from 1
    step: int  # steps done, by all members together
    steps_total: int  # of all members, if validation does not stop one earlier
    epoch: int  # of the one that is furthest behind, counted from 1
    epochs: int  # of each
    training_loss: float  # mean over their batches of this step
    best_validation_loss: float  # mean over them; nan before the first of each


@dataclass(frozen=True, slots=True)
class MemberStates:
    """The states of all members, also of those whose training has not begun."""

    states: tuple[TrainingState, ...]

    @property
    def networks(self) -> Networks:
        """The best parameters of each so far, in arrays of their own."""
        return join(tuple(state.parameters for state in self.states))

    @property
    def steps(self) -> int:
        """Steps done, by all together."""
        return sum(state.step for state in self.states)

    @property
    def epochs(self) -> int:
        """Epochs done by the member that did most."""
        return max(state.epoch for state in self.states)

    @property
    def history_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """A column per field of `HistoryRow`, a row per epoch: means over the members that did it."""
        histories = [state.history_arrays for state in self.states]
        longest = max(histories, key=lambda history: len(history["epoch"]))
        columns = dict(longest)
        for name in ("training_loss", "validation_loss"):
            of_members = [history[name] for history in histories]
            rows = itertools.zip_longest(*of_members)
            columns[name] = np.array([np.mean([loss for loss in row if loss is not None]) for row in rows])
        return columns

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything by name: of one member as `TrainingState.arrays`, then `member.1.step`."""
        return by_member([state.arrays() for state in self.states])


@dataclass(frozen=True, slots=True)
class EnsembleTraining:
    """The training of as many members as the configuration says; one is a network alone.

    style_count:  of each network; 0 if it knows no styles, else every name has one.
    """

    config: ResolvedTrainingConfig
    vocabulary_size: int
    style_count: int = 0

    @property
    def member_configs(self) -> list[ResolvedTrainingConfig]:
        """The configuration of each member."""
        return [self.config.member(number) for number in range(self.config.members)]

    def start(self, initial: Networks | None = None) -> MemberStates:
        """The states before the first step.

        initial:  the parameters to start from, as many networks as there are members; by default random ones.
        """
        networks = members_of(initial) if initial else [None] * self.config.members
        return MemberStates(
            tuple(
                TrainingState.start(config, self.vocabulary_size, own, self.style_count)
                for config, own in zip(self.member_configs, networks, strict=True)
            )
        )

    def from_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> MemberStates:
        """The states that `MemberStates.arrays` gave, in arrays of their own.

        Raises DataError if names, types or shapes are not those of this training.
        """
        return MemberStates(
            tuple(
                TrainingState.from_arrays(config, self.vocabulary_size, own, self.style_count)
                for config, own in zip(self.member_configs, self._split(arrays), strict=True)
            )
        )

    def check_layout(self, arrays: Layouts) -> None:
        """Raise DataError unless arrays of these types and shapes can be states of this training."""
        for config, own in zip(self.member_configs, self._split(arrays), strict=True):
            TrainingState.check_layout(config, self.vocabulary_size, own, self.style_count)

    def run(
        self, training: EncodedNames, validation: EncodedNames, members: MemberStates, processes: int = 1
    ) -> Iterator[MembersProgress]:
        """Trains all members, and yields after every step of those that are trained at the moment.

        Names and errors are those of `train`. The states change with the next step.
        """
        for progress in train_together(
            self.member_configs,
            self.vocabulary_size,
            training,
            validation,
            members.states,
            processes,
            self.style_count,
        ):
            latest = list(progress.values())
            yield MembersProgress(
                numbers=tuple(number + 1 for number in progress),
                step=members.steps,
                steps_total=self.config.members * latest[0].steps_total,
                epoch=min(member.epoch for member in latest),
                epochs=latest[0].epochs,
                training_loss=float(np.mean([member.training_loss for member in latest])),
                best_validation_loss=float(np.mean([member.best_validation_loss for member in latest])),
            )

    def _split(self, arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
        members = split_members(arrays)
        if len(members) != self.config.members:
            raise invalid_checkpoint("member", f"{len(members)} members, not {self.config.members}")
        return members
