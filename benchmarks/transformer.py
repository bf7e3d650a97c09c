"""A Transformer as makemore trains one: 4 layers, 4 heads, 64 units, AdamW at 5e-4, batches of 32.

Source: A. Karpathy, "makemore" (2022), its Transformer with the defaults of its command line.
"""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.quality import Split
from rnn_core.batching.batches import BatchStream
from rnn_core.text.names import EncodedNames

LAYERS, HEADS, UNITS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 4, 4, 64, 32, 5e-4, 0.01
ROWS_AT_ONCE = 512  # names, when they are scored
NO_TARGET = -1


class Transformer(nn.Module):
    """It reads up to `length` characters; P(next) of each, from those up to it."""

    def __init__(self, vocabulary_size: int, length: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(vocabulary_size, UNITS)
        self.places = nn.Parameter(torch.randn(length, UNITS) * 0.02)
        layer = nn.TransformerEncoderLayer(
            UNITS, HEADS, 4 * UNITS, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(UNITS), enable_nested_tensor=False)
        self.output = nn.Linear(UNITS, vocabulary_size)
        self.mask = nn.Transformer.generate_square_subsequent_mask(length)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        read = self.characters(tokens) + self.places
        logits: torch.Tensor = self.output(self.layers(read, self.mask, is_causal=True))
        return logits


class Makemore:
    """Its training on a split, step by step."""

    def __init__(self, split: Split, threads: int, seed: int = 0) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        self._length = int(max(part.lengths.max() for part in split[1:])) + 1
        self._read, self._targets = self._padded(split.training)
        self.model = Transformer(split.vocabulary_size, self._length)
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            betas=(0.9, 0.99),
            fused=True,
        )

    def epoch(self) -> Iterator[None]:
        """The steps of a pass over the training names."""
        for chosen in torch.randperm(len(self._read)).split(BATCH_SIZE):
            self._optimizer.zero_grad(set_to_none=True)
            self._loss(self._read[chosen], self._targets[chosen], "mean").backward()
            self._optimizer.step()
            yield

    def nats_per_character(self, part: EncodedNames) -> float:
        """The cross-entropy of names, the end token being a character."""
        read, targets = self._padded(part)
        with torch.no_grad():
            parts = zip(read.split(ROWS_AT_ONCE), targets.split(ROWS_AT_ONCE), strict=True)
            nats = sum(self._loss(*names, "sum").item() for names in parts)
        return nats / int((targets != NO_TARGET).sum())

    def _loss(self, tokens: torch.Tensor, targets: torch.Tensor, reduction: str) -> torch.Tensor:
        return cross_entropy(
            self.model(tokens).flatten(0, 1),
            targets.flatten(),
            ignore_index=NO_TARGET,
            reduction=reduction,
        )

    def _padded(self, part: EncodedNames) -> tuple[torch.Tensor, torch.Tensor]:
        """What is read, filled up with 0, and the targets, filled up with NO_TARGET: (N, length) each."""
        stream = BatchStream.from_names(part)
        read = torch.zeros(part.count, self._length, dtype=torch.long)
        targets = torch.full((part.count, self._length), NO_TARGET, dtype=torch.long)
        inside = torch.arange(self._length) < torch.from_numpy(stream.rows)[:, None]
        tokens = torch.from_numpy(stream.tokens.astype("int64"))
        read[inside], targets[inside] = tokens[:-1], tokens[1:]
        return read, targets
