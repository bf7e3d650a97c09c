"""The processes that share the steps of a training, as each of them sees the others.

Each of them trains one network, by itself or with others that have the same one. After every step of it they
all meet, so that the first process finds what belongs together: the state of every network between two steps.

They meet at a barrier: each counts its arrivals in memory that all share, and looks at the counts of the
others until they are as high as its own. Waiting for the system to wake a process up would take longer than
many a step. So it looks some thousand times, then lets others run in between, then sleeps, longer and longer.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import Floats
from rnn_core.train.optimizers import BLOCK, squared_norm, squared_norms
from rnn_core.train.parts import PartLoss, StepResult
from rnn_core.train.shared_memory import ARRIVAL_STRIDE, SharedMemory

SPINS, YIELDS = 3_000, 20_000  # looks before others may run in between, and before it sleeps
_FIRST_SLEEP, _LONGEST_SLEEP = 50e-6, 5e-3  # seconds

_let_others_run: Callable[[], object] = getattr(os, "sched_yield", lambda: time.sleep(0))

Task = TypeVar("Task")


class Team(Protocol):
    """What a process knows of the others.

    number, size:  of the `size` processes with its network this is number `number`, from 0.
    piece:         the slice of the parameters that it updates: whole blocks of `optimizers.BLOCK`.
    """

    number: int
    size: int
    piece: slice

    def put_loss(self, part: int, loss: PartLoss) -> None:
        """Tell the others the loss of a part of the batch, before they meet."""

    def losses(self, parts: int) -> list[PartLoss]:
        """The losses of the parts of the batch. All processes meet here first."""

    def squared_norm(self, piece: Floats) -> float:
        """The squared norm of a vector of which each has its piece. Those with this network meet here."""

    def share_out(self, tasks: Sequence[Task], work: Callable[[Task], object]) -> None:
        """Work on every task, each in one of the processes with this network. They meet before and after."""

    def results(self, own: StepResult) -> list[StepResult]:
        """The results of all networks, given that of this one.

        All processes meet here first. No network is changed until they have met once more.
        """


class Alone:
    """A process that takes the steps by itself: a team of one."""

    number, size = 0, 1
    piece = slice(None)

    def __init__(self) -> None:
        self._losses: dict[int, PartLoss] = {}

    def put_loss(self, part: int, loss: PartLoss) -> None:
        """Keep the loss of a part of the batch."""
        self._losses[part] = loss

    def losses(self, parts: int) -> list[PartLoss]:
        """The losses of the parts of the batch."""
        return [self._losses[part] for part in range(parts)]

    def squared_norm(self, piece: Floats) -> float:
        """The squared norm of the vector."""
        return squared_norm(piece)

    def share_out(self, tasks: Sequence[Task], work: Callable[[Task], object]) -> None:
        """Work on every task."""
        for task in tasks:
            work(task)

    def results(self, own: StepResult) -> list[StepResult]:
        """The result of the only network."""
        return [own]


class Peer:
    """One of several processes, which share memory.

    check:  raises if another process has ended; it may take some microseconds.
    """

    def __init__(self, rank: int, memory: SharedMemory, check: Callable[[], None]) -> None:
        network = memory.shape.network(rank)
        ranks = memory.shape.ranks(network)
        self.number, self.size = ranks.index(rank), len(ranks)
        of_all, of_network = memory.arrivals
        self._all = Barrier(rank, range(memory.shape.processes), of_all, check)
        self._same = Barrier(rank, ranks, of_network, check)
        self._network, self._losses, self._results = network, memory.losses[network], memory.results
        # Of the two rows, one is written while some may still read the other; who writes that again has met
        # all of them in between.
        self._squares, self._turn = memory.squares[network], 0
        blocks = self._squares.shape[1]
        self._blocks = slice(*(blocks * number // self.size for number in (self.number, self.number + 1)))
        self.piece = slice(self._blocks.start * BLOCK, self._blocks.stop * BLOCK)

    def put_loss(self, part: int, loss: PartLoss) -> None:
        """Tell the others the loss of a part of the batch, before they meet."""
        self._losses[part] = loss

    def losses(self, parts: int) -> list[PartLoss]:
        """The losses of the parts of the batch. All processes meet here first."""
        self._all.meet()
        return [PartLoss(loss, int(rows)) for loss, rows in self._losses[:parts].tolist()]

    def squared_norm(self, piece: Floats) -> float:
        """The squared norm of a vector of which each has its piece. Those with this network meet here."""
        squares = self._squares[self._turn]
        self._turn = 1 - self._turn
        squares[self._blocks] = squared_norms(piece)
        self._same.meet()
        return float(squares.sum())

    def share_out(self, tasks: Sequence[Task], work: Callable[[Task], object]) -> None:
        """Work on every task, each in one of the processes with this network. They meet before and after."""
        self._same.meet()
        for task in tasks[self.number :: self.size]:
            work(task)
        self._same.meet()

    def results(self, own: StepResult) -> list[StepResult]:
        """The results of all networks, given that of this one. All processes meet here first."""
        if self.number == 0:
            self._results[self._network] = own
        self._all.meet()
        return [
            StepResult(loss, int(rows), finite, validation_loss)
            for loss, rows, finite, validation_loss in self._results.tolist()
        ]


class Barrier:
    """A barrier for the processes of these ranks.

    arrivals:  how often each process has arrived, as a row of `SharedMemory.arrivals`.
    check:     as of `Peer`.
    """

    def __init__(
        self, rank: int, ranks: Sequence[int], arrivals: npt.NDArray[np.int64], check: Callable[[], None]
    ) -> None:
        self._arrivals = memoryview(arrivals)  # type: ignore[arg-type]  # quicker, number by number
        self._count, self._check = 0, check
        self._own = rank * ARRIVAL_STRIDE
        self._others = [other * ARRIVAL_STRIDE for other in ranks if other != rank]
        self._lock = threading.Lock()

    def meet(self) -> None:
        """Wait for all: what each wrote before, every one can read after it."""
        arrivals = self._arrivals
        self._count = count = self._count + 1
        self._order_memory()
        arrivals[self._own] = count
        for other in self._others:
            if arrivals[other] < count:
                self._await(other, count)
        self._order_memory()

    def _await(self, other: int, count: int) -> None:
        arrivals = self._arrivals
        for _ in range(SPINS):
            if arrivals[other] >= count:
                return
        for _ in range(YIELDS):
            if arrivals[other] >= count:
                return
            _let_others_run()
        seconds = _FIRST_SLEEP
        while arrivals[other] < count:
            time.sleep(seconds)
            seconds = min(2 * seconds, _LONGEST_SLEEP)
            try:
                self._check()
            except Exception:
                if arrivals[other] < count:  # else it ended after it had arrived
                    raise

    def _order_memory(self) -> None:
        """Let what was written before be visible before what is written after, on any processor.

        Some reorder what one process writes. A lock keeps them from it.
        """
        with self._lock:
            pass
        with self._lock:
            pass
