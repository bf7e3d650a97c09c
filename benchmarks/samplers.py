"""Ways to draw names from one trained model. Each gives Python strings."""

from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.jax_scan import CELLS
from benchmarks.looped import Looped
from benchmarks.notebook_loop import REFERENCE, loaded
from benchmarks.start import EMBEDDING_SIZE, Start
from rnn_core.batching.batches import BatchStream
from rnn_core.nn import network
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.model import network_model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN, Vocabulary

BATCH = 1_024  # names; so does makemore, and the other two become no quicker with more


class Trained:
    """What everybody draws from. No name is longer than the longest of the list."""

    def __init__(
        self, cell: str, parameters: network.NetworkParameters, vocabulary: Vocabulary, names: EncodedNames
    ) -> None:
        self.vocabulary = vocabulary
        self.longest = int(names.lengths.max())
        # One-hot rows as an embedding, so that a module with one has the same probabilities.
        embedding = np.eye(vocabulary.size, EMBEDDING_SIZE, dtype=np.float32)
        W_xh = parameters.layers[0].W_xh
        W_x = np.zeros((*W_xh.shape[:-2], EMBEDDING_SIZE, W_xh.shape[-1]), np.float32)
        W_x[..., : vocabulary.size, :] = W_xh
        self.start = Start(cell, names, BatchStream.from_names(names), [], parameters, embedding, W_x)

    def spelled(self, tokens: Any) -> list[str]:
        """tokens: (B, T), of which those before the first end token are the name."""
        characters = np.array(["", *self.vocabulary.characters[1:]])
        spelled = characters[tokens * np.logical_and.accumulate(tokens != END_TOKEN, axis=1)]
        names: list[str] = np.ascontiguousarray(spelled).view(f"U{tokens.shape[1]}").ravel().tolist()
        return names


class Draws(Protocol):
    def draw(self) -> list[str]:
        """The next names, as many as come at a time."""


def sampler(trained: Trained) -> Sampler:
    config = SamplingConfig(max_length=trained.longest)
    return Sampler(network_model(trained.start.parameters), trained.vocabulary, config)


class Ours:
    def __init__(self, trained: Trained) -> None:
        self._vocabulary = trained.vocabulary
        self._sampler = sampler(trained)
        self._next = 0

    def draw(self) -> list[str]:
        first, self._next = self._next, self._next + 4 * NAMES_PER_BLOCK
        samples = self._sampler.names(first, self._next)
        return [name for part in samples for name in self._vocabulary.decode(part.names)]


class Makemore:
    """As makemore draws them: for every character the whole beginning is read again, in a batch of names
    that all run to the maximal length (https://github.com/karpathy/makemore)."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self._module = Looped(trained.start)
        torch.manual_seed(0)

    @torch.no_grad()
    def draw(self) -> list[str]:
        tokens = torch.zeros(1, BATCH, dtype=torch.int64)
        for _ in range(self._trained.longest):
            probabilities = torch.softmax(self._module(tokens)[-1], dim=-1)
            tokens = torch.cat([tokens, torch.multinomial(probabilities, 1).T])
        return self._trained.spelled(tokens[1:].T.numpy())


class KeptState:
    """The same module, with the states kept from character to character, until every name has ended."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self._module = Looped(trained.start)
        torch.manual_seed(0)

    @torch.no_grad()
    def draw(self) -> list[str]:
        state = self._module.initial_state(BATCH)
        tokens, columns = torch.zeros(BATCH, dtype=torch.int64), []
        running = torch.ones(BATCH, dtype=torch.bool)
        while len(columns) < self._trained.longest and bool(running.any()):
            logits, state = self._module.further(tokens, state)
            tokens = torch.multinomial(torch.softmax(logits, dim=-1), 1)[:, 0]
            running &= tokens != 0
            columns.append(tokens)
        return self._trained.spelled(torch.stack(columns, dim=1).numpy())


class Jax:
    """One jitted scan to the maximal length, with the states kept."""

    def __init__(self, trained: Trained) -> None:
        self._trained = trained
        self._parameters = jax.tree.map(jnp.array, tuple(trained.start.parameters))
        self._key = jax.random.key(0)

    def draw(self) -> list[str]:
        self._key, key = jax.random.split(self._key)
        tokens = _scanned(self._trained.start.cell, self._trained.longest, self._parameters, key)
        return self._trained.spelled(np.asarray(tokens).T)


@partial(jax.jit, static_argnums=(0, 1))
def _scanned(cell: str, longest: int, parameters: Any, key: Any) -> Any:
    (of_cell,), W_hy, b_y = parameters
    zeros = jnp.zeros((BATCH, len(W_hy)), W_hy.dtype)

    def advance(carried: Any, key: Any) -> Any:
        state, token = carried
        state = CELLS[cell](of_cell, state, token)
        token = jax.random.categorical(key, state[0] @ W_hy + b_y)
        return (state, token), token

    start = (zeros,) * (2 if cell == "lstm" else 1), jnp.zeros(BATCH, jnp.int32)
    return jax.lax.scan(advance, start, jax.random.split(key, longest))[1]


class Notebook:
    """The notebook's own `sample`, a name at a time. It knows the Elman cell alone."""

    def __init__(self, trained: Trained) -> None:
        (cell,), W_hy, b_y = trained.start.parameters
        # It begins with no character, we with the end token: what that adds goes into the bias.
        at_the_start = cell.W_xh[END_TOKEN]
        columns = {
            "Wax": (cell.W_xh - at_the_start).T,
            "Waa": cell.W_hh.T,
            "Wya": W_hy.T,
            "ba": (cell.b_h + at_the_start)[:, np.newaxis],
            "by": b_y[:, np.newaxis],
        }
        self._parameters = {name: leaf.astype(np.float64) for name, leaf in columns.items()}
        self._sampled = loaded(REFERENCE).sampled
        self._trained = trained
        self._rng = np.random.RandomState(0)

    def draw(self) -> list[str]:
        characters = self._trained.vocabulary.characters
        names = (self._sampled(self._parameters, self._rng, self._trained.longest) for _ in range(20))
        return ["".join(characters[token] for token in name if token) for name in names]
