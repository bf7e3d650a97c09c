"""The network: layers of a cell and an output layer, the probability of every next character.

    h_t = cell(token_t, h_{t-1}), and with more layers each reads the h_t of the layer below
    P(token_{t+1} | token_0 ... token_t) = softmax(h_t W_hy + b_y)

A name begins with the end token as its first input and a hidden state of zero, and ends with the end token
as its last target. So the end token is read before the first character and nowhere else: its row of W_xh is
the learned initial state.

Names may have a *style*, the list that they are from. Then a name begins with the start token of its style,
number V + s, in the place of that end token: W_xh of the first layer has a row for each, and the network
never predicts one.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching.batch import Batch
from rnn_core.nn import cells, loss
from rnn_core.nn.cells.base import Backprop, Cell, CellState
from rnn_core.nn.cells.inputs import CharacterInputs, HiddenInputs, Inputs
from rnn_core.nn.dropout import NO_DROPOUT, DropoutMasks
from rnn_core.state_dict import Layouts, invalid_arrays
from rnn_core.text.styles import MOST_STYLES
from rnn_core.tree import tree_map

_invalid = partial(invalid_arrays, "model", "train it again")

PADDING_LOGIT = -1e4  # of a token that pads the vocabulary; its exponential is zero
VOCABULARY_MULTIPLE = 16  # then the rows of every product are whole vector registers


class NetworkParameters(NamedTuple):
    """The parameters of a network; a gradient is one as well, with the same fields and shapes."""

    layers: tuple[Any, ...]  # the Parameters of one of rnn_core.nn.cells each; the first reads the characters
    W_hy: Floats  # (H, V) hidden to output
    b_y: Floats  # (V,)

    @property
    def cell(self) -> Cell:
        """The cell of all layers."""
        return cells.for_parameters(self.layers[0])

    @property
    def hidden_size(self) -> int:
        """H, the units of a layer."""
        return int(self.W_hy.shape[0])

    @property
    def vocabulary_size(self) -> int:
        """V, the number of tokens."""
        return int(self.W_hy.shape[1])

    @property
    def style_count(self) -> int:
        """S, how many start tokens there are; of a network whose vocabulary is not padded."""
        return int(self.layers[0].W_xh.shape[-2]) - self.vocabulary_size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every array."""
        return self.W_hy.dtype


def init(
    rng: np.random.Generator,
    cell: str,
    vocabulary_size: int,
    hidden_size: int,
    dtype: npt.DTypeLike,
    layers: int = 1,
    style_count: int = 0,
) -> NetworkParameters:
    """Random parameters to start from. W_hy is zero, so that all characters are equally probable."""
    module = cells.by_name(cell)
    stack = [module.init(rng, vocabulary_size + style_count, hidden_size)]
    for _ in range(layers - 1):
        layer = module.init(rng, hidden_size, hidden_size)
        stack.append(
            layer._replace(W_xh=layer.W_xh / math.sqrt(hidden_size))
        )  # it sums H values, not one row
    parameters = NetworkParameters(
        tuple(stack), np.zeros((hidden_size, vocabulary_size)), np.zeros(vocabulary_size)
    )
    return tree_map(lambda leaf: leaf.astype(dtype), parameters)


def loss_and_gradient(
    parameters: NetworkParameters,
    batch: Batch,
    workspace: Workspace | None = None,
    masks: Sequence[DropoutMasks] = (),
    out: NetworkParameters | None = None,
) -> tuple[float, NetworkParameters]:
    """Mean loss in nats per character of the batch, and its gradient.

    masks:  one for each layer, or none to drop nothing.
    out:    arrays for the gradient; new ones without.
    """
    workspace = workspace or Workspace(parameters.dtype)
    gradient = out or tree_map(np.empty_like, parameters)
    hidden, backprop = _forward(parameters, batch, workspace, masks)

    nats, d_logits = loss.cross_entropy(_logits(parameters, hidden, workspace), batch.targets, workspace)

    np.matmul(hidden.T, d_logits, out=gradient.W_hy)
    # A product with ones is many times faster than a sum over the first axis.
    np.matmul(workspace.ones(len(hidden)), d_logits, out=gradient.b_y)
    d_hidden = workspace.take("d_h", *hidden.shape)
    np.matmul(d_logits, parameters.W_hy.T, out=d_hidden)
    backprop(d_hidden, gradient.layers)
    return nats, gradient


def target_log_probabilities(parameters: NetworkParameters, batch: Batch, workspace: Workspace) -> Floats:
    """(E,) the log-probability, in nats, of each of `batch.targets`."""
    return loss.target_log_probabilities(logits(parameters, batch, workspace), batch.targets, workspace)


def logits(parameters: NetworkParameters, batch: Batch, workspace: Workspace) -> Floats:
    """(N, V) unnormalized log-probabilities of what comes next, which lie in the workspace."""
    h, _ = _forward(parameters, batch, workspace, masks=())
    return _logits(parameters, h, workspace)


def initial_state(parameters: NetworkParameters, count: int) -> tuple[CellState, ...]:
    """The states of each layer before the first character of `count` names."""
    return tuple(parameters.cell.initial_state(layer, count) for layer in parameters.layers)


def step(
    parameters: NetworkParameters, tokens: Integers, states: tuple[CellState, ...], workspace: Workspace
) -> Floats:
    """Advances the states of B names by one character, tokens (B,), in place.

    Returns the hidden states of the last layer, (B, H), a part of its state.
    """
    inputs: Inputs = CharacterInputs(tokens, workspace)
    for number, (layer, state) in enumerate(zip(parameters.layers, states, strict=True)):
        own = workspace.child(number)
        x = own.take("x", *layer.W_xh.shape[:-2], len(tokens), parameters.hidden_size)
        inputs.project(layer.W_xh, layer.b_h, out=x)
        parameters.cell.step(layer, x, state, own)
        inputs = HiddenInputs(state[0], own)
    return states[-1][0]


def _forward(
    parameters: NetworkParameters, batch: Batch, workspace: Workspace, masks: Sequence[DropoutMasks]
) -> tuple[Floats, Backprop[tuple[Any, ...]]]:
    """The hidden states of the last layer, (N, H), and the backward pass through all layers."""
    inputs: list[Inputs] = [CharacterInputs(batch.tokens, workspace)]
    layer_backprops = []
    for number, layer in enumerate(parameters.layers):
        own = workspace.child(number)
        layer_masks = masks[number] if masks else NO_DROPOUT
        hidden, layer_backprop = _layer_forward(
            parameters.cell, layer, inputs[number], batch, own, layer_masks
        )
        inputs.append(HiddenInputs(hidden, own))
        layer_backprops.append(layer_backprop)

    def backprop(d_hidden: Floats, gradients: tuple[Any, ...]) -> None:
        for number in reversed(range(len(gradients))):
            layer_backprops[number](d_hidden, gradients[number])
            d_hidden = inputs[number].d_below

    return hidden, backprop


def _layer_forward(
    cell: Cell, layer: Any, inputs: Inputs, batch: Batch, workspace: Workspace, masks: DropoutMasks
) -> tuple[Floats, Backprop[Any]]:
    """The hidden states of one layer, (N, H), after dropout, and the backward pass."""
    if masks.recurrent is not None:
        layer = layer._replace(W_hh=layer.W_hh * masks.recurrent)
    hidden, cell_backprop = cell.forward(layer, inputs, batch, workspace)
    if masks.output is not None:
        hidden = np.multiply(hidden, masks.output, out=workspace.take("hidden", *hidden.shape))

    def backprop(d_hidden: Floats, gradient: Any) -> None:
        if masks.output is not None:
            d_hidden *= masks.output
        cell_backprop(d_hidden, gradient)
        if masks.recurrent is not None:
            gradient.W_hh[...] *= masks.recurrent

    return hidden, backprop


def _logits(parameters: NetworkParameters, h: Floats, workspace: Workspace) -> Floats:
    logits = workspace.take("logits", len(h), parameters.vocabulary_size)
    np.matmul(h, parameters.W_hy, out=logits)
    logits += parameters.b_y
    return logits


def pad_vocabulary(parameters: NetworkParameters) -> NetworkParameters:
    """The same network with a vocabulary of a multiple of 16 tokens; the added ones have probability 0.

    They get no gradient, so training keeps them as they are. Tokens keep their numbers, start tokens too: in
    the padded network they are the same rows of W_xh, which has rows to a multiple of 16 as well.
    """
    vocabulary_size, inputs = (
        -(-size // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
        for size in (parameters.vocabulary_size, parameters.vocabulary_size + parameters.style_count)
    )
    wider = _resize(parameters, vocabulary_size, inputs)
    wider.b_y[parameters.vocabulary_size :] = PADDING_LOGIT
    return wider


def transfer(
    trained: NetworkParameters,
    tokens: Integers,
    fresh: NetworkParameters,
    fresh_tokens: Integers,
    styles: Sequence[tuple[int, int]] = (),
) -> NetworkParameters:
    """A trained network with another vocabulary.

    tokens:        (C,) in the trained network, of the characters that both have.
    fresh:         where the parameters of all other characters come from, and of all other styles.
    fresh_tokens:  (C,) the same characters in its vocabulary, which is that of the result.
    styles:        the numbers of a style that both have, in the trained network and in the fresh one.
    """
    W_xh, W_hy, b_y = fresh.layers[0].W_xh.copy(), fresh.W_hy.copy(), fresh.b_y.copy()
    W_xh[..., fresh_tokens, :] = trained.layers[0].W_xh[..., tokens, :]
    for style, fresh_style in styles:
        start = trained.layers[0].W_xh[..., trained.vocabulary_size + style, :]
        W_xh[..., fresh.vocabulary_size + fresh_style, :] = start
    W_hy[:, fresh_tokens] = trained.W_hy[:, tokens]
    b_y[fresh_tokens] = trained.b_y[tokens]
    first, *others = trained.layers
    return NetworkParameters((first._replace(W_xh=W_xh), *others), W_hy, b_y)


def to_float64(parameters: NetworkParameters) -> NetworkParameters:
    """The same network in float64."""
    return tree_map(lambda leaf: leaf.astype(np.float64), parameters)


def trim_vocabulary(
    parameters: NetworkParameters, vocabulary_size: int, style_count: int = 0
) -> NetworkParameters:
    """The network of the first `vocabulary_size` tokens and so many styles, in arrays of its own."""
    return _resize(parameters, vocabulary_size, vocabulary_size + style_count)


def to_arrays(parameters: NetworkParameters) -> dict[str, Floats]:
    """Copies of all parameters by name, those of a layer as `elman.0.W_hh`."""
    return {name: leaf.copy() for name, leaf in _by_name(parameters).items()}


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> NetworkParameters:
    """The parameters that `to_arrays` gave.

    Raises DataError for arrays that are not a network: names missing or unknown, inconsistent shapes, a type
    other than float32 or float64, more than one type, a value that is not finite.
    """
    cell, layers = check_layout(arrays)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise _invalid("a parameter is not a finite number", name, f"{array[~np.isfinite(array)][0]}")
    return _assemble(cell, layers, arrays)


def check_layout(arrays: Layouts) -> tuple[Cell, int]:
    """The cell, and the number of layers, of a network in arrays of these types and shapes.

    Raises DataError as `from_arrays` does, but for their values, which are not looked at.
    """
    cell, layers = _infer_layers(arrays)
    for name in ("W_hy", "b_y"):
        if name not in arrays:
            raise _invalid("missing array", name, f"names {', '.join(sorted(arrays))}")
    if arrays["W_hy"].ndim != 2 or min(arrays["W_hy"].shape) < 1 or arrays["W_hy"].shape[1] < 2:
        expected_shape = "W_hy must be hidden size by vocabulary size, which is 2 or more"
        raise _invalid(expected_shape, "W_hy", f"shape {arrays['W_hy'].shape}")
    hidden_size, vocabulary_size = arrays["W_hy"].shape
    expected = _shapes(cell, layers, hidden_size, vocabulary_size, _input_count(cell, arrays))
    if set(arrays) != set(expected):
        differing = ", ".join(sorted(set(arrays) ^ set(expected)))
        raise _invalid("missing or unknown arrays", differing, f"names {', '.join(sorted(arrays))}")
    dtype = arrays["W_hy"].dtype
    if dtype not in (np.float32, np.float64):
        raise _invalid("parameters must be float32 or float64", "W_hy", f"type {dtype}")
    for name, shape in expected.items():
        array = arrays[name]
        if array.shape != shape:
            raise _invalid(f"the shape must be {shape}", name, f"shape {array.shape}")
        if array.dtype != dtype:
            raise _invalid(f"the type must be {dtype}, as W_hy's", name, f"type {array.dtype}")
    return cell, layers


def matrices(parameters: NetworkParameters) -> list[Floats]:
    """All parameters but the biases."""
    return [leaf for name, leaf in _by_name(parameters).items() if name.rpartition(".")[2].startswith("W")]


def hidden_matrices(parameters: NetworkParameters) -> list[Floats]:
    """The matrices from units to units, (H, H), of every gate: W_hh, and W_xh from the second layer up."""
    first, *others = parameters.layers
    stacks = [first.W_hh, *(stack for layer in others for stack in (layer.W_xh, layer.W_hh))]
    return [matrix for stack in stacks for matrix in stack.reshape(-1, *stack.shape[-2:])]


def _by_name(parameters: NetworkParameters) -> dict[str, Floats]:
    layer_arrays = {
        name: leaf
        for number, layer in enumerate(parameters.layers)
        for name, leaf in zip(_fields(parameters.cell, number), layer, strict=True)
    }
    return {**layer_arrays, "W_hy": parameters.W_hy, "b_y": parameters.b_y}


def _assemble(cell: Cell, layers: int, arrays: Mapping[str, Floats]) -> NetworkParameters:
    stack = (cell.PARAMETERS(*(arrays[name] for name in _fields(cell, number))) for number in range(layers))
    return NetworkParameters(tuple(stack), arrays["W_hy"], arrays["b_y"])


def _fields(cell: Cell, layer: int) -> list[str]:
    return [f"{cell.NAME}.{layer}.{field}" for field in cell.PARAMETERS._fields]


def _shapes(
    cell: Cell, layers: int, hidden_size: int, vocabulary_size: int, inputs: int
) -> dict[str, tuple[int, ...]]:
    """inputs:  what the first layer may read: the tokens of the vocabulary, and start tokens."""
    layer_shapes = {
        f"{cell.NAME}.{number}.{field}": shape
        for number in range(layers)
        for field, shape in cell.shapes(hidden_size if number else inputs, hidden_size).items()
    }
    return {**layer_shapes, "W_hy": (hidden_size, vocabulary_size), "b_y": (vocabulary_size,)}


def _input_count(cell: Cell, arrays: Layouts) -> int:
    """What the first layer may read; a network without styles reads its vocabulary."""
    vocabulary_size: int = arrays["W_hy"].shape[1]
    W_xh = arrays.get(f"{cell.NAME}.0.W_xh")
    inputs = W_xh.shape[-2] if W_xh is not None and len(W_xh.shape) > 1 else 0
    return inputs if vocabulary_size + 1 < inputs <= vocabulary_size + MOST_STYLES else vocabulary_size


def _infer_layers(arrays: Layouts) -> tuple[Cell, int]:
    """The cell, and the number of its layers."""
    layers = {tuple(name.split(".")[:2]) for name in arrays if "." in name}
    names = {name for name, *_ in layers}
    if len(names) != 1 or not names <= set(cells.CELLS):
        known = ", ".join(cells.CELLS)
        raise _invalid(f"unknown cell; known are {known}", "", f"names {', '.join(sorted(arrays))}")
    return cells.by_name(names.pop()), len(layers)


def _resize(parameters: NetworkParameters, vocabulary_size: int, inputs: int) -> NetworkParameters:
    layers = len(parameters.layers)
    shapes = _shapes(parameters.cell, layers, parameters.hidden_size, vocabulary_size, inputs)
    result = {name: np.zeros(shape, parameters.dtype) for name, shape in shapes.items()}
    for name, leaf in _by_name(parameters).items():
        shared = tuple(map(slice, np.minimum(leaf.shape, shapes[name])))
        result[name][shared] = leaf[shared]
    return _assemble(parameters.cell, layers, result)
