"""New names, drawn character by character.

    P(token_{t+1} = v) ~ P(v | token_0 ... token_t) ^ (1 / temperature)

Names are drawn in blocks of a fixed number of names. A block depends on the model, the settings, the seed
and its own number, and on nothing else: name number i is the same name however many are asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core import network
from rnn_core.arrays import Floats, Integers
from rnn_core.errors import TrainingError
from rnn_core.names import EncodedNames
from rnn_core.ranges import check_at_least_0, check_choice, check_whole
from rnn_core.tree import tree_map
from rnn_core.vocabulary import END_TOKEN

Drawn = tuple[EncodedNames, npt.NDArray[np.float64]]  # names, and the log-probability of each

BLOCK = 2_048  # names; their hidden states stay in the cache, and a thousand names still come in a moment


State: TypeAlias = Any
"""Nested tuples of arrays, (B, ...) each: what a model keeps of B names."""


class Model(NamedTuple):
    """What names can be drawn from.

    initial_state:  of so many names, from which nothing was read.
    step:           one character further: what each of B names reads, (B,), and their state, to the
                    log-probability of every character that may come next, (B, V), and the next state. The
                    first character that a name reads is the end token.
    """

    vocabulary_size: int
    initial_state: Callable[[int], State]
    step: Callable[[Integers, State], tuple[Floats, State]]


def network_model(parameters: network.Parameters) -> Model:
    wide = network.padded(parameters)

    def step(tokens: Integers, state: State) -> tuple[Floats, State]:
        logits, state = network.step(wide, tokens, state)
        return _log_softmax(logits[:, : parameters.vocabulary_size]), state

    return Model(parameters.vocabulary_size, lambda count: network.initial_state(wide, count), step)


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """What names to draw.

    model:             `network`, or `mixture` of network and n-grams, which needs validation names.
    count:             how many.
    temperature:       below 1 nearer to what is most probable, above 1 more adventurous; 0 takes the most
                       probable character every time, so all names are one.
    max_length:        a name ends there if it has not before.
    capitalise_first:  the first letter of the decoded name as a capital (see `capitalised`).
    """

    model: Literal["network", "mixture"] = "network"
    count: int = 1000
    temperature: float = 1.0
    max_length: int = 50
    seed: int = 0
    capitalise_first: bool = False

    def __post_init__(self) -> None:
        check_choice("sampling.model", self.model, ("network", "mixture"))
        check_whole("sampling.count", self.count, 0, 1 << 40)
        check_at_least_0("sampling.temperature", self.temperature)
        check_whole("sampling.max_length", self.max_length, 1, 10_000)
        check_whole("sampling.seed", self.seed, 0, (1 << 64) - 1)


def sample(model: Model, config: SamplingConfig) -> Drawn:
    """The names, and the log-probability of each under the model, (N,), in nats.

    No name is empty. The log-probabilities are those of scoring: at temperature 1, the end token included,
    whatever the temperature and the length at which a name was cut.

    Raises TrainingError if the model's probabilities are not finite numbers.
    """
    return joined(blocks(model, config))


def blocks(model: Model, config: SamplingConfig) -> Iterator[Drawn]:
    """The same, block after block."""
    for number in range(-(-config.count // BLOCK)):
        yield _block(model, config, number, size=min(BLOCK, config.count - number * BLOCK))


def joined(drawn: Iterable[Drawn]) -> Drawn:
    parts = list(drawn)
    lengths = np.concatenate([np.zeros(0, np.int64), *(names.lengths for names, _ in parts)])
    tokens = np.concatenate([np.zeros(0, np.int32), *(names.tokens for names, _ in parts)])
    names = EncodedNames(tokens, np.concatenate([[0], np.cumsum(lengths)]))
    return names, np.concatenate([np.zeros(0), *(log_probabilities for _, log_probabilities in parts)])


def capitalised(name: str) -> str:
    """The notebook's way with a first letter: a capital, and the rest as it is."""
    return name[:1].upper() + name[1:]


def _block(model: Model, config: SamplingConfig, number: int, size: int) -> Drawn:
    """The first `size` names of a block. The whole block is drawn all the same: rounding in a product may
    depend on how many rows it has."""
    rng = np.random.Generator(np.random.Philox(key=np.array([config.seed, number], dtype=np.uint64)))
    characters = np.zeros((BLOCK, config.max_length), dtype=np.int32)
    lengths = np.zeros(BLOCK, dtype=np.int64)
    log_probabilities = np.zeros(BLOCK)
    running = np.arange(BLOCK)  # the names that have not ended
    tokens = np.full(BLOCK, END_TOKEN)
    state = model.initial_state(BLOCK)
    for position in range(config.max_length + 1):
        log_p, state = model.step(tokens, state)
        chances = rng.random(BLOCK)[running]  # one for every name at every position, needed or not
        if position < config.max_length:
            tokens = _drawn(log_p, chances, config.temperature, may_end=position > 0)
        else:
            tokens = np.full(len(running), END_TOKEN)
        log_probabilities[running] += log_p[np.arange(len(running)), tokens]
        goes_on = tokens != END_TOKEN
        running, tokens = running[goes_on], tokens[goes_on]
        if not len(running):
            break
        characters[running, position] = tokens
        lengths[running] = position + 1
        state = _rows(state, goes_on)
    lengths = lengths[:size]
    written = np.arange(config.max_length) < lengths[:, np.newaxis]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return EncodedNames(characters[:size][written], offsets), log_probabilities[:size]


def _rows(state: State, chosen: npt.NDArray[np.bool_]) -> State:
    return tree_map(lambda part: part[chosen], state)


def _drawn(
    log_p: Floats, chances: npt.NDArray[np.float64], temperature: float, may_end: bool
) -> npt.NDArray[np.int64]:
    """One token per row: the first whose cumulative probability passes the row's chance, in [0, 1)."""
    scores = log_p.astype(np.float64)
    if not may_end:
        scores[:, END_TOKEN] = -np.inf
    if temperature == 0:
        return np.asarray(scores.argmax(axis=1))
    scores -= scores.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # minus infinity is right: its exponential is 0
        scores /= temperature
    cumulative = np.exp(scores, out=scores).cumsum(axis=1)
    passed = cumulative > (chances * cumulative[:, -1])[:, np.newaxis]
    return np.asarray(passed.argmax(axis=1))


def _log_softmax(logits: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        logits -= logits.max(axis=1, keepdims=True)
    sums = np.exp(logits).sum(axis=1, keepdims=True)
    if not np.isfinite(sums).all():
        raise TrainingError(
            "sampling.not_finite",
            "the model gives probabilities that are not finite numbers",
            saw="a logit that overflowed or is not a number",
            fix="train the model again; a lower learning rate may be what it needs.",
        )
    logits -= np.log(sums)
    return logits
