"""The notebook's own numbers."""

from dataclasses import dataclass

from rnn_core.validators import check_positive, check_whole


@dataclass(frozen=True, slots=True)
class NotebookConfig:
    """The notebook's own numbers. Every one of them changes what comes out.

    iterations:            names trained on; the list is gone through again and again.
    clip:                  largest element of a gradient.
    report_every:          iterations from one report to the next; the first is that of iteration 0.
    names_per_report:      names sampled for a report. They use the generator that drew the parameters.
    max_length:            characters after which a sampled name is cut.
    smoothing_characters:  the smoothed loss starts at that of so many characters guessed blindly.
    """

    iterations: int = 22_001
    hidden_size: int = 50
    learning_rate: float = 0.01
    clip: float = 5.0
    report_every: int = 2_000
    names_per_report: int = 10
    max_length: int = 50
    smoothing_characters: int = 10
    seed: int = 42

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("iterations", 1, 1 << 40),
            ("hidden_size", 1, 1 << 14),
            ("report_every", 1, 1 << 40),
            ("names_per_report", 0, 1 << 20),
            ("max_length", 1, 1 << 20),
            ("smoothing_characters", 1, 1 << 20),
            ("seed", 0, (1 << 32) - 1),  # all that the generator takes
        ):
            check_whole(f"notebook.{name}", getattr(self, name), lowest, highest)
        for name in ("learning_rate", "clip"):
            check_positive(f"notebook.{name}", getattr(self, name))
