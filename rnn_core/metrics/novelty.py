"""How much of a list of names is not in another, and how much repeats itself.

A name is new if it differs from every known one in more than case (`str.casefold`): a network that has learnt
to write MADRID as Madrid has found nothing new.

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
    """Distinct names, as a share of all; nan for none. Case counts here.

    It falls with the number of names, so compare lists of one length.
    """
    return len(set(names)) / len(names) if names else math.nan


def novelty(names: Sequence[str], known: AbstractSet[str]) -> float:
    """Share of the names, repeats included, that are new; nan for none. known: as `folded` gives them."""
    return float(new_mask(names, known).mean()) if names else math.nan


def new_mask(names: Sequence[str], known: AbstractSet[str]) -> npt.NDArray[np.bool_]:
    """(N,) known: as `folded` gives them."""
    return np.fromiter((name.casefold() not in known for name in names), np.bool_, len(names))


def casefold_set(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def words(names: Iterable[str]) -> list[str]:
    """What stands between white space, name after name."""
    return [word for name in names for word in name.split()]
