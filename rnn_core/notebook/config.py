"""The notebook's own numbers."""

from dataclasses import dataclass
from typing import Annotated

from rnn_core.validators import POSITIVE, ValidatedConfig, whole


@dataclass(frozen=True, slots=True)
class NotebookConfig(ValidatedConfig):
    """The original notebook's numbers; each of them changes the result.

    Attributes:
        iterations: Names trained on; the list is repeated as often as needed.
        hidden_size: Units of the hidden layer.
        learning_rate: Learning rate.
        clip: Largest magnitude of an element of the gradient.
        report_every: Iterations between two reports; the first is that of iteration 0.
        names_per_report: Names sampled for a report, with the generator that drew the parameters.
        max_length: Characters after which a sampled name is cut off.
        smoothing_characters: The smoothed loss starts at that of so many characters guessed uniformly.
        seed: Random seed.
    """

    iterations: Annotated[int, whole(1, 1 << 40)] = 22_001
    hidden_size: Annotated[int, whole(1, 1 << 14)] = 50
    learning_rate: Annotated[float, POSITIVE] = 0.01
    clip: Annotated[float, POSITIVE] = 5.0
    report_every: Annotated[int, whole(1, 1 << 40)] = 2_000
    names_per_report: Annotated[int, whole(0, 1 << 20)] = 10
    max_length: Annotated[int, whole(1, 1 << 20)] = 50
    smoothing_characters: Annotated[int, whole(1, 1 << 20)] = 10
    seed: Annotated[int, whole(0, (1 << 32) - 1)] = 42  # all that the generator takes
