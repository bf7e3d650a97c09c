"""What a run says while it goes on; a terminal, a log and Prefect listen to the same events."""

from collections.abc import Callable
from typing import NamedTuple

from artifacts.store import Artifact
from tasks.champion import Outcome


class Progress(NamedTuple):
    """done of total, in the stage's own unit: steps, names. title: of this run of the stage."""

    stage: str
    title: str
    done: int
    total: int
    note: str


class Notice(NamedTuple):
    """Something that a reader of the log wants to know: a damaged artifact, a wait, a resumed training."""

    stage: str
    text: str


class Finished(NamedTuple):
    """seconds: that this run spent on the stage, whether making or verifying."""

    stage: str
    title: str
    artifact: Artifact
    reused: bool
    rows: int | None
    seconds: float


class Decided(NamedTuple):
    """What came of an artifact `decision`, now that the decision is carried out."""

    stage: str
    decision: Artifact
    outcome: Outcome


Event = Progress | Notice | Finished | Decided
Listener = Callable[[Event], None]
