"""Novelty and uniqueness of names.

A name is new if it differs from every known one in more than its spelling (`spelling_key`): a network that
learned to write MADRID as Madrid, or José as Jose, has found nothing new.

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

from rnn_core.text.spelling import spelling_key


def uniqueness(names: Sequence[str]) -> float:
    """The share of distinct names, case-sensitive; nan for none.

    It falls with the number of names, so compare lists of one length.
    """
    return len(set(names)) / len(names) if names else math.nan


def novelty(names: Sequence[str], known: AbstractSet[str]) -> float:
    """The share of new names, repeats included; nan for none. known: from `spelling_keys`."""
    return float(new_mask(names, known).mean()) if names else math.nan


def new_mask(names: Sequence[str], known: AbstractSet[str]) -> npt.NDArray[np.bool_]:
    """(N,) which names are new. known: from `spelling_keys`."""
    return np.fromiter((spelling_key(name) not in known for name in names), np.bool_, len(names))


def spelling_keys(names: Iterable[str]) -> frozenset[str]:
    """The keys of the names, which all spellings of a name share."""
    return frozenset(map(spelling_key, names))


def words(names: Iterable[str]) -> list[str]:
    """The words of all names, split at white space."""
    return [word for name in names for word in name.split()]
