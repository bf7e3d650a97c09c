"""The training of an ensemble: each member by itself, one after the other, with a seed of its own.

All processes share the steps of the member that is trained. The first member is the network that a training
without others gives, to the byte.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_core.nn.ensemble import Networks, by_member, join, members_of, split_members
from rnn_core.state_dict import Layouts, invalid_checkpoint
from rnn_core.text.names import EncodedNames
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.loop import TrainingProgress, train
from rnn_core.train.state import TrainingState


@dataclass(frozen=True, slots=True)
class MemberStates:
    """The states of all members, also of those whose training has not begun."""

    states: tuple[TrainingState, ...]

    @classmethod
    def start(
        cls,
        config: ResolvedTrainingConfig,
        vocabulary_size: int,
        initial: Networks | None = None,
        style_count: int = 0,
    ) -> "MemberStates":
        """The states before the first step.

        initial:  the parameters to start from, as many networks as there are members; by default random ones.
        """
        networks = members_of(initial) if initial else [None] * config.members
        members = zip(member_configs(config), networks, strict=True)
        return cls(
            tuple(
                TrainingState.start(of_member, vocabulary_size, own, style_count)
                for of_member, own in members
            )
        )

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

    @classmethod
    def from_arrays(
        cls,
        config: ResolvedTrainingConfig,
        vocabulary_size: int,
        arrays: Mapping[str, npt.NDArray[Any]],
        style_count: int = 0,
    ) -> "MemberStates":
        """The states that `arrays` gave, in arrays of their own.

        Raises DataError if names, types or shapes are not those of this configuration and vocabulary.
        """
        members = zip(member_configs(config), _split(config, arrays), strict=True)
        return cls(
            tuple(
                TrainingState.from_arrays(of_member, vocabulary_size, own, style_count)
                for of_member, own in members
            )
        )

    @classmethod
    def check_layout(
        cls, config: ResolvedTrainingConfig, vocabulary_size: int, arrays: Layouts, style_count: int = 0
    ) -> None:
        """Raise DataError unless arrays of these types and shapes can be states of this configuration."""
        for of_member, own in zip(member_configs(config), _split(config, arrays), strict=True):
            TrainingState.check_layout(of_member, vocabulary_size, own, style_count)


def member_configs(config: ResolvedTrainingConfig) -> list[ResolvedTrainingConfig]:
    """The configuration of each member."""
    return [config.member(number) for number in range(config.members)]


def train_members(
    config: ResolvedTrainingConfig,
    vocabulary_size: int,
    training: EncodedNames,
    validation: EncodedNames,
    members: MemberStates,
    processes: int = 1,
    style_count: int = 0,
) -> Iterator[tuple[int, TrainingProgress]]:
    """Trains all members, and yields after every step the number of the member, from 0, and its progress.

    Arguments and errors are those of `train`. A member that is finished already is yielded once as it is.
    """
    for number, (of_member, state) in enumerate(zip(member_configs(config), members.states, strict=True)):
        for progress in train(
            of_member, vocabulary_size, training, validation, state, processes, style_count
        ):
            yield number, progress


def _split(config: ResolvedTrainingConfig, arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    members = split_members(arrays)
    if len(members) != config.members:
        raise invalid_checkpoint("member", f"{len(members)} members, not {config.members}")
    return members
