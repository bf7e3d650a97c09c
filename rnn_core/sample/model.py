"""The interface of a model that can be sampled: a network, a mixture, anything that predicts step by step."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.nn import network
from rnn_core.text.vocabulary import END_TOKEN

ModelState: TypeAlias = Any
"""Nested tuples of arrays, (B, ...) each: the state of B names. No two arrays share memory."""


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
    step: Callable[[Integers, ModelState, Workspace], Floats]
    double: "Model | None" = None
    starts: tuple[int, ...] = (END_TOKEN,)
    shares: tuple[float, ...] = (1.0,)


def network_model(parameters: network.NetworkParameters) -> Model:
    """The model of a network."""
    # One row per character: what is done for each character is then done for all names at once.
    W_yh, b_y = np.ascontiguousarray(parameters.W_hy.T), parameters.b_y[:, np.newaxis]

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):  # checked by the logits processor
            hidden = network.step(parameters, tokens, state, workspace)
            logits = workspace.take("logits", len(W_yh), len(tokens))
            np.dot(W_yh, hidden.T, out=logits)
            logits += b_y
        return logits

    return Model(
        parameters.vocabulary_size,
        parameters.dtype,
        lambda count: network.initial_state(parameters, count),
        step,
        double=None if parameters.dtype == np.float64 else network_model(network.to_float64(parameters)),
    )
