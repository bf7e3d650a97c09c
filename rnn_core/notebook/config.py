"""The notebook's own numbers."""

from dataclasses import dataclass
from typing import Annotated

from rnn_core.validators import POSITIVE, ValidatedConfig, whole


@dataclass(frozen=True, slots=True)
class NotebookConfig(ValidatedConfig):
    """The notebook's own numbers. Every one of them changes what comes out.

    iterations:            names trained on; the list is gone through again and again.
    clip:                  largest element of a gradient.
    report_every:          iterations from one report to the next; the first is that of iteration 0.
    names_per_report:      names sampled for a report. They use the generator that drew the parameters.
    max_length:            characters after which a sampled name is cut.
    smoothing_characters:  the smoothed loss starts at that of so many characters guessed blindly.
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
