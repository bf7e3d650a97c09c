"""What `maintain` keeps in a store, and for how long."""

from dataclasses import dataclass
from typing import Annotated

from artifacts.sizes import SIZE, parse_size
from rnn_core.validators import AT_LEAST_0, ValidatedConfig, whole


@dataclass(frozen=True, slots=True)
class MaintenanceConfig(ValidatedConfig):
    """What is kept in the store, and for how long. Scratch files of dead runs are always removed.

    Attributes:
        verify: Verify every artifact against its sha256. A damaged one is moved to quarantine, and
            computed again by the next run that needs it.
        checkpoint_days: Days to keep checkpoints of abandoned trainings; by default forever.
        quarantine_days: Days to keep what is in quarantine; by default forever.
        artifact_days: Days to keep artifacts; by default forever. The champion, the models of generated
            lists and the latest artifacts stay, with all that they were made from.
        list_days: Days to keep generated lists that nobody asks for again; by default forever. The latest
            stays.
        max_size: Most that the store may take, such as 20GB: then the artifacts that were not used for the
            longest time are removed; by default any size. What stays despite artifact_days stays here, too.
        keep_last: Number of latest artifacts of each stage, and of latest champions, that always stay.
    """

    verify: bool = True
    checkpoint_days: Annotated[float | None, AT_LEAST_0] = None
    quarantine_days: Annotated[float | None, AT_LEAST_0] = None
    artifact_days: Annotated[float | None, AT_LEAST_0] = None
    list_days: Annotated[float | None, AT_LEAST_0] = None
    max_size: Annotated[str | None, SIZE] = None
    keep_last: Annotated[int, whole(1, 1 << 20)] = 10

    @property
    def max_bytes(self) -> float | None:
        """The same as `max_size`, in bytes."""
        return parse_size(self.max_size or "")
