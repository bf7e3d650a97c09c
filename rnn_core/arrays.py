"""Kinds of arrays, and memory that is used again."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Integers: TypeAlias = npt.NDArray[np.integer]

CACHE_LINE = 64  # bytes; a vector register of AVX-512 as well


def aligned(size: int, dtype: npt.DTypeLike) -> Floats:
    """An uninitialised vector whose first element begins a cache line."""
    itemsize = np.dtype(dtype).itemsize
    memory = np.empty(size * itemsize + CACHE_LINE, dtype=np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size * itemsize].view(dtype)


class Workspace:
    """Named scratch arrays that live from one batch to the next.

    Memory fresh from the system costs more than the arithmetic done in it. An array taken here keeps its
    content until the same name is taken again. One workspace belongs to one thread.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._pools: dict[str, Floats] = {}

    def take(self, name: str, *shape: int) -> Floats:
        """An uninitialised array of this shape."""
        size = math.prod(shape)
        pool = self._pools.get(name)
        if pool is None or pool.size < size:
            pool = self._pools[name] = aligned(size + size // 8, self.dtype)
        return pool[:size].reshape(shape)
