"""A PyTorch module as one writes it by hand: a loop over time, in it a linear layer on the embedding of the
character and the state side by side, and every batch padded to the longest name of the whole list. This is
how makemore trains its recurrent networks (https://github.com/karpathy/makemore)."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.start import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Start


class Looped(nn.Module):
    def __init__(self, start: Start) -> None:
        super().__init__()
        self._start = start
        (cell,), W_hy, b_y = start.parameters
        self._embedding = nn.Embedding.from_pretrained(torch.from_numpy(start.embedding.copy()), freeze=False)
        self._output = _linear(W_hy, b_y)
        self._hidden_size = len(W_hy)
        W = np.concatenate([start.W_x, cell.W_hh], axis=-2)  # (E + H, H), one per gate
        if start.cell == "gru":
            self._gates = _linear(np.concatenate(W[:2], axis=1), np.concatenate(cell.b_h[:2]))
            self._new = _linear(start.W_x[2], cell.b_h[2])
            self._recalled = _linear(cell.W_hh[2], cell.c_h)
        elif start.cell == "lstm":
            self._gates = _linear(np.concatenate(W, axis=1), np.concatenate(cell.b_h))
        else:
            self._gates = _linear(W, cell.b_h)
        self._optimizer = torch.optim.Adam(
            self.parameters(), lr=LEARNING_RATE, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        state = self.initial_state(tokens.shape[1])
        hidden = []
        for embedded in self._embedding(tokens):
            state = self._next(embedded, state)
            hidden.append(state[0])
        logits: torch.Tensor = self._output(torch.stack(hidden))
        return logits

    def initial_state(self, count: int) -> tuple[torch.Tensor, ...]:
        return (torch.zeros(count, self._hidden_size),) * (2 if self._start.cell == "lstm" else 1)

    def further(
        self, tokens: torch.Tensor, state: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """One character: tokens (B,) to logits (B, V), and the next state."""
        state = self._next(self._embedding(tokens), state)
        return self._output(state[0]), state

    def step(self, batch: int) -> float:
        tokens, targets = map(torch.from_numpy, self._start.padded(batch, self._start.longest))
        loss = cross_entropy(self(tokens).flatten(0, 1), targets.flatten(), ignore_index=-1)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        return loss.item()

    def _next(self, embedded: torch.Tensor, state: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        h = state[0]
        gates = self._gates(torch.cat([embedded, h], dim=1))
        if self._start.cell == "gru":
            r, z = torch.sigmoid(gates).chunk(2, dim=1)
            n = torch.tanh(self._new(embedded) + r * self._recalled(h))
            return (n + z * (h - n),)
        if self._start.cell == "lstm":
            o, i, f, g = gates.chunk(4, dim=1)
            c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c
        return (torch.tanh(gates),)


def _linear(W: Any, b: Any) -> nn.Linear:
    layer = nn.Linear(*W.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W.T))
        layer.bias.copy_(torch.from_numpy(b))
    return layer
