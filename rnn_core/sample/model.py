"""The interface of a model that can be sampled: networks, a mixture, anything that predicts step by step."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.nn import ensemble, network
from rnn_core.nn.ensemble import Ensemble, Networks
from rnn_core.nn.network import NetworkParameters
from rnn_core.text.vocabulary import END_TOKEN

ModelState: TypeAlias = Any
"""Nested tuples of arrays, (B, ...) each: the state of B names. No two arrays share memory."""

Step: TypeAlias = Callable[[Integers, ModelState, Workspace], Floats]


class Model(NamedTuple):
    """A model that can be sampled.

    dtype:          of the workspace that `step` needs.
    initial_state:  the state of so many names before their first character.
    step:           one character further: from the tokens that B names read, (B,), and their state, which is
                    advanced in place, to logits, (V, B): the log-probability of every next character, up to
                    a constant for each name. They are valid until the next step with the same workspace. The
                    first token that a name reads is one of `starts`.
    double:         the same model in double precision; None if this is it.
    starts:         (S,) the start token of each style that names may have; the end token without styles.
    shares:         (S,) how probable each is, relative to the others.
    """

    vocabulary_size: int
    dtype: np.dtype[Any]
    initial_state: Callable[[int], ModelState]
    step: Step
    double: "Model | None" = None
    starts: tuple[int, ...] = (END_TOKEN,)
    shares: tuple[float, ...] = (1.0,)


def network_model(networks: Networks) -> Model:
    """The model of a network, or of an ensemble: its members read each character, and are averaged."""
    step = _average_step(networks) if isinstance(networks, Ensemble) else _network_step(networks)
    members = ensemble.members_of(networks)

    def initial_state(count: int) -> ModelState:
        states = tuple(network.initial_state(member, count) for member in members)
        return states if len(states) > 1 else states[0]

    is_double = networks.dtype == np.float64
    double = None if is_double else network_model(ensemble.to_float64(networks))
    return Model(networks.vocabulary_size, networks.dtype, initial_state, step, double)


def _network_step(parameters: NetworkParameters) -> Step:
    # One row per character: what is done for each character is then done for all names at once.
    W_yh, b_y = np.ascontiguousarray(parameters.W_hy.T), parameters.b_y[:, np.newaxis]

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):  # checked by the logits processor
            hidden = network.step(parameters, tokens, state, workspace)
            logits = workspace.take("logits", len(W_yh), len(tokens))
            np.dot(W_yh, hidden.T, out=logits)
            logits += b_y
        return logits

    return step


def _average_step(networks: Ensemble) -> Step:
    steps = [_network_step(member) for member in networks.members]

    def step(tokens: Integers, states: ModelState, workspace: Workspace) -> Floats:
        total = np.zeros((networks.vocabulary_size, len(tokens)))
        for member_step, state in zip(steps, states, strict=True):
            total += softmax(member_step(tokens, state, workspace))
        with np.errstate(divide="ignore"):  # what is impossible for all of them
            return np.log(total, out=total)

    return step


def softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """The softmax over the first axis, in double precision."""
    with np.errstate(invalid="ignore"):  # checked by the logits processor
        weights: npt.NDArray[np.float64] = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    weights /= weights.sum(axis=0)
    return weights
