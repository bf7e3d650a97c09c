"""A cell with an output layer: the probability of every next character.

    h_t = cell(token_t, h_{t-1})
    P(token_{t+1} | token_0 ... token_t) = softmax(h_t W_hy + b_y)

A name begins with the end token as its first input and a hidden state of zero, and ends with the end token
as its last target.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core import cells, loss
from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching import Batch
from rnn_core.cells.face import Cell, State
from rnn_core.dropout import NOTHING, Masks
from rnn_core.errors import DataError
from rnn_core.tree import tree_map

NEVER = -1e4  # the logit of a token that is not there; exp of it is zero
MULTIPLE = 16  # a vocabulary of such a size keeps every product's rows whole vectors


class Parameters(NamedTuple):
    """A gradient is a `Parameters` as well: same fields, same shapes."""

    cell: Any  # the Parameters of one of rnn_core.cells
    W_hy: Floats  # (H, V) hidden to output
    b_y: Floats  # (V,)

    @property
    def hidden_size(self) -> int:
        return int(self.W_hy.shape[0])

    @property
    def vocabulary_size(self) -> int:
        return int(self.W_hy.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.W_hy.dtype


def init(
    rng: np.random.Generator, cell: str, vocabulary_size: int, hidden_size: int, dtype: npt.DTypeLike
) -> Parameters:
    """Random parameters to start from. W_hy is zero, so that an untrained network favours nothing."""
    parameters = Parameters(
        cell=cells.by_name(cell).init(rng, vocabulary_size, hidden_size),
        W_hy=np.zeros((hidden_size, vocabulary_size)),
        b_y=np.zeros(vocabulary_size),
    )
    return tree_map(lambda leaf: leaf.astype(dtype), parameters)


def loss_and_gradient(
    parameters: Parameters,
    batch: Batch,
    workspace: Workspace | None = None,
    masks: Masks = NOTHING,
    out: Parameters | None = None,
) -> tuple[float, Parameters]:
    """Mean loss in nats per character of the batch, and its gradient.

    out:  arrays for the gradient; fresh ones without.
    """
    workspace = workspace or Workspace(parameters.dtype)
    gradient = out or tree_map(np.empty_like, parameters)
    cell = cells.of(parameters.cell)
    thinned = parameters.cell
    if masks.recurrent is not None:
        thinned = thinned._replace(W_hh=thinned.W_hh * masks.recurrent)
    h, backprop = cell.forward(thinned, batch, workspace)
    shown = h
    if masks.output is not None:
        shown = np.multiply(h, masks.output, out=workspace.take("shown", *h.shape))

    nats, d_logits = loss.cross_entropy(_logits(parameters, shown, workspace), batch.wanted, workspace)

    np.matmul(shown.T, d_logits, out=gradient.W_hy)
    # A product with ones is many times quicker than a sum over the first axis.
    np.matmul(np.ones(len(h), h.dtype), d_logits, out=gradient.b_y)
    d_h = workspace.take("d_h", *h.shape)
    np.matmul(d_logits, np.ascontiguousarray(parameters.W_hy.T), out=d_h)
    if masks.output is not None:
        d_h *= masks.output
    backprop(d_h, gradient.cell)
    if masks.recurrent is not None:
        gradient.cell.W_hh[...] *= masks.recurrent
    return nats, gradient


def initial_state(parameters: Parameters, count: int) -> State:
    """What `count` names start from."""
    return cells.of(parameters.cell).initial_state(parameters.cell, count)


def step(parameters: Parameters, tokens: Integers, state: State) -> tuple[Floats, State]:
    """One character further, for names that are drawn: tokens (B,) to logits (B, V), and the next state."""
    state = cells.of(parameters.cell).step(parameters.cell, tokens, state)
    return state[0] @ parameters.W_hy + parameters.b_y, state


def target_log_probabilities(parameters: Parameters, batch: Batch, workspace: Workspace) -> Floats:
    """(E,) the log-probability, in nats, of each of `batch.wanted`."""
    h, _ = cells.of(parameters.cell).forward(parameters.cell, batch, workspace)
    return loss.target_log_probabilities(_logits(parameters, h, workspace), batch.wanted, workspace)


def _logits(parameters: Parameters, h: Floats, workspace: Workspace) -> Floats:
    logits = workspace.take("logits", len(h), parameters.vocabulary_size)
    np.matmul(h, parameters.W_hy, out=logits)
    logits += parameters.b_y
    return logits


def padded(parameters: Parameters) -> Parameters:
    """The same network with a vocabulary of a multiple of 16 tokens; those added never come.

    They get no gradient, so training keeps them as they are.
    """
    vocabulary_size = -(-parameters.vocabulary_size // MULTIPLE) * MULTIPLE
    wider = _resized(parameters, vocabulary_size)
    wider.b_y[parameters.vocabulary_size :] = NEVER
    return wider


def unpadded(parameters: Parameters, vocabulary_size: int) -> Parameters:
    """The first `vocabulary_size` tokens of a network, in arrays of its own."""
    return _resized(parameters, vocabulary_size)


def to_arrays(parameters: Parameters) -> dict[str, Floats]:
    """Every parameter under its name, those of the cell as `elman.W_hh`; copies."""
    return {name: leaf.copy() for name, leaf in _named(parameters).items()}


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Parameters:
    """The parameters that `to_arrays` gave.

    Raises DataError for arrays that are no network: names missing or unknown, shapes that do not fit
    together, a type other than float32 or float64, more than one type, a value that is not finite.
    """
    cell = _cell_of(arrays)
    for name in ("W_hy", "b_y"):
        if name not in arrays:
            raise _refused("an array is missing", name, f"names {', '.join(sorted(arrays))}")
    if arrays["W_hy"].ndim != 2 or min(arrays["W_hy"].shape) < 1 or arrays["W_hy"].shape[1] < 2:
        wanted = "W_hy is hidden size by vocabulary size, which is 2 or more"
        raise _refused(wanted, "W_hy", f"shape {arrays['W_hy'].shape}")
    expected = _shapes(cell, *arrays["W_hy"].shape)
    if set(arrays) != set(expected):
        differing = ", ".join(sorted(set(arrays) ^ set(expected)))
        raise _refused("arrays are missing, or unknown", differing, f"names {', '.join(sorted(arrays))}")
    dtype = arrays["W_hy"].dtype
    if dtype not in (np.float32, np.float64):
        raise _refused("parameters are float32 or float64", "W_hy", f"type {dtype}")
    for name, shape in expected.items():
        array = arrays[name]
        if array.shape != shape:
            raise _refused(f"its shape should be {shape}", name, f"shape {array.shape}")
        if array.dtype != dtype:
            raise _refused(f"its type should be {dtype}, as W_hy's", name, f"type {array.dtype}")
        if not np.isfinite(array).all():
            raise _refused("a parameter is not a finite number", name, f"{array[~np.isfinite(array)][0]}")
    return _assembled(cell, arrays)


def matrices(parameters: Parameters) -> list[Floats]:
    """All but the biases."""
    return [leaf for name, leaf in _named(parameters).items() if name.rpartition(".")[2].startswith("W")]


def _named(parameters: Parameters) -> dict[str, Floats]:
    cell = cells.of(parameters.cell)
    of_cell = zip(_fields(cell), parameters.cell, strict=True)
    return {**dict(of_cell), "W_hy": parameters.W_hy, "b_y": parameters.b_y}


def _assembled(cell: Cell, arrays: Mapping[str, Floats]) -> Parameters:
    of_cell = cell.Parameters(*(arrays[name] for name in _fields(cell)))
    return Parameters(of_cell, arrays["W_hy"], arrays["b_y"])


def _fields(cell: Cell) -> list[str]:
    return [f"{cell.NAME}.{field}" for field in cell.Parameters._fields]


def _shapes(cell: Cell, hidden_size: int, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    of_cell = cell.shapes(vocabulary_size, hidden_size)
    return {
        **{f"{cell.NAME}.{field}": shape for field, shape in of_cell.items()},
        "W_hy": (hidden_size, vocabulary_size),
        "b_y": (vocabulary_size,),
    }


def _cell_of(arrays: Mapping[str, npt.NDArray[Any]]) -> Cell:
    prefixes = {name.partition(".")[0] for name in arrays if "." in name}
    if len(prefixes) != 1 or not prefixes <= set(cells.CELLS):
        known = ", ".join(cells.CELLS)
        raise _refused(f"the cell is none of: {known}", "", f"names {', '.join(sorted(arrays))}")
    return cells.by_name(prefixes.pop())


def _refused(what: str, where: str, saw: str) -> DataError:
    return DataError(
        "model.arrays",
        f"these arrays are no model: {what}",
        where=where,
        saw=saw,
        fix="train it again, or restore the file from where it was written.",
    )


def _resized(parameters: Parameters, vocabulary_size: int) -> Parameters:
    cell = cells.of(parameters.cell)
    shapes = _shapes(cell, parameters.hidden_size, vocabulary_size)
    result = {name: np.zeros(shape, parameters.dtype) for name, shape in shapes.items()}
    for name, leaf in _named(parameters).items():
        shared = tuple(map(slice, np.minimum(leaf.shape, shapes[name])))
        result[name][shared] = leaf[shared]
    return _assembled(cell, result)
