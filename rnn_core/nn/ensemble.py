"""An ensemble: networks of one shape that were trained with different seeds, averaged character by character.

    P(c | before) = 1 / M sum_m P_m(c | before)

Whatever takes `Networks` takes a single network as well, an ensemble of one.

Source: L. K. Hansen & P. Salamon, "Neural Network Ensembles", IEEE Transactions on Pattern Analysis and
Machine Intelligence 12 (1990).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.nn import network
from rnn_core.nn.network import NetworkParameters
from rnn_core.state_dict import Layouts, invalid_arrays

MOST_MEMBERS = 16

Item = TypeVar("Item")

_invalid = partial(invalid_arrays, "ensemble", "train it again")


class Ensemble(NamedTuple):
    """Two or more networks with the same cell and the same shapes."""

    members: tuple[NetworkParameters, ...]

    @property
    def hidden_size(self) -> int:
        """H, the units of a layer of each member."""
        return self.members[0].hidden_size

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens."""
        return self.members[0].vocabulary_size

    @property
    def style_count(self) -> int:
        """S, how many start tokens there are, as of a network."""
        return self.members[0].style_count

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every array."""
        return self.members[0].dtype


Networks: TypeAlias = NetworkParameters | Ensemble


def members_of(networks: Networks) -> tuple[NetworkParameters, ...]:
    """The members of an ensemble; a network alone is its only one."""
    return networks.members if isinstance(networks, Ensemble) else (networks,)


def join(members: tuple[NetworkParameters, ...]) -> Networks:
    """The ensemble of these members; of one, that network."""
    return members[0] if len(members) == 1 else Ensemble(members)


def pad_vocabulary(networks: Networks) -> Networks:
    """The same with a vocabulary of a multiple of 16 tokens, as `network.pad_vocabulary`."""
    return join(tuple(network.pad_vocabulary(member) for member in members_of(networks)))


def to_float64(networks: Networks) -> Networks:
    """The same in float64."""
    return join(tuple(network.to_float64(member) for member in members_of(networks)))


def target_log_probabilities(networks: Networks, batch: Batch, workspace: Workspace) -> Floats:
    """(E,) the log-probability, in nats, of each of `batch.targets`."""
    first, *others = members_of(networks)
    log_p = network.target_log_probabilities(first, batch, workspace)
    if not others:
        return log_p
    total = log_p.astype(np.float64)
    for member in others:
        np.logaddexp(total, network.target_log_probabilities(member, batch, workspace), out=total)
    total -= np.log(1 + len(others))
    return total


def logits(networks: Networks, batch: Batch, workspace: Workspace) -> Floats:
    """(N, V) log-probabilities of what comes next, up to a constant for each row, until the next call."""
    first, *others = members_of(networks)
    of_first = network.logits(first, batch, workspace)
    if not others:
        return of_first
    total = _softmax(of_first)
    for member in others:
        total += _softmax(network.logits(member, batch, workspace))
    with np.errstate(divide="ignore"):  # what is impossible for all of them
        return np.log(total, out=total)


def _softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """The softmax over the last axis, in double precision."""
    weights: npt.NDArray[np.float64] = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def to_arrays(networks: Networks) -> dict[str, Floats]:
    """Copies of all parameters by name: those of the first as `network.to_arrays`, then `member.1.W_hy`."""
    return by_member([network.to_arrays(member) for member in members_of(networks)])


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Networks:
    """The networks that `to_arrays` gave. Raises DataError for arrays that are neither a network nor such."""
    check_layout(arrays)
    return join(tuple(network.from_arrays(member) for member in split_members(arrays)))


def check_layout(arrays: Layouts) -> None:
    """Raise DataError unless arrays of these types and shapes can be networks, whatever their values."""
    first, *others = split_members(arrays)
    network.check_layout(first)
    for number, member in enumerate(others, start=1):
        for name in sorted({*first, *member}):
            there, here = (_described(of.get(name)) for of in (first, member))
            if there != here:
                what = f"each member must have the arrays of the first: {there}"
                raise _invalid(what, f"{_PREFIX}{number}.{name}", here)


def by_member(members: list[dict[str, Item]]) -> dict[str, Item]:
    """What members have by name in one dictionary: the first as it is, others as `member.1.` and so on."""
    first, *others = members
    return first | {
        f"{_PREFIX}{number}.{name}": item
        for number, member in enumerate(others, start=1)
        for name, item in member.items()
    }


def split_members(together: Mapping[str, Item]) -> list[dict[str, Item]]:
    """What `by_member` put together. Raises DataError for the name of a member that cannot be."""
    members: dict[int, dict[str, Item]] = {0: {}}
    for name, item in together.items():
        number, rest = 0, name
        if name.startswith(_PREFIX):
            digits, _, rest = name.removeprefix(_PREFIX).partition(".")
            number = _NUMBERS.get(digits, 0)
            if not number:
                raise _invalid(f"members have the numbers 1 to {MOST_MEMBERS - 1}", name, digits)
        members.setdefault(number, {})[rest] = item
    if max(members) >= len(members):
        raise _invalid("a member is missing", "", f"numbers {', '.join(map(str, sorted(members)))}")
    return [members[number] for number in range(len(members))]


_PREFIX = "member."
_NUMBERS = {str(number): number for number in range(1, MOST_MEMBERS)}


def _described(array: Any) -> str:
    return "no such array" if array is None else f"{array.dtype} of shape {array.shape}"
