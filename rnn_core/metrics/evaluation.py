"""How well a model predicts names: cross-entropy, bits per character, and perplexity.

Source: Jurafsky & Martin, "Speech and Language Processing" (3rd ed.), section 3.2 on perplexity.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.text.names import EncodedNames
from rnn_core.validators import SEED, ValidatedConfig, whole


@dataclass(frozen=True, slots=True)
class EvaluationConfig(ValidatedConfig):
    """How a model is evaluated, besides how well it predicts held-out names.

    Attributes:
        sample_names: Names sampled from each model, at temperature 1, and measured; 0 for none.
        seed: Random seed of these names, and of the halves of the held-out names.
    """

    sample_names: Annotated[int, whole(0, 1 << 20)] = 2_000
    seed: Annotated[int, SEED] = 0


def metrics(log_probabilities: npt.NDArray[np.float64], names: EncodedNames) -> dict[str, float]:
    """The metrics of N scored names; the end token counts as a character, and a name by its weight.

    log_probabilities:  (N,) nats, of whole names.
    """
    nats = mean_nats_per_character(log_probabilities, names)
    with np.errstate(over="ignore"):  # a diverged network may have infinite perplexity
        perplexity = float(np.exp(nats))
    return {
        "nats_per_character": nats,
        "bits_per_character": nats / math.log(2),
        "perplexity": perplexity,
    }
