"""Array types, aligned memory, and scratch arrays that are reused."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Integers: TypeAlias = npt.NDArray[np.integer]

CACHE_LINE = 64  # bytes; a vector register of AVX-512 as well
STRIPE = 32  # columns transposed at a time, so that their cache lines are read once


def aligned_empty(size: int, dtype: npt.DTypeLike) -> Floats:
    """An uninitialized vector whose first element begins a cache line."""
    itemsize = np.dtype(dtype).itemsize
    memory = np.empty(size * itemsize + CACHE_LINE, dtype=np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size * itemsize].view(dtype)


def transpose_into(matrices: Floats, out: Floats) -> Floats:
    """Copies (..., I, J) to `out`, (..., J, I), in stripes, which is two to three times as fast."""
    swapped = matrices.swapaxes(-1, -2)
    for start in range(0, swapped.shape[-1], STRIPE):
        stripe = slice(start, start + STRIPE)
        out[..., stripe] = swapped[..., stripe]
    return out


class Workspace:
    """Named scratch arrays that live from one batch to the next.

    Fresh memory from the system costs more than the arithmetic done in it. An array keeps its content until
    the same name is taken again. One workspace belongs to one thread.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._pools: dict[str, Floats] = {}
        self._ones: Floats = aligned_empty(0, self.dtype)
        self._children: dict[int, Workspace] = {}

    def take(self, name: str, *shape: int) -> Floats:
        """An uninitialized array of this shape; under one name always the same memory."""
        size = math.prod(shape)
        pool = self._pools.get(name)
        if pool is None or pool.size < size:
            pool = self._pools[name] = aligned_empty(size + size // 8, self.dtype)
        return pool[:size].reshape(shape)

    def ones(self, count: int) -> Floats:
        """(count,) ones, to sum rows by a matrix product; read only."""
        pool = self._ones
        if pool.size < count:
            pool = self._ones = aligned_empty(count + count // 8, self.dtype)
            pool.fill(1.0)
        return pool[:count]

    def child(self, number: int) -> "Workspace":
        """The workspace of a part, such as a layer: one for each number, the same every time."""
        if number not in self._children:
            self._children[number] = Workspace(self.dtype)
        return self._children[number]
