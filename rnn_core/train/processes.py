"""Training by several processes: how they start, and how they end.

They are started with the search path of the first and nothing else of it: a fork would copy the locks that
its threads hold, and `multiprocessing` would run its main module once more, and starts nothing from a worker
of Dask. They end with it: each looks now and then whether it is still their parent.
"""

import contextlib
import json
import math
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from rnn_core.arrays import aligned_empty
from rnn_core.errors import TrainingError
from rnn_core.nn import cells, network
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_optimizer
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.parts import BatchSchedule, batches_per_epoch, part_count, steps_total
from rnn_core.train.replica import Replica
from rnn_core.train.shared_memory import MemoryShape, SharedMemory
from rnn_core.train.state import TrainingState
from rnn_core.train.team import Alone, Member
from rnn_core.tree import Shape, leaves, tree_map

# Multiplications with weights, going forward, of a training for which others are started. One process does as
# many in about the time that they take to start.
WORTH_STARTING = 4e9

# NumPy's products have one thread, as those of the first process: more would change their last bits. It reads
# how many when it is imported.
_MAIN = """
import json, os, sys
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[name] = "1"
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from rnn_core.train import processes
processes.main()
"""


class _Task(NamedTuple):
    """What another process has to know.

    like:    the shapes of the parameters.
    counts:  what the state of the optimizer holds besides vectors.
    """

    config: ResolvedTrainingConfig
    training: EncodedNames
    like: network.NetworkParameters
    counts: list[Any]
    step: int
    epoch: int
    batch: int
    memory: MemoryShape
    descriptor: int
    parent: int
    rank: int = 0


def usable_processes(config: ResolvedTrainingConfig, names: int, most: int) -> int:
    """How many processes can share the training of so many names: no more than a batch has parts."""
    can_start = os.name == "posix" and bool(sys.executable)
    return min(most, part_count(config, names)) if can_start else 1


def worthwhile_processes(config: ResolvedTrainingConfig, training: EncodedNames, most: int) -> int:
    """How many processes, of at most so many, train soonest: the others take some 0.2 seconds to start."""
    *gates, _, _ = cells.by_name(config.cell).shapes(1, 1)["W_hh"]
    weights = (2 * config.layers - 1) * math.prod(gates) * config.hidden_size**2
    epochs = steps_total(config, training.count) / batches_per_epoch(config, training.count)
    characters = epochs * (len(training.tokens) + training.count)
    return usable_processes(config, training.count, most) if weights * characters > WORTH_STARTING else 1


@contextmanager
def training_processes(
    config: ResolvedTrainingConfig,
    training: EncodedNames,
    state: TrainingState,
    size: int,
) -> Iterator[Replica]:
    """The first of so many processes that train together from this state on, until the context ends.

    With more than one, the state is moved into memory that they share.

    Raises TrainingError if one cannot be started; a step of the first raises it if one has ended.
    """
    parts, steps = part_count(config, training.count), steps_total(config, training.count)
    length, dtype = len(state.vector), state.vector.dtype
    if size == 1:
        gradients = [aligned_empty(length, dtype) for _ in range(parts)]
        for gradient in gradients:
            gradient[:] = 0.0  # as it stays where it belongs to no parameter
        yield Replica(
            config, state.vector, state.current, state.optimizer, gradients, steps, state.step, Alone()
        )
        return
    moments = sum(leaf.ndim for leaf in leaves(state.optimizer))
    memory = SharedMemory(MemoryShape(size, parts, 1 + moments + parts, length, str(dtype)))
    others = _Others()
    try:
        vector, *rest = memory.vectors
        state.move(vector, rest[:moments])
        others.start(
            _Task(
                config=config,
                training=training,
                like=tree_map(lambda leaf: Shape(leaf.shape, leaf.size), state.current),
                counts=[leaf for leaf in leaves(state.optimizer) if not leaf.ndim],
                step=state.step,
                epoch=state.epoch,
                batch=state.batch,
                memory=memory.shape,
                descriptor=memory.descriptor,
                parent=os.getpid(),
            )
        )
        team = Member(0, memory.arrivals, memory.results, memory.squares, others.check)
        yield Replica(
            config,
            vector,
            state.current,
            state.optimizer,
            rest[moments:],
            steps,
            state.step,
            team,
        )
    finally:
        others.end()
        memory.close()


def main() -> None:
    """Train as one of the other processes: its task is read from standard input."""
    for number in (signal.SIGINT, signal.SIGTERM):  # those are for the first, which ends this one
        signal.signal(number, signal.SIG_IGN)
    task: _Task = pickle.load(sys.stdin.buffer)

    def check() -> None:
        if os.getppid() != task.parent:
            os._exit(1)

    memory = SharedMemory(task.memory, task.descriptor)
    vector, *rest = memory.vectors
    moments = len(rest) - task.memory.parts
    batches = BatchSchedule(task.config, task.training, task.rank, task.memory.processes)
    vectors, counts = iter(rest[:moments]), iter(task.counts)
    blank = build_optimizer(task.config, task.like, batches.steps_total).init(np.zeros(0, task.config.dtype))
    optimizer = tree_map(lambda leaf: next(vectors if leaf.ndim else counts), blank)
    team = Member(task.rank, memory.arrivals, memory.results, memory.squares, check)
    replica = Replica(
        task.config, vector, task.like, optimizer, rest[moments:], batches.steps_total, task.step, team
    )
    epoch, first = task.epoch, task.batch
    try:
        while replica.step_count < batches.steps_total:
            for batch in batches.epoch(epoch, first):
                replica.step(batch)
            epoch, first = epoch + 1, 0
    except TrainingError:
        pass  # the first process raises it as well


class _Others:
    """The other processes, as the first one sees them."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, task: _Task) -> None:
        """Start them. Raises TrainingError if one does not."""
        try:
            for _ in range(1, task.memory.processes):
                process = subprocess.Popen(
                    [sys.executable, "-c", _MAIN],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[task.descriptor],
                    start_new_session=True,  # so that Ctrl-C reaches the first process alone
                )
                self._processes.append(process)
            for rank, process in enumerate(self._processes, start=1):
                assert process.stdin
                process.stdin.write(json.dumps(sys.path).encode() + b"\n")
                pickle.dump(task._replace(rank=rank), process.stdin)
                process.stdin.flush()
        except OSError as refusal:
            self.check()  # a broken pipe is the death of one
            raise _error("could not be started", str(refusal)) from refusal

    def check(self) -> None:
        """Raise TrainingError if one of them has ended."""
        for process in self._processes:
            if process.poll() is not None:
                assert process.stderr
                last_line = process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
                code = process.returncode
                end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                seen = f"process {process.pid}: {end}"
                raise _error("ended in the middle of it", f"{seen}, {last_line}" if last_line else seen)

    def end(self) -> None:
        """End them: they hold nothing that has to be kept."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stderr):
                with contextlib.suppress(OSError):  # what was not read by a process that is gone
                    assert pipe
                    pipe.close()


def _error(what: str, saw: str) -> TrainingError:
    return TrainingError(
        "training.process",
        f"a process of the training {what}",
        saw=saw,
        fix="if the machine was short of memory, use fewer processes; "
        "the training goes on from its last checkpoint.",
    )
