"""The notebook's training, operation by operation and just as slowly: what the fast one is held against.

Column vectors, one-hot inputs, dictionaries of arrays, a matrix product for every outer product: nothing here
is to be made faster, since the order of every rounding is the point.
"""

import copy
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    iteration: int
    smoothed_loss: float
    names: list[list[int]] | None  # with their end tokens
    parameters: dict[str, np.ndarray]  # the living ones


def softmax(z):
    e = np.exp(z - np.max(z))
    return e / e.sum(axis=0)


def drawn_parameters(rng, hidden_size, vocabulary_size):
    return {
        "Wax": rng.randn(hidden_size, vocabulary_size) * 0.01,
        "Waa": rng.randn(hidden_size, hidden_size) * 0.01,
        "Wya": rng.randn(vocabulary_size, hidden_size) * 0.01,
        "ba": np.zeros((hidden_size, 1)),
        "by": np.zeros((vocabulary_size, 1)),
    }


def step_forward(parameters, a_before, x):
    Wax, Waa, Wya = parameters["Wax"], parameters["Waa"], parameters["Wya"]
    a = np.tanh(np.dot(Wax, x) + np.dot(Waa, a_before) + parameters["ba"])
    return a, softmax(np.dot(Wya, a) + parameters["by"])


def forward(parameters, inputs, targets, a_carried):
    vocabulary_size = len(parameters["by"])
    x, a, p = {}, {-1: np.copy(a_carried)}, {}
    loss = 0
    for t in range(len(inputs)):
        x[t] = np.zeros((vocabulary_size, 1))
        if inputs[t] is not None:
            x[t][inputs[t]] = 1
        a[t], p[t] = step_forward(parameters, a[t - 1], x[t])
        loss -= np.log(p[t][targets[t], 0])
    return loss, x, a, p


def step_back(parameters, gradient, d_y, x, a, a_before):
    gradient["Wya"] += np.dot(d_y, a.T)
    gradient["by"] += d_y
    d_a = np.dot(parameters["Wya"].T, d_y) + gradient["a_next"]
    d_raw = (1 - a * a) * d_a
    gradient["ba"] += d_raw
    gradient["Wax"] += np.dot(d_raw, x.T)
    gradient["Waa"] += np.dot(d_raw, a_before.T)
    gradient["a_next"] = np.dot(parameters["Waa"].T, d_raw)


def backward(parameters, targets, x, a, p):
    gradient = {name: np.zeros_like(value) for name, value in parameters.items()}
    gradient["a_next"] = np.zeros_like(a[0])
    for t in reversed(range(len(targets))):
        d_y = np.copy(p[t])
        d_y[targets[t]] -= 1
        step_back(parameters, gradient, d_y, x[t], a[t], a[t - 1])
    return gradient


def clipped(gradient, limit):
    gradient = copy.deepcopy(gradient)  # as the notebook does
    for value in gradient.values():
        np.clip(value, -limit, limit, out=value)
    return gradient


def learn(parameters, name, a_carried, learning_rate=0.01, limit=5):
    """One iteration on a name given as tokens: its loss, and the state to carry on. Moves the parameters."""
    inputs = [None, *name]
    targets = [*inputs[1:], 0]
    loss, x, a, p = forward(parameters, inputs, targets, a_carried)
    gradient = clipped(backward(parameters, targets, x, a, p), limit)
    for key in parameters:
        parameters[key] += -learning_rate * gradient[key]
    return loss, a[len(inputs) - 1]


def sampled(parameters, rng, max_length=50):
    """A name as tokens; the end token is the last unless it was cut."""
    vocabulary_size = len(parameters["by"])
    x, a = np.zeros((vocabulary_size, 1)), np.zeros_like(parameters["ba"])
    tokens = []
    while len(tokens) < max_length and tokens[-1:] != [0]:
        a, p = step_forward(parameters, a, x)
        tokens.append(int(rng.choice(list(range(vocabulary_size)), p=p.ravel())))
        x = np.zeros((vocabulary_size, 1))
        x[tokens[-1]] = 1
    return tokens


def train(
    names,
    vocabulary_size,
    iterations,
    hidden_size=50,
    seed=42,
    limit=5,
    *,
    report_every=2000,
    report_names=10,
):
    """Yields a Step after every iteration; `names` are lists of tokens, not shuffled yet."""
    rng = np.random.RandomState(seed)
    parameters = drawn_parameters(rng, hidden_size, vocabulary_size)
    names = list(names)
    rng.shuffle(names)
    smoothed_loss = -np.log(1.0 / vocabulary_size) * 10
    a = np.zeros((hidden_size, 1))
    for iteration in range(iterations):
        loss, a = learn(parameters, names[iteration % len(names)], a, limit=limit)
        smoothed_loss = smoothed_loss * 0.999 + loss * 0.001
        drawn = None
        if iteration % report_every == 0:
            drawn = [sampled(parameters, rng) for _ in range(report_names)]
        yield Step(iteration, smoothed_loss, drawn, parameters)
