"""A network as named arrays, there and back."""

import numpy as np
import pytest

from rnn_core.errors import ConfigError, DataError
from rnn_core.nn import cells, network
from rnn_core.tree import leaves


def a_network(cell="elman", dtype=np.float32, layers=2):
    return network.init(np.random.default_rng(0), cell, 9, hidden_size=5, dtype=dtype, layers=layers)


@pytest.mark.parametrize("cell", sorted(cells.CELLS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_network_comes_back_from_its_arrays(cell, dtype, layers):
    parameters = a_network(cell, dtype, layers)
    back = network.from_arrays(network.to_arrays(parameters))
    assert back.cell is cells.by_name(cell)
    assert len(back.layers) == layers
    for ours, theirs in zip(leaves(back), leaves(parameters), strict=True):
        assert ours.tobytes() == theirs.tobytes()
        assert ours.dtype == dtype


DAMAGES = {
    "nothing": lambda arrays: arrays.clear(),
    "no output layer": lambda arrays: arrays.pop("W_hy"),
    "no output bias": lambda arrays: arrays.pop("b_y"),
    "no recurrent matrix": lambda arrays: arrays.pop("elman.0.W_hh"),
    "a layer is missing": lambda arrays: [arrays.pop(name) for name in list(arrays) if ".0." in name],
    "an unknown array": lambda arrays: arrays.update(extra=np.zeros(3)),
    "an unknown cell": lambda arrays: arrays.update({"mystery.0.W": np.zeros(3)}),
    "a transposed matrix": lambda arrays: arrays.update(W_hy=arrays["W_hy"].T),
    "another hidden size": lambda arrays: arrays.update({"elman.0.W_hh": np.zeros((6, 6), np.float32)}),
    "another vocabulary": lambda arrays: arrays.update(b_y=np.zeros(10, np.float32)),
    "a vector for a matrix": lambda arrays: arrays.update(W_hy=np.zeros(9, np.float32)),
    "nothing but the end token": lambda arrays: arrays.update(W_hy=np.zeros((5, 1), np.float32)),
    "no hidden units": lambda arrays: arrays.update(W_hy=np.zeros((0, 9), np.float32)),
    "whole numbers": lambda arrays: arrays.update({name: a.astype(int) for name, a in arrays.items()}),
    "half precision": lambda arrays: arrays.update({n: a.astype(np.float16) for n, a in arrays.items()}),
    "two precisions": lambda arrays: arrays.update(b_y=np.zeros(9)),
    "objects": lambda arrays: arrays.update(b_y=np.array([None] * 9)),
    "a nan": lambda arrays: arrays["elman.0.W_hh"].__setitem__((1, 2), np.nan),
    "an infinity": lambda arrays: arrays["b_y"].__setitem__(0, np.inf),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_arrays_that_are_not_a_network_are_refused(damage):
    arrays = network.to_arrays(a_network())
    damage(arrays)
    with pytest.raises(DataError) as caught:
        network.from_arrays(arrays)
    assert caught.value.saw


def test_a_cell_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigError) as caught:
        a_network("elmann")
    assert "elman" in caught.value.fix
