"""The notebook's recipe: one name at a time, plain gradient descent, one generator for all.

    a_t = tanh(Wax x_t + Waa a_{t-1} + ba)
    p_t = softmax(Wya a_t + by)

x_t is the one-hot column of the character read at step t, p_t the probabilities of the one that follows. The
loss of a name is the sum of -log p_t[y_t]; every element of its gradient is clipped to -5..5, and the
parameters move against it at a rate of 0.01: `Kernel.learn`.

Such training is chaotic: a relative change of 4e-16 in one weight changes what is sampled some thousands of
iterations later. So every rounding is the notebook's own, and its quirks are kept:

- *the carried state*: a name begins in the hidden state that the name before it ended in;
- *the zero vector first*: the first input of a name is no character at all;
- *the loss from ten characters*: the smoothed loss starts where ten characters guessed blindly would stand;
- *the capital*: a sampled name is printed with its first letter upper-cased;
- *the cut at 50*: sampling stops after 50 characters, in the middle of a word if need be.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from rnn_core.errors import DataError, TrainingError
from rnn_core.metrics.scoring import check_tokens
from rnn_core.nn import network
from rnn_core.nn.cells import elman
from rnn_core.notebook.config import NotebookConfig
from rnn_core.notebook.kernel import Kernel
from rnn_core.notebook.state import (
    Doubles,
    Indices,
    NotebookParameters,
    NotebookState,
    random_parameters,
    shuffled_indices,
)
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

PROGRESS_INTERVAL: Final = 100  # iterations between two yields at most: a hundredth of a second
OLD_LOSS_SHARE, NEW_LOSS_SHARE = 0.999, 0.001  # in the smoothed loss


class NotebookReport(NamedTuple):
    """What the notebook prints from time to time."""

    iteration: int
    smoothed_loss: float  # nats per name
    names: list[list[int]]  # sampled, as tokens; the end token is left out


class NotebookProgress(NamedTuple):
    """The progress of the training after an iteration."""

    iteration: int  # the last one done, counted from 0
    iterations: int  # how many there will be
    smoothed_loss: float  # nats per name
    report: NotebookReport | None  # if the notebook reports here
    state: NotebookState  # changes with the next iteration: call its `arrays()` before


def shuffled_order(config: NotebookConfig, vocabulary_size: int, count: int) -> Indices:
    """(count,) the notebook's order of a list of so many names: its first example is the one at order[0].

    The generator draws the parameters before it shuffles, so their sizes change the order.
    """
    rng = np.random.RandomState(config.seed)
    random_parameters(rng, config.hidden_size, vocabulary_size)
    return shuffled_indices(rng, count)


def train(
    config: NotebookConfig, vocabulary_size: int, names: EncodedNames, state: NotebookState | None = None
) -> Iterator[NotebookProgress]:
    """Trains as the notebook does; yields at every report, every hundred iterations, and after the last.

    names:  in the order of `shuffled_order`.
    state:  resumes from here, and changes it. A finished one is yielded once as it is.

    Raises DataError where there is no name to train on or a token is not in the vocabulary, TrainingError
    when a loss or a parameter is no longer finite: what was yielded before is still valid.
    """
    if names.count == 0:
        raise DataError("training.empty", "there is no name to train on", fix="use longer lists.")
    check_tokens(names, vocabulary_size)
    state = state or NotebookState.start(config, vocabulary_size, names.count)
    kernel = Kernel(config, state.parameters, state.hidden, longest=int(names.lengths.max()))
    tokens, starts, places = names.tokens.tolist(), names.offsets.tolist(), kernel.target_places(names)

    if state.iteration >= config.iterations:
        yield NotebookProgress(state.iteration - 1, config.iterations, state.smoothed_loss, None, state)
    while state.iteration < config.iterations:
        probabilities = []
        with np.errstate(all="ignore"):  # checked in the losses
            for iteration in range(state.iteration, _next_stop(config, state.iteration)):
                name = iteration % names.count
                start, stop = starts[name], starts[name + 1]
                name_places = places[start + name : stop + name + 1]
                probabilities.append(kernel.learn(tokens[start:stop], name_places))
            _smooth_losses(config, state, probabilities)
            state.parameters, state.hidden = kernel.parameters, kernel.hidden.copy()  # *the carried state*
            _check_finite(config, state)
            last, report = state.iteration - 1, None
            if last % config.report_every == 0:
                samples = [_sample(config, state) for _ in range(config.names_per_report)]
                report = NotebookReport(last, state.smoothed_loss, samples)
        yield NotebookProgress(last, config.iterations, state.smoothed_loss, report, state)


def as_network(parameters: NotebookParameters) -> network.NetworkParameters:
    """The same model in the layout of all others, which read the end token where the notebook reads nothing.

    The notebook never feeds the end token, so its row of W_xh is free: it is zero, and adds nothing.
    """
    Wax, Waa, Wya, ba, by = parameters
    W_xh = np.ascontiguousarray(Wax.T)
    W_xh[END_TOKEN] = 0.0
    cell = elman.ElmanParameters(W_xh, np.ascontiguousarray(Waa.T), ba[:, 0].copy())
    return network.NetworkParameters((cell,), np.ascontiguousarray(Wya.T), by[:, 0].copy())


def _smooth_losses(config: NotebookConfig, state: NotebookState, probabilities: list[Doubles]) -> None:
    """Counts the names learned and smooths their losses. Raises TrainingError."""
    steps = np.array([len(name) for name in probabilities])
    log_p = np.zeros((len(steps), steps.max()))
    log_p[np.arange(steps.max()) < steps[:, None]] = np.log(np.concatenate(probabilities))
    for loss in np.subtract.reduce(log_p, axis=1, initial=0.0).tolist():
        if not math.isfinite(loss):
            raise _diverged(config, state.iteration, f"loss {loss}")
        state.smoothed_loss = state.smoothed_loss * OLD_LOSS_SHARE + loss * NEW_LOSS_SHARE
        state.iteration += 1


def _check_finite(config: NotebookConfig, state: NotebookState) -> None:
    if not all(np.isfinite(parameter).all() for parameter in state.parameters):
        raise _diverged(config, state.iteration - 1, "a parameter that is not finite")


def _sample(config: NotebookConfig, state: NotebookState) -> list[int]:
    """A name as tokens without its end: *the cut at 50*, *the zero vector first*."""
    Wax, Waa, Wya, ba, by = state.parameters
    tokens: list[int] = []
    z = np.zeros(config.hidden_size)
    while len(tokens) < config.max_length:
        a = np.tanh(z + ba[:, 0])
        logits = Wya.dot(a) + by[:, 0]
        e = np.exp(logits - logits.max())
        if not math.isfinite(e.sum()):
            raise _diverged(config, state.iteration - 1, "probabilities that are not finite")
        token = int(state.rng.choice(len(e), p=e / e.sum()))
        if token == END_TOKEN:
            break
        tokens.append(token)
        z = Wax[:, token] + Waa.dot(a)
    return tokens


def _next_stop(config: NotebookConfig, done: int) -> int:
    """How many iterations will be done at the next yield."""
    report = -(-done // config.report_every) * config.report_every + 1
    progress = (done // PROGRESS_INTERVAL + 1) * PROGRESS_INTERVAL
    return min(report, progress, config.iterations)


def _diverged(config: NotebookConfig, iteration: int, saw: str) -> TrainingError:
    return TrainingError(
        "training.diverged",
        "the loss or the parameters are no longer finite numbers",
        where=f"iteration {iteration}, learning rate {config.learning_rate:.3g}",
        saw=saw,
        fix="lower learning_rate (a third of it is a good next try) or clip.",
    )
