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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from rnn_core.arrays import aligned_empty
from rnn_core.errors import TrainingError
from rnn_core.nn import cells
from rnn_core.text.names import EncodedNames
from rnn_core.train.build_optimizer import build_optimizer
from rnn_core.train.config import ResolvedTrainingConfig
from rnn_core.train.parts import StepResult, batches_per_epoch, part_count, steps_total
from rnn_core.train.replica import Job, NetworkMemory, Replica
from rnn_core.train.shared_memory import MemoryShape, SharedMemory
from rnn_core.train.state import TrainingState
from rnn_core.train.team import Alone, Peer
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
    """What another process has to know."""

    job: Job
    memory: MemoryShape
    descriptor: int
    parent: int
    rank: int


def usable_processes(config: ResolvedTrainingConfig, names: int, most: int, networks: int = 1) -> int:
    """How many processes can share the training on so many names: no more than the batches have parts."""
    can_start = os.name == "posix" and bool(sys.executable)
    return min(most, networks * part_count(config, names)) if can_start else 1


def worthwhile_processes(config: ResolvedTrainingConfig, training: EncodedNames, most: int) -> int:
    """How many processes, of at most so many, train soonest: the others take some 0.2 seconds to start."""
    *gates, _, _ = cells.by_name(config.cell).shapes(1, 1)["W_hh"]
    weights = config.members * (2 * config.layers - 1) * math.prod(gates) * config.hidden_size**2
    epochs = steps_total(config, training.count) / batches_per_epoch(config, training.count)
    characters = epochs * (len(training.tokens) + training.count)
    usable = usable_processes(config, training.count, most, config.members)
    return usable if weights * characters > WORTH_STARTING else 1


@contextmanager
def training_steps(
    configs: Sequence[ResolvedTrainingConfig],
    training: EncodedNames,
    validation: EncodedNames,
    states: Sequence[TrainingState],
    size: int,
) -> Iterator[Iterator[list[StepResult]]]:
    """The steps of these networks from these states on, until the context ends.

    `size` processes take them: this one, which is the first, and others that are started. There are no fewer
    than networks. With more than one, the states are moved into memory that they share.

    Raises TrainingError if one cannot be started; a step raises it if one has ended.
    """
    first = states[0]
    shapes = tree_map(lambda leaf: Shape(leaf.shape, leaf.size), first.current)
    jobs = [
        Job(config, training, validation, shapes, state.step, state.epoch, state.batch)
        for config, state in zip(configs, states, strict=True)
    ]
    parts, length, dtype = part_count(configs[0], training.count), len(first.vector), first.vector.dtype
    if size == 1:
        gradients = [aligned_empty(length, dtype) for _ in range(parts)]
        for gradient in gradients:
            gradient[:] = 0.0  # as it stays where it belongs to no parameter
        memory = NetworkMemory(first.vector, first.optimizer, gradients)
        yield Replica(jobs[0], memory, Alone()).steps()
        return
    of_optimizer = list(leaves(first.optimizer))
    moments = sum(leaf.ndim for leaf in of_optimizer)
    shape = MemoryShape(
        processes=size,
        networks=len(states),
        parts=parts,
        vectors=1 + moments + parts,
        counts=len(of_optimizer) - moments,
        length=length,
        dtype=str(dtype),
    )
    shared = SharedMemory(shape)
    others = _Others()
    try:
        memories = [_network_memory(job, shared, network) for network, job in enumerate(jobs)]
        for state, memory in zip(states, memories, strict=True):
            state.move(memory.parameters, memory.optimizer)
        others.start(
            [
                _Task(jobs[shape.network(rank)], shape, shared.descriptor, os.getpid(), rank)
                for rank in range(1, size)
            ]
        )
        yield Replica(jobs[0], memories[0], Peer(0, shared, others.check)).steps()
    finally:
        others.end()
        shared.close()


def main() -> None:
    """Train as one of the other processes: its task is read from standard input."""
    for number in (signal.SIGINT, signal.SIGTERM):  # those are for the first, which ends this one
        signal.signal(number, signal.SIG_IGN)
    task: _Task = pickle.load(sys.stdin.buffer)

    def check() -> None:
        if os.getppid() != task.parent:
            os._exit(1)

    shared = SharedMemory(task.memory, task.descriptor)
    memory = _network_memory(task.job, shared, task.memory.network(task.rank))
    for _ in Replica(task.job, memory, Peer(task.rank, shared, check)).steps():
        pass


def _network_memory(job: Job, shared: SharedMemory, network: int) -> NetworkMemory:
    """What the shared memory holds of a network."""
    parameters, *vectors = shared.vectors[network]
    moments = len(vectors) - shared.shape.parts
    remaining = iter(vectors[:moments])
    counts = iter(shared.counts[network].reshape(-1, 1))
    blank = build_optimizer(job.config, job.like, steps_total=1).init(np.zeros(0, job.config.dtype))
    optimizer = tree_map(lambda leaf: next(remaining) if leaf.ndim else next(counts).reshape(()), blank)
    return NetworkMemory(parameters, optimizer, vectors[moments:])


class _Others:
    """The other processes, as the first one sees them."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, tasks: Sequence[_Task]) -> None:
        """Start one for every task. Raises TrainingError if one does not."""
        try:
            for task in tasks:
                process = subprocess.Popen(
                    [sys.executable, "-c", _MAIN],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[task.descriptor],
                    start_new_session=True,  # so that Ctrl-C reaches the first process alone
                )
                self._processes.append(process)
            for task, process in zip(tasks, self._processes, strict=True):
                assert process.stdin
                process.stdin.write(json.dumps(sys.path).encode() + b"\n")
                pickle.dump(task, process.stdin)
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
