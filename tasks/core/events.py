"""The events of a run: a terminal, a log and Prefect listen to the same ones."""

from collections.abc import Callable
from typing import NamedTuple

from artifacts.store import Artifact
from tasks.models.champion import Outcome


class Progress(NamedTuple):
    """How far a stage is: done of total, in its own unit (steps, names).

    title:         of this run of the stage.
    seconds_left:  until it is done, if that is known.
    """

    stage: str
    title: str
    done: int
    total: int
    note: str
    seconds_left: int | None = None

    def __str__(self) -> str:
        """A line of a log."""
        line = f"{self.stage}: {self.done:,} of {self.total:,}  {self.note}"
        if self.seconds_left is None:
            return line
        minutes, seconds = divmod(self.seconds_left, 60)
        return f"{line}, {minutes // 60}:{minutes % 60:02}:{seconds:02} left"


class Notice(NamedTuple):
    """A line for the log: a damaged artifact, a wait, a resumed training."""

    stage: str
    text: str


class Finished(NamedTuple):
    """A stage has ended, and its artifact is there.

    seconds:  that this run spent on it, whether making or verifying.
    """

    stage: str
    title: str
    artifact: Artifact
    reused: bool
    rows: int | None
    seconds: float


class Decided(NamedTuple):
    """The outcome of a decision, which has been applied."""

    stage: str
    decision: Artifact
    outcome: Outcome


Event = Progress | Notice | Finished | Decided
Listener = Callable[[Event], None]
