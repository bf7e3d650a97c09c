"""The logits processor: from a model's logits to the weights of the next character.

    weight(v) = P(v | before) ^ (1 / temperature),   0 for what constraints, top-k or top-p exclude

In this order: constraints, temperature, top-k, top-p, each on what the ones before it left.

Single precision is enough for a weight: it moves a probability by less than one in a million of itself, and
the random number, a multiple of 2^-24, by less than 6e-8. A character without weight is never sampled: adding
0 leaves a cumulative sum as it was, and the first sum above a number is one that grew.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats, Integers, Workspace
from rnn_core.errors import TrainingError
from rnn_core.sample.constraints import Constraints

MIN_TEMPERATURE, MAX_TEMPERATURE = 1e-30, 1e30  # temperatures beyond these change nothing
MIN_WEIGHT_SUM = 1e-20  # a smaller sum of weights has lost digits


@dataclass(frozen=True, slots=True, eq=False)
class LogitsProcessor:
    """The processor of the options of SamplingConfig, some of which are in `constraints`."""

    constraints: Constraints
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def weights(
        self, logits: Floats, tokens: Integers, lengths: Integers, workspace: Workspace
    ) -> tuple[Floats, Floats]:
        """The weights of what may come next, (V, B), and the logarithm of the sum of exp(logits), (B,).

        logits:           (V, B). Their difference to that logarithm is log P, before and after: a constant
                          is subtracted from the logits of each name.
        tokens, lengths:  as in `Constraints.apply`.

        Raises TrainingError if the logits are not finite, or give no probability to what may come.
        """
        largest = logits.max(axis=0)
        if not np.isfinite(largest).all():
            raise _not_finite()
        logits -= largest
        weights = np.exp(logits, out=workspace.take("weights", *logits.shape))
        log_sums = np.log(weights.sum(axis=0))
        if self.temperature not in (0.0, 1.0):
            _scaled_exponentials(logits, self.temperature, out=weights)
        self.constraints.apply(weights, tokens, lengths)
        underflow = np.flatnonzero(weights.sum(axis=0) < MIN_WEIGHT_SUM)
        if len(underflow):
            weights[:, underflow] = self._underflow_weights(
                logits[:, underflow], tokens[underflow], lengths[underflow]
            )
        if self.temperature == 0:
            _keep_argmax(weights)
        elif self.top_k is not None or self.top_p < 1:
            _keep_top(weights, self.top_k or len(weights), self.top_p)
        return weights, log_sums

    def _underflow_weights(self, logits: Floats, tokens: Integers, lengths: Integers) -> Floats:
        """Weights from the logits of what may come alone, where everything else is far more probable."""
        may_come = np.ones(logits.shape, np.float64)
        self.constraints.apply(may_come, tokens, lengths)
        allowed = np.where(may_come > 0, logits, -np.inf)
        largest = allowed.max(axis=0)
        if not np.isfinite(largest).all():
            raise TrainingError(
                "sampling.impossible",
                "the model gives no probability to the characters that may come next",
                saw=f"a name of {lengths[np.argmin(np.isfinite(largest))]} characters",
                fix="loosen the constraints.",
            )
        allowed -= largest
        return _scaled_exponentials(allowed, self.temperature or 1.0, out=allowed)


def sample_tokens(weights: Floats, uniforms: Floats) -> npt.NDArray[np.int64]:
    """(B,) one token for each name: the first whose cumulative weight exceeds the name's uniform number.

    weights:   (V, B); overwritten. Every name has one above 0.
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
    """exp(logits / temperature), for logits up to 0, in `out`."""
    with np.errstate(over="ignore"):  # minus infinity is right: its exponential is 0
        np.divide(logits, min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE), out=out)
    return np.exp(out, out=out)


def _keep_argmax(weights: Floats) -> None:
    chosen = weights.argmax(axis=0)
    weights[:] = 0.0
    weights[chosen, np.arange(len(chosen))] = 1.0


def _keep_top(weights: Floats, top_k: int, top_p: float) -> None:
    """Keeps the top-k weights that make up top-p; of equal weights those of lower tokens first."""
    ranked = np.argsort(-weights.T, axis=1, kind="stable")[:, :top_k]
    kept = np.take_along_axis(weights.T, ranked, axis=1)
    up_to = kept.cumsum(axis=1)
    dropped = up_to - kept >= top_p * up_to[:, -1:]  # those before it are enough already
    dropped[:, 0] = False  # a tiny top-p may be 0 in single precision
    kept[dropped] = 0.0
    weights[:] = 0.0
    np.put_along_axis(weights.T, ranked, kept, axis=1)


def _not_finite() -> TrainingError:
    return TrainingError(
        "sampling.not_finite",
        "the model's probabilities are not finite numbers",
        saw="a logit that is infinite or not a number",
        fix="train the model again with a lower learning rate.",
    )
