"""The next character: from a model's logits to weights, and from weights and a random number to one of them.

    weight(v) = P(v | before) ^ (1 / temperature),   0 for what may not come, what top-k or top-p leave out

In this order: constraints, temperature, top-k, top-p. Each goes by what the ones before it have left.

Single precision is enough for a weight: it moves a probability by less than one in a million of itself, and
the random number, a multiple of 2^-24, by less than 6e-8. What has no weight is never drawn, to the last bit:
adding 0 leaves a cumulative sum what it was, and the sum that a number falls below first is one that grew.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.errors import TrainingError
from rnn_core.sample.constraints import Constraints

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-30, 1e30  # temperatures beyond which nothing changes any more
MIN_WEIGHT_SUM = 1e-20  # a sum of weights below this has lost digits of its parts


@dataclass(frozen=True, slots=True, eq=False)
class LogitsProcessor:
    """The knobs are those of SamplingConfig; `constraints` is made of the others."""

    constraints: Constraints
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def weights(
        self, logits: Floats, tokens: Integers, places: Integers, workspace: Workspace
    ) -> tuple[Floats, Floats]:
        """(V, B) the weights of what may come next, and (B,) the logarithm of the sum of exp(logits).

        logits:          (V, B). Their difference to that logarithm is log P, before and after: a constant is
                         taken from the logits of each name.
        tokens, places:  as in `Constraints.forbid`.

        Raises TrainingError if the logits are no numbers, or leave no probability to what may come.
        """
        largest = logits.max(axis=0)
        if not np.isfinite(largest).all():
            raise _not_finite()
        logits -= largest
        weights = np.exp(logits, out=workspace.take("chosen from", *logits.shape))
        log_sums = np.log(weights.sum(axis=0))
        if self.temperature not in (0.0, 1.0):
            _scaled_exponentials(logits, self.temperature, out=weights)
        self.constraints.forbid(weights, tokens, places)
        faint = np.flatnonzero(weights.sum(axis=0) < MIN_WEIGHT_SUM)
        if len(faint):
            weights[:, faint] = self._underflow_weights(logits[:, faint], tokens[faint], places[faint])
        if self.temperature == 0:
            _keep_argmax(weights)
        elif self.top_k is not None or self.top_p < 1:
            _keep_top(weights, self.top_k or len(weights), self.top_p)
        return weights, log_sums

    def _underflow_weights(self, logits: Floats, tokens: Integers, places: Integers) -> Floats:
        """Weights from the logits of what may come alone, where all else is far more probable."""
        may_come = np.ones(logits.shape, np.float64)
        self.constraints.forbid(may_come, tokens, places)
        left = np.where(may_come > 0, logits, -np.inf)
        largest = left.max(axis=0)
        if not np.isfinite(largest).all():
            raise TrainingError(
                "sampling.impossible",
                "the model leaves no probability at all to the characters that may come next",
                saw=f"a name of {places[np.argmin(np.isfinite(largest))]} characters",
                fix="loosen the constraints.",
            )
        left -= largest
        return _scaled_exponentials(left, self.temperature or 1.0, out=left)


def sample_tokens(weights: Floats, uniforms: Floats) -> npt.NDArray[np.int64]:
    """(B,) one token for each name: the first whose cumulative weight passes the name's chance.

    weights:  (V, B); consumed. Every name has one above 0.
    uniforms:  (B,) multiples of 2^-24 in [0, 1).
    """
    # Row by row, all names at once: np.cumsum goes down the columns, and takes twenty times as long.
    for before, here in itertools.pairwise(weights):
        here += before
    passed = (weights <= uniforms * weights[-1]).view(np.uint8)
    tokens = np.empty(len(uniforms), np.int64)
    np.add.reduce(passed, axis=0, dtype=np.uint8 if len(weights) < 256 else np.int64, out=tokens)
    return tokens


def _scaled_exponentials(logits: Floats, temperature: float, out: Floats) -> Floats:
    """exp(logits / temperature), for logits up to 0."""
    with np.errstate(over="ignore"):  # minus infinity is right: its exponential is 0
        np.divide(logits, min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE), out=out)
    return np.exp(out, out=out)


def _keep_argmax(weights: Floats) -> None:
    chosen = weights.argmax(axis=0)
    weights[:] = 0.0
    weights[chosen, np.arange(len(chosen))] = 1.0


def _keep_top(weights: Floats, top_k: int, top_p: float) -> None:
    """Of equal weights those of lower tokens are kept first."""
    ranked = np.argsort(-weights.T, axis=1, kind="stable")[:, :top_k]
    kept = np.take_along_axis(weights.T, ranked, axis=1)
    up_to = kept.cumsum(axis=1)
    kept[up_to - kept >= top_p * up_to[:, -1:]] = 0.0  # those before it are as much as is asked for
    weights[:] = 0.0
    np.put_along_axis(weights.T, ranked, kept, axis=1)


def _not_finite() -> TrainingError:
    return TrainingError(
        "sampling.not_finite",
        "the model gives probabilities that are not finite numbers",
        saw="a logit that overflowed or is not a number",
        fix="train the model again; a lower learning rate may be what it needs.",
    )
