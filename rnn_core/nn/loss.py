"""Softmax and cross-entropy over all rows of a batch at once.

    log_probability_e = logits[row_e, token_e] - log sum_v exp logits[row_e, v]
    loss = - sum_e count_e log_probability_e / sum_e count_e,   in nats per character

over the characters e that came next; in a packed batch every row has one of them, with a count of 1.

Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 6.2.2.3.
"""

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching.batch import Targets

SMALLEST_SUM = 1e-30  # a sum of exponentials below it has lost digits, or is zero


def cross_entropy(logits: Floats, wanted: Targets, workspace: Workspace) -> tuple[float, Floats]:
    """The mean loss in nats per character, and its gradient d_logits, (N, V), which lies in the workspace.

    logits:  (N, V) unnormalised log-probabilities. They may be shifted by a constant per row.
    """
    exponentials, sums = _exponentials(logits, workspace)
    places = _places(logits, wanted)
    share = 1.0 / wanted.total
    log_likelihood = wanted.counts @ logits.reshape(-1)[places] - wanted.of_row @ np.log(sums)
    d_logits = exponentials
    d_logits *= (wanted.of_row / sums * share)[:, np.newaxis]
    d_logits.reshape(-1)[places] -= np.multiply(wanted.counts, share, dtype=logits.dtype)
    return -share * float(log_likelihood), d_logits


def target_log_probabilities(logits: Floats, wanted: Targets, workspace: Workspace) -> Floats:
    """(E,) the log-probability of each wanted character in nats. Shapes as in `cross_entropy`."""
    _, sums = _exponentials(logits, workspace)
    return _of_wanted(logits, sums, wanted, _places(logits, wanted))


def _places(logits: Floats, wanted: Targets) -> Integers:
    """(E,) where each wanted character lies in the flat logits: quicker than a pair of indices."""
    places: Integers = wanted.rows * logits.shape[1] + wanted.tokens
    return places


def _of_wanted(logits: Floats, sums: Floats, wanted: Targets, places: Integers) -> Floats:
    log_probabilities: Floats = logits.reshape(-1)[places]
    log_probabilities -= np.log(sums)[wanted.rows]
    return log_probabilities


def _exponentials(logits: Floats, workspace: Workspace) -> tuple[Floats, Floats]:
    """exp(logits), (N, V), and its sum over each row, (N,).

    The largest logit of a row is subtracted only where sums overflow or vanish, which in a sound model they
    do not: looking for it costs as much as the exponential itself. If it was, `logits` is shifted too.
    """
    exponentials = workspace.take("exponentials", *logits.shape)
    ones = workspace.ones(logits.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        np.exp(logits, out=exponentials)
        sums = exponentials @ ones
        if not (sums.min() > SMALLEST_SUM and sums.max() < np.inf):
            logits -= logits.max(axis=1, keepdims=True)
            np.exp(logits, out=exponentials)
            sums = exponentials @ ones
    return exponentials, sums
