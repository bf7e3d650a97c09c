"""Novelty and uniqueness of names.

A name is new if it differs from every known one in more than case (`str.casefold`): a network that learned to
write MADRID as Madrid has found nothing new.

Sources: generators of molecules are judged in the same way. N. Brown, M. Fiscato, M. H. S. Segler &
A. C. Vaucher, "GuacaMol: benchmarking models for de novo molecular design", Journal of Chemical Information
and Modeling 59 (2019); D. Polykovskiy et al., "Molecular Sets (MOSES): a benchmarking platform for molecular
generation models", Frontiers in Pharmacology 11 (2020).
"""

import math
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt


def uniqueness(names: Sequence[str]) -> float:
    """The share of distinct names, case-sensitive; nan for none.

    It falls with the number of names, so compare lists of one length.
    """
    return len(set(names)) / len(names) if names else math.nan


def novelty(names: Sequence[str], known: AbstractSet[str]) -> float:
    """The share of new names, repeats included; nan for none. known: from `casefold_set`."""
    return float(new_mask(names, known).mean()) if names else math.nan


def new_mask(names: Sequence[str], known: AbstractSet[str]) -> npt.NDArray[np.bool_]:
    """(N,) which names are new. known: from `casefold_set`."""
    return np.fromiter((name.casefold() not in known for name in names), np.bool_, len(names))


def casefold_set(names: Iterable[str]) -> frozenset[str]:
    """The names, case-folded."""
    return frozenset(name.casefold() for name in names)


def words(names: Iterable[str]) -> list[str]:
    """The words of all names, split at white space."""
    return [word for name in names for word in name.split()]
