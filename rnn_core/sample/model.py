"""What names can be drawn from: a network, a mixture, whatever goes on one character at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.nn import network

ModelState: TypeAlias = Any
"""Nested tuples of arrays, (B, ...) each: what a model keeps of B names. Every array is its own memory."""


class Model(NamedTuple):
    """The face that sampling knows.

    dtype:          of the workspace that `step` needs.
    initial_state:  of so many names, from which nothing was read.
    step:           one character further: from what each of B names reads, (B,), and their state, which it
                    takes along in place, to logits, (V, B): the log-probability of every character that may
                    come next, up to a constant for each name. They are its caller's until the next step
                    with the same workspace. The first character that a name reads is the end token.
    double:         the same in double precision; None if it is that itself.
    """

    vocabulary_size: int
    dtype: np.dtype[Any]
    initial_state: Callable[[int], ModelState]
    step: Callable[[Integers, ModelState, Workspace], Floats]
    double: "Model | None" = None


def network_model(parameters: network.NetworkParameters) -> Model:
    # One row per character: then what is done for each character is done for all names at once.
    W_yh, b_y = np.ascontiguousarray(parameters.W_hy.T), parameters.b_y[:, np.newaxis]

    def step(tokens: Integers, state: ModelState, workspace: Workspace) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):  # who draws looks at the numbers
            shown = network.step(parameters, tokens, state, workspace)
            logits = workspace.take("logits", len(W_yh), len(tokens))
            np.dot(W_yh, shown.T, out=logits)
            logits += b_y
        return logits

    return Model(
        parameters.vocabulary_size,
        parameters.dtype,
        lambda count: network.initial_state(parameters, count),
        step,
        double=None if parameters.dtype == np.float64 else network_model(network.to_float64(parameters)),
    )
