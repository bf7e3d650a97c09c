"""The parameters in the notebook's layout, and the state that its training needs to resume."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.notebook.config import NotebookConfig
from rnn_core.state_dict import Layouts, check_arrays, invalid_checkpoint

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

START_SCALE: Final = 0.01  # of the random parameters


class NotebookParameters(NamedTuple):
    """The parameters in the notebook's layout: a product has its matrix on the left, a vector is a column."""

    Wax: Doubles  # (H, V)
    Waa: Doubles  # (H, H)
    Wya: Doubles  # (V, H)
    ba: Doubles  # (H, 1)
    by: Doubles  # (V, 1)


@dataclass(slots=True, eq=False, repr=False)
class NotebookState:
    """The state of the training, which `train` changes in place; `arrays` is a copy to store.

    iteration:      iterations done.
    smoothed_loss:  in nats per name.
    hidden:         (H,) the carried state.
    rng:            drew the parameters, then the order of the names, and samples since.
    """

    iteration: int
    smoothed_loss: float
    parameters: NotebookParameters
    hidden: Doubles
    rng: np.random.RandomState

    @classmethod
    def start(cls, config: NotebookConfig, vocabulary_size: int, count: int) -> "NotebookState":
        """The state before the first of `count` names: parameters random, list shuffled, nothing learned."""
        rng = np.random.RandomState(config.seed)
        parameters = random_parameters(rng, config.hidden_size, vocabulary_size)
        shuffled_indices(rng, count)
        blind = -np.log(1.0 / vocabulary_size)
        loss = float(blind * config.smoothing_characters)
        return cls(0, loss, parameters, np.zeros(config.hidden_size), rng)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of everything by name, ready to be written while training continues."""
        generator: Any = self.rng.get_state(legacy=False)
        return {
            "iteration": np.array(self.iteration),
            "smoothed_loss": np.array(self.smoothed_loss),
            **{name: value.copy() for name, value in self.parameters._asdict().items()},
            "hidden": self.hidden.copy(),
            "rng.key": generator["state"]["key"].copy(),
            "rng.position": np.array(generator["state"]["pos"]),
            "rng.has_gauss": np.array(generator["has_gauss"]),
            "rng.gauss": np.array(generator["gauss"]),
        }

    @classmethod
    def from_arrays(
        cls, config: NotebookConfig, vocabulary_size: int, arrays: Mapping[str, npt.NDArray[Any]]
    ) -> "NotebookState":
        """The state that `arrays` gave, in arrays of its own.

        Raises DataError if names, types, shapes or values are not those of such a training.
        """
        cls.check_layout(config, vocabulary_size, arrays)
        _check_values(config, arrays)
        rng = np.random.RandomState()
        position, has_gauss, gauss = (
            arrays[f"rng.{name}"].item() for name in ("position", "has_gauss", "gauss")
        )
        rng.set_state(("MT19937", arrays["rng.key"], position, has_gauss, gauss))
        return cls(
            arrays["iteration"].item(),
            arrays["smoothed_loss"].item(),
            NotebookParameters(*(arrays[name].copy() for name in NotebookParameters._fields)),
            arrays["hidden"].copy(),
            rng,
        )

    @classmethod
    def check_layout(cls, config: NotebookConfig, vocabulary_size: int, arrays: Layouts) -> None:
        """Raise DataError unless arrays of these types and shapes can be a state of such a training."""
        check_arrays(cls.start(config, vocabulary_size, 0).arrays(), arrays)


def random_parameters(
    rng: np.random.RandomState, hidden_size: int, vocabulary_size: int
) -> NotebookParameters:
    """The parameters to start from: 0.01 * randn matrices in the notebook's order, and biases of zero."""
    H, V = hidden_size, vocabulary_size
    return NotebookParameters(
        Wax=rng.randn(H, V) * START_SCALE,
        Waa=rng.randn(H, H) * START_SCALE,
        Wya=rng.randn(V, H) * START_SCALE,
        ba=np.zeros((H, 1)),
        by=np.zeros((V, 1)),
    )


def shuffled_indices(rng: np.random.RandomState, count: int) -> Indices:
    """(count,) the order that the notebook's shuffle of a Python list of so many names gives."""
    order = np.arange(count)
    rng.shuffle(order)
    return order


def _check_values(config: NotebookConfig, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, highest in (("iteration", config.iterations), ("rng.position", 624), ("rng.has_gauss", 1)):
        if not 0 <= arrays[name] <= highest:
            raise invalid_checkpoint(name, f"{arrays[name]}, not from 0 to {highest}")
    for name in ("smoothed_loss", "hidden", "rng.gauss", *NotebookParameters._fields):
        if not np.isfinite(arrays[name]).all():
            raise invalid_checkpoint(name, "numbers that are not finite")
