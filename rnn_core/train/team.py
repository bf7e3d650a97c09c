"""The processes that share the steps of a training, as each of them sees the others.

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
from rnn_core.train.parts import PartLoss
from rnn_core.train.shared_memory import ARRIVAL_STRIDE

SPINS, YIELDS = 3_000, 20_000  # looks before others may run in between, and before it sleeps
_FIRST_SLEEP, _LONGEST_SLEEP = 50e-6, 5e-3  # seconds

_let_others_run: Callable[[], object] = getattr(os, "sched_yield", lambda: time.sleep(0))

Task = TypeVar("Task")


class Team(Protocol):
    """What a process knows of the others.

    piece:  the slice of the parameters that this process updates: whole blocks of `optimizers.BLOCK`.
    """

    piece: slice

    def put_loss(self, part: int, loss: PartLoss) -> None:
        """Tell all the loss of a part of the batch, before they meet."""

    def losses(self, parts: int) -> list[PartLoss]:
        """The losses of the parts of the batch. All processes meet here first."""

    def squared_norm(self, piece: Floats) -> float:
        """The squared norm of a vector of which each has its piece. All processes meet here."""

    def share_out(self, tasks: Sequence[Task], work: Callable[[Task], object]) -> None:
        """Work on every task, each in one of the processes. All meet before it, and after it."""


class Alone:
    """A process that takes the steps by itself: a team of one."""

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


class Member:
    """One of several processes, which share memory.

    arrivals, results, squares:  as in `SharedMemory`. Of the two rows of squares, one is written while some
        may still read the other; who writes that again has met all of them in between.
    check:  raises if another process has ended; it may take some microseconds.
    """

    def __init__(
        self,
        rank: int,
        arrivals: npt.NDArray[np.int64],
        results: npt.NDArray[np.float64],
        squares: npt.NDArray[np.float64],
        check: Callable[[], None],
    ) -> None:
        self._rank, self._size = rank, len(arrivals) // ARRIVAL_STRIDE
        size = self._size
        self._arrivals = memoryview(arrivals)  # type: ignore[arg-type]  # quicker, number by number
        self._results, self._squares, self._check = results, squares, check
        self._count = self._turn = 0
        self._own = rank * ARRIVAL_STRIDE
        self._others = [other * ARRIVAL_STRIDE for other in range(size) if other != rank]
        self._blocks = slice(*(squares.shape[1] * place // size for place in (rank, rank + 1)))
        self.piece = slice(self._blocks.start * BLOCK, self._blocks.stop * BLOCK)
        self._lock = threading.Lock()

    def put_loss(self, part: int, loss: PartLoss) -> None:
        """Tell all the loss of a part of the batch, before they meet."""
        self._results[part] = loss

    def losses(self, parts: int) -> list[PartLoss]:
        """The losses of the parts of the batch. All processes meet here first."""
        self._meet()
        return [PartLoss(loss, int(rows)) for loss, rows in self._results[:parts].tolist()]

    def squared_norm(self, piece: Floats) -> float:
        """The squared norm of a vector of which each has its piece. All processes meet here."""
        squares = self._squares[self._turn]
        self._turn = 1 - self._turn
        squares[self._blocks] = squared_norms(piece)
        self._meet()
        return float(squares.sum())

    def share_out(self, tasks: Sequence[Task], work: Callable[[Task], object]) -> None:
        """Work on every task, each in one of the processes. All meet before it, and after it."""
        self._meet()
        for task in tasks[self._rank :: self._size]:
            work(task)
        self._meet()

    def _meet(self) -> None:
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
