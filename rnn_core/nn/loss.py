"""Softmax and cross-entropy over all rows of a batch at once.

    log_probability_e = logits[row_e, token_e] - log sum_v exp logits[row_e, v]
    loss = - sum_e count_e log_probability_e / sum_e count_e,   in nats per character

over the targets e of a batch; in a packed batch every row but the first has one, with a count of 1.

Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 6.2.2.3.
"""

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.batching.batch import Targets

SMALLEST_SUM = 1e-30  # a sum of exponentials below it has lost digits, or is zero


def cross_entropy(logits: Floats, targets: Targets, workspace: Workspace) -> tuple[float, Floats]:
    """The mean loss in nats per character, and its gradient d_logits, (N, V), which lies in the workspace.

    logits:  (N, V) unnormalized log-probabilities. They may be shifted by a constant per row.
    """
    exponentials, sums = _exponentials(logits, workspace)
    places = _flat_places(logits, targets)
    share = 1.0 / targets.total
    log_likelihood = targets.counts @ logits.reshape(-1)[places] - targets.row_counts @ np.log(sums)
    d_logits = exponentials
    d_logits *= (targets.row_counts / sums * share)[:, np.newaxis]
    d_logits.reshape(-1)[places] -= np.multiply(targets.counts, share, dtype=logits.dtype)
    return -share * float(log_likelihood), d_logits


def target_log_probabilities(logits: Floats, targets: Targets, workspace: Workspace) -> Floats:
    """(E,) the log-probability of each target in nats. Shapes as in `cross_entropy`."""
    _, sums = _exponentials(logits, workspace)
    log_probabilities: Floats = logits.reshape(-1)[_flat_places(logits, targets)]
    log_probabilities -= np.log(sums)[targets.rows]
    return log_probabilities


def _flat_places(logits: Floats, targets: Targets) -> Integers:
    """(E,) where each target lies in the flat logits: faster than a pair of indices."""
    places: Integers = targets.rows * logits.shape[1] + targets.tokens
    return places


def _exponentials(logits: Floats, workspace: Workspace) -> tuple[Floats, Floats]:
    """exp(logits), (N, V), and its sum over each row, (N,).

    The largest logit of a row is subtracted only where sums overflow or underflow, which in a sound model
    they do not: finding it costs as much as the exponential itself. If it was, `logits` is shifted too.
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
