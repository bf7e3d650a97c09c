"""When names end: shifts of the log-odds of an end, so that sampled names are as long as real ones.

A model that predicts real names well may still sample names of other lengths: what it has sampled so far is
not quite like a real name, and n-grams do not see how long it is. So names are sampled side by side, and
after each character the log-odds of an end are shifted until as many of them end there as of the training
names that are so long:

    mean over names of sigmoid(log-odds + shift) = share of the training names that end

A shift is at most MAX_SHIFT: more would force an end where no name has one.
"""

import numpy as np

from rnn_core.arrays import Workspace
from rnn_core.ngram.levels import Indices, Probabilities
from rnn_core.sample.model import Model
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import tree_map

SAMPLED_NAMES = 4_096
SAMPLED_ELEMENTS = 1 << 24  # of their next characters: fewer names with a very large vocabulary
FEWEST = 32  # sampled names that a shift is found from; longer names have the last one
PRIOR_NAMES = 5.0  # names that end as the model would have it, beside the training names
MAX_SHIFT = 0.7  # on the bundled lists, lengths gain nothing from 1, and names become less probable
HALVINGS = 30  # of the interval that holds a shift


def fit_shifts(model: Model, training: EncodedNames, rng: np.random.Generator) -> Probabilities:
    """(L,) the shift after 0, 1, ... characters, the last for all longer names. No name ends after 0.

    model:  without shifts.
    rng:    samples the names.
    """
    count = min(SAMPLED_NAMES, max(1, SAMPLED_ELEMENTS // model.vocabulary_size))
    lengths = np.bincount(training.lengths, training.weights)
    beyond = np.cumsum(lengths[::-1])[::-1]  # the training names that have so many characters, or more
    workspace = Workspace(model.dtype)
    tokens, state = _starts(training, count, rng), model.initial_state(count)
    shifts = [0.0]
    for length in range(len(lengths)):
        logits = model.step(tokens, state, workspace).astype(np.float64)
        odds = np.full(len(tokens), -np.inf)
        if length:
            odds = logits[END_TOKEN] - np.logaddexp.reduce(logits[END_TOKEN + 1 :])
            expected = PRIOR_NAMES * _sigmoid(odds).mean()
            shifts.append(_shift(odds, (lengths[length] + expected) / (beyond[length] + PRIOR_NAMES)))
        ended = rng.random(len(tokens)) < _sigmoid(odds + shifts[-1])
        tokens = _next_characters(logits, rng)
        rows = np.flatnonzero(~ended)
        if len(rows) < FEWEST:
            break
        tokens, state = tokens[rows], tree_map(lambda part, rows=rows: part.take(rows, axis=0), state)
    return np.array(shifts)


def _starts(training: EncodedNames, count: int, rng: np.random.Generator) -> Indices:
    """(count,) start tokens, in the shares of the training names."""
    if training.starts is None or not training.count:
        return np.full(count, END_TOKEN)
    shares = None if training.weights is None else training.weights / training.weights.sum()
    return rng.choice(training.starts.astype(np.int64), count, p=shares)


def _shift(odds: Probabilities, share: float) -> float:
    """The shift at which so many names end, within its bounds."""
    low, high = -MAX_SHIFT, MAX_SHIFT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _sigmoid(odds + middle).mean() < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


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
