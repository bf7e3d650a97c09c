"""What `maintain` keeps in a store, and for how long."""

from dataclasses import dataclass

from rnn_core.validators import check_at_least_0, check_whole


@dataclass(frozen=True, slots=True)
class MaintenanceConfig:
    """What is kept, and for how long. What a dead run left in scratch is always cleared.

    verify:           every artifact against its sha256; what is damaged is set aside, and made again by the
                      next run that wants it.
    checkpoint_days:  of a training that nobody went on with; kept for good if nothing is said.
    quarantine_days:  of what was set aside; kept for good if nothing is said.
    artifact_days:    of an artifact; kept for good if nothing is said. The champion, what generated lists
                      were made with, and the last ones stay, with all that they were made from.
    keep_last:        how many of every stage are the last ones, and of the champion's history.
    """

    verify: bool = True
    checkpoint_days: float | None = None
    quarantine_days: float | None = None
    artifact_days: float | None = None
    keep_last: int = 10

    def __post_init__(self) -> None:
        for name in ("checkpoint_days", "quarantine_days", "artifact_days"):
            if getattr(self, name) is not None:
                check_at_least_0(name, getattr(self, name))
        check_whole("keep_last", self.keep_last, 1, 1 << 20)
