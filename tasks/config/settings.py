"""Where a run keeps things and how it goes about them: never part of a key."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from rnn_core.errors import ConfigError
from rnn_core.validators import AT_LEAST_0, check_fields, out_of_range, whole

RunnerName = Literal["threads", "processes", "dask"]


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
    checkpoint_seconds: Annotated[float, AT_LEAST_0] = 10.0
    threads: Annotated[int, whole(1, 1 << 10)] = field(default_factory=cores)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", usable("store", self.store))
        check_fields(self)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Who runs the stages that can run side by side, and how many at a time.

    runner:        threads of this process, processes of this machine, or Dask. Any makes the same bytes.
    workers:       how many; as many as the process has cores by default. A Dask cluster elsewhere has its
                   own.
    dask_address:  of a Dask scheduler that runs, tcp://host:8786. Without one, Dask starts workers here. Its
                   workers need namewright installed, and the same folders under the same paths.
    """

    runner: RunnerName = "threads"
    workers: Annotated[int, whole(1, 1 << 10)] = field(default_factory=cores)
    dask_address: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.dask_address and self.runner != "dask":
            raise ConfigError(
                "config.runner",
                "an address of a Dask scheduler is for Dask alone",
                where=f"runner = {self.runner}",
                saw=self.dask_address,
                fix="--runner dask, or leave the address out.",
            )


@dataclass(frozen=True, slots=True)
class ListSettings:
    """Whose names, and where to.

    model:      a file model.npz, the key of a model in the store or its first digits, or the `champion`: the
                model that was promoted.
    output:     folder of the list; one in the store, named by the list's key, if none is named.
    overwrite:  replace another list that is there.
    store:      folder of the artifact store; by default artifacts/store below the current folder.
    """

    model: str = "champion"
    output: Path | None = None
    overwrite: bool = False
    store: Path = field(default_factory=default_store)
    workers: Annotated[WorkerSettings, Parameter(name="*")] = field(default_factory=WorkerSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", usable("store", self.store))
        if self.output:
            object.__setattr__(self, "output", usable("output", self.output))
