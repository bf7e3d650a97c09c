"""How well a model predicts names: cross-entropy per character, bits, and perplexity.

Source: Jurafsky & Martin, "Speech and Language Processing" (3rd ed.), section 3.2 on perplexity.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnn_core.names import EncodedNames
from rnn_core.ranges import check_whole, out_of_range
from rnn_core.scoring import per_character


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """The Kneser-Ney n-gram model that stands beside the network.

    ngram_order:     characters in an n-gram, the predicted one included.
    ngram_discount:  taken from every count, in (0, 1).
    """

    ngram_order: int = 6
    ngram_discount: float = 0.85

    def __post_init__(self) -> None:
        check_whole("evaluation.ngram_order", self.ngram_order, 1, 64)
        if not 0 < self.ngram_discount < 1:
            raise out_of_range("evaluation.ngram_discount", "between 0 and 1", self.ngram_discount)


def metrics(log_probabilities: npt.NDArray[np.float64], names: EncodedNames) -> dict[str, float]:
    """Of N scored names; the end token counts as a character.

    log_probabilities:  (N,) nats, of whole names.
    """
    nats = per_character(log_probabilities, names)
    with np.errstate(over="ignore"):  # a network that went astray may be infinitely perplexed
        perplexity = float(np.exp(nats))
    return {
        "nats_per_character": nats,
        "bits_per_character": nats / math.log(2),
        "perplexity": perplexity,
    }
