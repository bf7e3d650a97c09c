"""Softmax and cross-entropy over all rows of a batch at once.

    log_probability_n = logits[n, target_n] - log sum_v exp logits[n, v]
    loss = - mean_n log_probability_n,   in nats per character

Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 6.2.2.3.
"""

import numpy as np

from rnn_core.arrays import Floats, Integers, Workspace

SMALLEST_SUM = 1e-30  # a sum of exponentials below it has lost digits, or is zero


def cross_entropy(logits: Floats, targets: Integers, workspace: Workspace) -> tuple[float, Floats]:
    """The mean loss in nats per character, and its gradient d_logits, (N, V), which lies in the workspace.

    logits:   (N, V) unnormalised log-probabilities. They may be shifted by a constant per row.
    targets:  (N,) in [0, V), the characters that came next.
    """
    every_row = np.arange(len(targets))
    exponentials, sums = _exponentials(logits, workspace)
    loss = -_mean(logits[every_row, targets] - np.log(sums))
    share = 1.0 / len(targets)
    d_logits = exponentials
    d_logits *= (share / sums)[:, np.newaxis]
    d_logits[every_row, targets] -= share
    return loss, d_logits


def target_log_probabilities(logits: Floats, targets: Integers, workspace: Workspace) -> Floats:
    """(N,) the log-probability of each target in nats. Shapes as in `cross_entropy`."""
    _, sums = _exponentials(logits, workspace)
    log_probabilities: Floats = logits[np.arange(len(targets)), targets] - np.log(sums)
    return log_probabilities


def _exponentials(logits: Floats, workspace: Workspace) -> tuple[Floats, Floats]:
    """exp(logits), (N, V), and its sum over each row, (N,).

    The largest logit of a row is subtracted only where sums overflow or vanish, which in a sound model they
    do not: looking for it costs as much as the exponential itself. If it was, `logits` is shifted too.
    """
    exponentials = workspace.take("exponentials", *logits.shape)
    ones = np.ones(logits.shape[1], logits.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        np.exp(logits, out=exponentials)
        sums = exponentials @ ones
        if not (sums.min() > SMALLEST_SUM and sums.max() < np.inf):
            logits -= logits.max(axis=1, keepdims=True)
            np.exp(logits, out=exponentials)
            sums = exponentials @ ones
    return exponentials, sums


def _mean(values: Floats) -> float:
    return float(values.sum(dtype=np.float64)) / len(values)
