"""Styles: the lists that names are from, each with a start token of its own in the network.

A wish for a style is the name of one, or a blend of several: `argentine=0.7,dinosaurs=0.3`. The weights of a
blend are relative to each other.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from rnn_core.errors import DataError
from rnn_core.state_dict import Layouts, invalid_arrays
from rnn_core.text.vocabulary import UTF32

PREFIX = "styles."  # of the names of their arrays
MOST_STYLES = 1 << 10
EVEN_BLEND = "{}=0.5,{}=0.5"  # of two styles
_NAMES, _SHARES = "styles.names", "styles.shares"
_LONGEST = 1 << 20  # characters of all names together
_SHOWN = 12  # names in a message

_invalid = partial(invalid_arrays, "model", "train it again")


@dataclass(frozen=True, slots=True)
class Styles:
    """The styles that a network knows, by number.

    names:   (S,) two or more, all different.
    shares:  (S,) how probable each is: the share of its names in what the network was trained on; sum 1.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]

    @classmethod
    def from_weights(cls, names: Sequence[str], weights: Sequence[float]) -> "Styles":
        """The styles with these names, as probable as their weights say."""
        total = math.fsum(weights)
        return cls(tuple(names), tuple(weight / total if total else 1 / len(names) for weight in weights))

    def number(self, name: str) -> int:
        """The number of a style. Raises DataError for a name that is none."""
        if name in self.names:
            return self.names.index(name)
        more = f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else ""
        known = f"the model knows {', '.join(self.names[:_SHOWN])}{more}"
        near = difflib.get_close_matches(name.casefold(), [known.casefold() for known in self.names], n=1)
        likely = [known for known in self.names if near and known.casefold() == near[0]]
        raise DataError(
            "style.unknown",
            "unknown style",
            saw=repr(name)[:200],
            fix=f"did you mean {likely[0]}? {known}." if likely else f"{known}; name one, or blend some.",
        )

    def weights(self, wish: str) -> dict[int, float]:
        """The weight of each style that is asked for, by its number; they sum to 1.

        Raises DataError for a name that is no style, and for a blend that is not written as one.
        """
        if wish in self.names or not {"=", ","} & set(wish):
            return {self.number(wish): 1.0}
        weights: dict[int, float] = {}
        for part in wish.split(","):
            name, equals, digits = part.rpartition("=")
            number = self.number(name.strip()) if equals else -1
            weight = _number(digits)
            if number < 0 or number in weights or not 0 < weight < math.inf:
                raise DataError(
                    "style.blend",
                    "a blend has a weight above 0 for each of its styles, each named once",
                    where=part.strip()[:200],
                    saw=wish[:200],
                    fix=f"write it so: {self.names[0]}=0.7,{self.names[1]}=0.3",
                )
            weights[number] = weight
        total = math.fsum(weights.values())
        return {number: weight / total for number, weight in weights.items()}

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Names, as the code points of one text with a line each, and shares."""
        text = "\n".join(self.names).encode(UTF32, "surrogatepass")
        return {_NAMES: np.frombuffer(text, "<u4").astype(np.uint32), _SHARES: np.array(self.shares)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Styles | None":
        """The styles that `to_arrays` gave; None for no arrays. Raises DataError for invalid ones."""
        check_layout(arrays)
        if not arrays:
            return None
        try:
            names = tuple(arrays[_NAMES].astype("<u4").tobytes().decode(UTF32).split("\n"))
        except UnicodeDecodeError as fault:
            raise _invalid("the names of the styles are not code points", _NAMES, fault.reason) from fault
        shares = arrays[_SHARES].tolist()
        if len(names) != len(shares) or len(set(names)) < len(names) or "" in names:
            raise _invalid("each style must have a name of its own", _NAMES, f"{len(shares)} shares, {names}")
        if not (min(shares) >= 0 and math.isclose(math.fsum(shares), 1.0, rel_tol=1e-9)):
            raise _invalid("the shares of the styles must sum to 1", _SHARES, f"{shares}")
        return cls(names, tuple(shares))


def check_layout(arrays: Layouts, style_count: int | None = None) -> None:
    """Raise DataError unless arrays of these types and shapes can be styles, whatever their values.

    style_count:  of the network, if it is known.
    """
    count = arrays[_SHARES].shape[0] if _SHARES in arrays and arrays[_SHARES].ndim == 1 else 0
    if style_count is not None and style_count != count:
        raise _invalid("the network and its styles differ in number", _SHARES, f"{style_count} and {count}")
    if not arrays:
        return
    if set(arrays) != {_NAMES, _SHARES}:
        raise _invalid("missing or unknown arrays", "styles", f"names {', '.join(sorted(arrays))}")
    for name, dtype, fewest, most in (
        (_NAMES, np.uint32, 3, _LONGEST),
        (_SHARES, np.float64, 2, MOST_STYLES),
    ):
        array = arrays[name]
        if array.dtype != dtype or array.ndim != 1 or not fewest <= array.shape[0] <= most:
            what = f"it must be a vector of {np.dtype(dtype)}, of {fewest} to {most:,} elements"
            raise _invalid(what, name, f"{array.dtype} of shape {array.shape}")


def no_styles(wish: str) -> DataError:
    """The error for a style of a model that was trained without."""
    return DataError(
        "style.none",
        "the model knows no styles: it was trained on one list, or on several without their styles",
        saw=repr(wish)[:200],
        fix="leave the style out; or train on several lists, each as a style.",
    )


def _number(digits: str) -> float:
    try:
        return float(digits)
    except ValueError:
        return math.nan
