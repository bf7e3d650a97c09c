"""The log-probabilities of names under any model that can be sampled, step by step.

Networks and mixtures have quicker ways (`rnn_core.metrics.scoring`, `rnn_core.ngram.mixture`); a blend of
styles has this one alone.
"""

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Workspace
from rnn_core.batching.ordering import length_sorted_chunks
from rnn_core.sample.model import Model
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN

# Of the names that advance together, which bounds the memory: their characters, and their log-probabilities.
ROWS_AT_ONCE, ELEMENTS_AT_ONCE = 1 << 14, 1 << 22


def log_probabilities(model: Model, names: EncodedNames) -> npt.NDArray[np.float64]:
    """(N,) the log-probability of each name in nats, the end token included.

    model:  of one style or blend: with a single start token.
    """
    result = np.zeros(names.count)
    workspace = Workspace(model.dtype)
    at_once = min(ROWS_AT_ONCE, max(1, ELEMENTS_AT_ONCE // model.vocabulary_size))
    for rows in length_sorted_chunks(names.lengths + 1, at_once):
        result[rows] = _of_chunk(model, names.take(rows), workspace)
    return result


def _of_chunk(model: Model, names: EncodedNames, workspace: Workspace) -> npt.NDArray[np.float64]:
    (start,) = model.starts
    lengths, slots = names.lengths, np.arange(names.count)
    total, state = np.zeros(names.count), model.initial_state(names.count)
    read = np.full(names.count, start)
    for place in range(int(lengths.max()) + 1):
        logits = model.step(read, state, workspace).astype(np.float64)
        running, within = lengths >= place, lengths > place
        targets = np.full(names.count, END_TOKEN)
        targets[within] = names.tokens[names.offsets[:-1][within] + place]
        log_p = logits[targets, slots] - np.logaddexp.reduce(logits, axis=0)
        total[running] += log_p[running]
        read = np.where(within, targets, start)  # what an ended name reads does not count
    return total
