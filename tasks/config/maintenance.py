"""What `maintain` keeps in a store, and for how long."""

from dataclasses import dataclass
from typing import Annotated

from rnn_core.validators import AT_LEAST_0, ValidatedConfig, whole


@dataclass(frozen=True, slots=True)
class MaintenanceConfig(ValidatedConfig):
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
    checkpoint_days: Annotated[float | None, AT_LEAST_0] = None
    quarantine_days: Annotated[float | None, AT_LEAST_0] = None
    artifact_days: Annotated[float | None, AT_LEAST_0] = None
    keep_last: Annotated[int, whole(1, 1 << 20)] = 10
