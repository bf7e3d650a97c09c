"""When names end: shifts of the log-odds of an end, so that sampled names are as long as real ones.

A model that predicts real names well may still sample names of other lengths: what it has sampled so far is
not quite like a real name, and n-grams do not see how long it is. So names are sampled side by side, and
after each character the log-odds of an end are shifted until as many of them end there as of the training
names that are so long:

    mean over names of sigmoid(log-odds + shift) = share of the training names that end

Each style, if names have styles, has shifts of its own. A shift is at most MAX_SHIFT: more would force an end
where no name has one.
"""

import numpy as np

from rnn_core.arrays import Workspace
from rnn_core.ngram.levels import Indices, Probabilities
from rnn_core.sample.model import Model
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import tree_map

SAMPLED_NAMES = 4_096  # of each style
MOST_NAMES = 8 * SAMPLED_NAMES  # of all styles together
SAMPLED_ELEMENTS = 1 << 24  # of their next characters: fewer names with a very large vocabulary
FEWEST = 32  # sampled names of a style that a shift is found from; longer names have the last one
PRIOR_NAMES = 5.0  # names that end as the model would have it, beside the training names
MAX_SHIFT = 1.0  # larger ones make test names less probable, and lengths hardly better
MAX_LENGTH = 1_000  # characters; longer names have the last shift
HALVINGS = 30  # of the intervals that hold the shifts


def fit_shifts(
    model: Model, training: EncodedNames, style_count: int, rng: np.random.Generator
) -> Probabilities:
    """(S, L) the shift after 0, 1, ... characters for each style, the last for all longer names.

    Without styles, S is 1. No name ends after 0 characters.

    model:        without shifts.
    style_count:  that it knows; 0 for none.
    rng:          samples the names.
    """
    groups = max(1, style_count)
    most = min(MOST_NAMES, SAMPLED_ELEMENTS // model.vocabulary_size)
    styles = np.repeat(np.arange(groups), min(SAMPLED_NAMES, max(1, most // groups)))
    tokens = model.vocabulary_size + styles if style_count else np.full(len(styles), END_TOKEN)
    counts = _length_counts(training, groups, model.vocabulary_size)
    beyond = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # training names of so many characters, or more
    workspace, state = Workspace(model.dtype), model.initial_state(len(styles))
    shifts = [np.zeros(groups)]
    for length in range(counts.shape[1]):
        logits = model.step(tokens, state, workspace).astype(np.float64)
        odds = np.full(len(tokens), -np.inf)
        if length:
            odds = logits[END_TOKEN] - np.logaddexp.reduce(logits[END_TOKEN + 1 :])
            expected = PRIOR_NAMES * _mean_shares(odds, styles, groups)
            shares = (counts[:, length] + expected) / (beyond[:, length] + PRIOR_NAMES)
            is_found = np.bincount(styles, minlength=groups) >= FEWEST
            shifts.append(np.where(is_found, _shifts(odds, styles, shares), shifts[-1]))
        ended = rng.random(len(tokens)) < _sigmoid(odds + shifts[-1][styles])
        tokens = _next_characters(logits, rng)
        rows = np.flatnonzero(~ended)
        if np.bincount(styles[rows], minlength=groups).max() < FEWEST:
            break
        tokens, styles = tokens[rows], styles[rows]
        state = tree_map(lambda part, rows=rows: part.take(rows, axis=0), state)
    return np.stack(shifts, axis=1)


def _length_counts(training: EncodedNames, groups: int, vocabulary_size: int) -> Probabilities:
    """(S, L) how many training names of each style have so many characters; each counts by its weight."""
    lengths = np.minimum(training.lengths, MAX_LENGTH)
    width = int(lengths.max(initial=0)) + 1
    styles = np.zeros(training.count, np.int64)
    if training.starts is not None:
        styles += training.starts - vocabulary_size
    counts = np.bincount(styles * width + lengths, training.weights, minlength=groups * width)
    return counts.astype(np.float64).reshape(groups, width)


def _shifts(odds: Probabilities, styles: Indices, shares: Probabilities) -> Probabilities:
    """(S,) the shifts at which so many names of each style end, within their bounds."""
    low, high = (np.full(len(shares), bound) for bound in (-MAX_SHIFT, MAX_SHIFT))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_few = _mean_shares(odds + middle[styles], styles, len(shares)) < shares
        low, high = np.where(too_few, middle, low), np.where(too_few, high, middle)
    result: Probabilities = (low + high) / 2
    return result


def _mean_shares(odds: Probabilities, styles: Indices, groups: int) -> Probabilities:
    """(S,) the mean probability of an end in each style; 0 where no name is left."""
    sums = np.bincount(styles, _sigmoid(odds), minlength=groups)
    result: Probabilities = sums / np.maximum(np.bincount(styles, minlength=groups), 1)
    return result


def _next_characters(logits: Probabilities, rng: np.random.Generator) -> Indices:
    """(B,) a character for each name, not the end."""
    characters = logits[END_TOKEN + 1 :]
    weights = np.exp(characters - characters.max(axis=0)).cumsum(axis=0)
    passed = weights <= rng.random(logits.shape[1]) * weights[-1]
    tokens: Indices = END_TOKEN + 1 + passed.sum(axis=0, dtype=np.int64)
    return tokens


def _sigmoid(odds: Probabilities) -> Probabilities:
    with np.errstate(over="ignore"):  # 1 / infinity is 0
        result: Probabilities = 1.0 / (1.0 + np.exp(-odds))
    return result
