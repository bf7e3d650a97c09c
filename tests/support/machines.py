"""Machines that share nothing but the address of a bucket: each has a folder and a cache of its own."""

import random
import subprocess
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import ready_commands
from s3_server import in_environment
from small_runs import clean_environment, files_of, outcomes

from artifacts.bucket.address import mirror

PATIENCE_SECONDS = 280.0


class Machine:
    """A machine on which a run is made."""

    def __init__(self, endpoint: str, folder: Path, options: Sequence[str], address: str) -> None:
        self.folder, self.address = folder, address
        folder.mkdir(parents=True)
        self.environment = {
            **in_environment(endpoint, folder / "cache"),
            **clean_environment(folder),
        }
        self.words = ["run", "--engine", "plain", *options, "--store", address]

    def run(self) -> dict[str, str]:
        """The outcome of every stage."""
        ended = self.ended()
        assert ended.returncode == 0, ended.stderr
        return outcomes(ended.stdout)

    def ended(self, main: Callable[[], None] = ready_commands.namewright) -> subprocess.CompletedProcess[str]:
        """How the run ended."""
        return ready_commands.run(self.words, self.folder, self.environment, PATIENCE_SECONDS, main)

    def start(self, main: Callable[[], None] = ready_commands.namewright) -> ForkServerProcess:
        """Begin the run; what it prints is in the folder `streams`."""
        streams = self.folder / "streams"
        streams.mkdir()
        return ready_commands.start(self.words, self.folder, self.environment, streams, main)

    @property
    def mirror(self) -> Path:
        """The folder here that mirrors the bucket."""
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("NAMEWRIGHT_CACHE", str(self.folder / "cache"))
            return mirror(self.address)

    @property
    def files(self) -> dict[str, bytes]:
        """What is in the mirror."""
        return files_of(self.mirror)


def impatient() -> None:
    """The command, where a lease is soon taken over and a checkpoint is soon in the bucket."""
    from artifacts.bucket import checkpoint, lease

    lease.EXPIRY_SECONDS, lease._POLL_SECONDS = 2.0, 0.2
    checkpoint.COPY_SECONDS = 0.05
    ready_commands.namewright()


def kill_and_resume(
    rng: random.Random, machine: Callable[[], Machine], seconds: float, kills: int
) -> tuple[int, Machine]:
    """Kill the run this often at random moments, on another machine each time, and let the last one end.

    seconds:  that the run takes. Every second moment is in the training, if there is one left.

    Returns how many were still running, and the last machine.
    """
    killed = 0
    for number in range(kills):
        here, moment = machine(), rng.random() * seconds
        process = here.start(impatient)
        if number % 2 == 0:
            wait_for_a_checkpoint(here, process)
            moment /= 20
        process.join(moment)
        killed += process.exitcode is None
        process.kill()
        process.join()
    last = machine()
    ended = last.ended(impatient)
    assert ended.returncode == 0, ended.stderr
    assert "damaged" not in ended.stdout
    return killed, last


def wait_for_a_checkpoint(machine: Machine, process: ForkServerProcess) -> None:
    """Until the run has one here, or has ended."""
    limit = time.monotonic() + PATIENCE_SECONDS
    checkpoints = machine.mirror / "checkpoints" / "model"
    while process.exitcode is None and not list(checkpoints.glob("*.npz")):
        assert time.monotonic() < limit
        time.sleep(0.01)
