"""Memory that the processes of a training share: a file without a name, which no folder holds.

Nothing of it is left, however they end; and no small /dev/shm bounds it, as that of a container.
"""

import itertools
import math
import mmap
import os
import tempfile
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import CACHE_LINE
from rnn_core.train.optimizers import block_count
from rnn_core.train.parts import PartLoss, StepResult

ARRIVAL_STRIDE = 8  # numbers: each process counts its arrivals in a cache line of its own


class MemoryShape(NamedTuple):
    """How many processes, networks and parts of a batch there are.

    vectors, counts:  of each network; vectors have this length and type.
    """

    processes: int
    networks: int
    parts: int
    vectors: int
    counts: int
    length: int
    dtype: str

    def network(self, rank: int) -> int:
        """The number of the network that the process of this rank trains."""
        return rank % self.networks

    def ranks(self, network: int) -> range:
        """The processes that train this network."""
        return range(network, self.processes, self.networks)


class SharedMemory:
    """Arrays that are zeros at first, in a file that every process maps.

    vectors:   (networks, vectors, length) the parameters, the vectors of the optimizer's state, a gradient
               for each part of a batch.
    counts:    (networks, counts) what the state of the optimizer holds besides.
    arrivals:  (2, processes * ARRIVAL_STRIDE) how often each process has arrived at the barrier of all, and
               at that of its network.
    losses:    (networks, parts, 2) the `PartLoss` of every part of a batch.
    results:   (networks, 4) the `StepResult` of every network.
    squares:   (networks, 2, blocks) squared norms of the blocks of a vector, of two in turn.

    descriptor:  the open file, from the process that made it; without, it is made here.
    """

    def __init__(self, shape: MemoryShape, descriptor: int | None = None) -> None:
        kinds: list[tuple[tuple[int, ...], npt.DTypeLike]] = [
            ((shape.networks, shape.vectors, shape.length), shape.dtype),
            ((shape.networks, shape.counts), np.int64),
            ((2, shape.processes * ARRIVAL_STRIDE), np.int64),
            ((shape.networks, shape.parts, len(PartLoss._fields)), np.float64),
            ((shape.networks, len(StepResult._fields)), np.float64),
            ((shape.networks, 2, block_count(shape.length)), np.float64),
        ]
        sizes = [math.prod(of) * np.dtype(dtype).itemsize for of, dtype in kinds]
        ends = list(itertools.accumulate(-(-size // CACHE_LINE) * CACHE_LINE for size in sizes))
        self.shape = shape
        self.descriptor = _file_without_name(ends[-1]) if descriptor is None else descriptor
        memory = mmap.mmap(self.descriptor, ends[-1])
        arrays: list[npt.NDArray[Any]] = [
            np.frombuffer(memory, dtype, math.prod(of), start).reshape(of)
            for (of, dtype), start in zip(kinds, [0, *ends], strict=False)
        ]
        self.vectors, self.counts, self.arrivals, self.losses, self.results, self.squares = arrays

    def close(self) -> None:
        """Close the file; the arrays stay."""
        os.close(self.descriptor)


def _file_without_name(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("training")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
