"""Functions over nested tuples of arrays: parameters, gradients, the state of an optimizer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rnn_core.arrays import CACHE_LINE, Floats, aligned_empty

Tree = TypeVar("Tree")


@dataclass(frozen=True, slots=True)
class Shape:
    """What `views` needs to know of an array."""

    shape: tuple[int, ...]
    size: int


def tree_map(function: Callable[..., Any], tree: Tree, *others: Any) -> Tree:
    """A tree like `tree` of `function(leaf, ...)`, with the leaves in the same place of `others`."""
    if not isinstance(tree, tuple):
        mapped: Tree = function(tree, *others)
        return mapped
    branches = [tree_map(function, *parts) for parts in zip(tree, *others, strict=True)]
    # a NamedTuple takes its fields one by one, a plain tuple all at once
    return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of a tree, from left to right."""
    if not isinstance(tree, tuple):
        yield tree
        return
    for branch in tree:
        yield from leaves(branch)


def flat_views(like: Tree, dtype: npt.DTypeLike) -> tuple[Floats, Tree]:
    """A vector of zeros, and views of it in the shapes of `like`.

    What handles all parameters at once (an optimizer, a norm, a copy) uses the vector; formulas use the
    views. Every view begins a cache line, so a few elements belong to no view: they stay 0.
    """
    vector = aligned_empty(flat_size(like, dtype), dtype)
    vector[:] = 0
    return vector, views(vector, like)


def views(vector: Floats, like: Tree) -> Tree:
    """Views of a vector of `flat_size` elements, in the shapes of `like`."""
    starts = iter(np.cumsum([0, *_whole_lines(like, vector.dtype)]).tolist())

    def view(leaf: Floats) -> Floats:
        start = next(starts)
        return vector[start : start + leaf.size].reshape(leaf.shape)

    return tree_map(view, like)


def flat_size(like: Any, dtype: npt.DTypeLike) -> int:
    """The elements of the vector that has room for all leaves of `like`: whole cache lines for each."""
    return sum(_whole_lines(like, dtype))


def _whole_lines(like: Any, dtype: npt.DTypeLike) -> list[int]:
    per_line = CACHE_LINE // np.dtype(dtype).itemsize
    return [-(-leaf.size // per_line) * per_line for leaf in leaves(like)]
