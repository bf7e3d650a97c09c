"""PyTorch's own recurrent layers, on padded and on packed batches, with its fused Adam.

The model is ours to the last parameter: inputs are one-hot rows (looked up, not multiplied), and of the two
biases that PyTorch adds together only one learns.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import PackedSequence

from benchmarks.start import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Start

LAYERS = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
GATES = {"elman": [0], "gru": [0, 1, 2], "lstm": [1, 2, 3, 0]}  # ours, in PyTorch's order


class PyTorch:
    def __init__(self, start: Start, packed: bool) -> None:
        self._start = start
        self._packed = packed
        hidden_size, vocabulary_size = start.parameters.W_hy.shape
        self.layer = LAYERS[start.cell](vocabulary_size, hidden_size)
        self.output = nn.Linear(hidden_size, vocabulary_size)
        self._one_hot = torch.eye(vocabulary_size)
        self._load(start)
        weights = [w for w in (*self.layer.parameters(), *self.output.parameters()) if w.requires_grad]
        self._optimizer = torch.optim.Adam(
            weights, lr=LEARNING_RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True
        )

    def step(self, batch: int) -> float:
        if self._packed:
            hidden, targets = self.packed_states(self._start, batch)
        else:
            tokens, targets = map(torch.from_numpy, self._start.padded(batch))
            hidden = self.layer(self._one_hot[tokens])[0].flatten(0, 1)
        loss = cross_entropy(self.output(hidden), targets.flatten(), ignore_index=-1)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        return loss.item()

    def packed_states(self, start: Start, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The hidden states of a batch of these names, none of them padded, and the targets."""
        read, targets = start.padded(batch)
        inside = targets >= 0  # row by row this is time step by time step
        widths = torch.from_numpy(inside.sum(axis=1))
        hidden = self.layer(PackedSequence(self._one_hot[torch.from_numpy(read[inside])], widths))[0].data
        return hidden, torch.from_numpy(targets[inside])

    def _load(self, start: Start) -> None:
        (cell,), W_hy, b_y = start.parameters
        layer = self.layer
        with torch.no_grad():
            layer.weight_ih_l0.copy_(_stacked(cell.W_xh, start.cell).T)
            layer.weight_hh_l0.copy_(_stacked(cell.W_hh, start.cell).T)
            layer.bias_ih_l0.copy_(_stacked(cell.b_h[..., np.newaxis, :], start.cell)[0])
            layer.bias_hh_l0.zero_()
            self.output.weight.copy_(torch.from_numpy(W_hy.T))
            self.output.bias.copy_(torch.from_numpy(b_y))
        if start.cell == "gru":  # c_h learns, the others of its kind do not
            learns = torch.zeros_like(layer.bias_hh_l0)
            learns[-len(W_hy) :] = 1.0
            layer.bias_hh_l0.register_hook(lambda gradient: gradient * learns)
        else:
            layer.bias_hh_l0.requires_grad_(False)


def _stacked(matrices: Any, cell: str) -> torch.Tensor:
    """One matrix per gate side by side, in PyTorch's order of the gates."""
    gates = np.atleast_3d(matrices) if matrices.ndim == 3 else matrices[np.newaxis]
    return torch.from_numpy(np.concatenate([gates[gate] for gate in GATES[cell]], axis=1))
