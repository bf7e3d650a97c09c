"""Where a run keeps things and how it goes about them: never part of a key."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from rnn_core.validators import check_at_least_0, check_whole, out_of_range


def default_store() -> Path:
    return Path(os.environ.get("NAMEWRIGHT_STORE") or "artifacts/store")


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable(knob: str, path: str | Path) -> Path:
    """With the user's folder for `~`. Raises ConfigError for what an artifact's manifest could not tell."""
    expanded = os.path.expanduser(path)  # noqa: PTH111  # no user: no error
    if "\0" in expanded or expanded.encode(errors="replace").decode() != expanded:
        raise out_of_range(knob, "a path in UTF-8", expanded)
    return Path(expanded)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run, as opposed to what to make.

    store:               folder of the artifact store; by default artifacts/store below the current folder.
    refresh:             stages that are made again even if the store has them.
    checkpoint_seconds:  time between two checkpoints of a training; 0 writes one after every step.
    threads:             share the work where there is some to share (training.shards); as many as the process
                         has cores by default. With any number the same bytes are made.
    """

    store: Path = field(default_factory=default_store)
    refresh: tuple[str, ...] = ()
    checkpoint_seconds: float = 10.0
    threads: int = field(default_factory=cores)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", usable("store", self.store))
        check_at_least_0("checkpoint_seconds", self.checkpoint_seconds)
        check_whole("threads", self.threads, 1, 1 << 10)
