"""The log-probabilities of names whatever their style.

P(name) = sum over the styles s of share_s P(name | s)
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rnn_core.text.names import EncodedNames

Scorer = Callable[[EncodedNames], npt.NDArray[np.float64]]
"""(N,) the log-probability of each name in its style."""


def marginal_log_probabilities(
    score: Scorer, names: EncodedNames, shares: Sequence[float], vocabulary_size: int
) -> npt.NDArray[np.float64]:
    """(N,) the log-probability of each name in nats, whatever its style; by the shares of the styles."""
    total = np.full(names.count, -np.inf)
    for style, share in enumerate(shares):
        if share:
            scored = score(names.with_styles(style, vocabulary_size))
            np.logaddexp(total, scored + np.log(share), out=total)
    return total
