"""The recurrent cells, one module each, all with the interface `Cell`."""

from collections.abc import Mapping
from typing import Any, Final

from rnn_core.errors import ConfigError
from rnn_core.nn.cells import elman, gru, lstm
from rnn_core.nn.cells.base import Cell

CELLS: Final[Mapping[str, Cell]] = {cell.NAME: cell for cell in (elman, gru, lstm)}


def by_name(name: str) -> Cell:
    """The cell of this name. Raises ConfigError for an unknown one."""
    if name not in CELLS:
        raise ConfigError(
            "cell.unknown",
            "unknown cell",
            saw=repr(name),
            fix=f"choose one of: {', '.join(CELLS)}.",
        )
    return CELLS[name]


def for_parameters(parameters: Any) -> Cell:
    """The cell of these parameters of a layer."""
    return next(cell for cell in CELLS.values() if isinstance(parameters, cell.PARAMETERS))
