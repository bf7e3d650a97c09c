"""How rare names as wished are, and how long a list of them takes, found out before it is begun."""

import functools
import math
import time
from typing import NamedTuple

from rnn_core.errors import TrainingError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import Sampler
from tasks.process import signals

LONG_SECONDS = 10.0  # from which on it is said how long a list takes
_SECONDS = 3.0  # that a trial takes at most
_MORE_SECONDS = 10.0  # or this, if hardly a name was found until then
_FEW = 10  # names
_ENOUGH = 1 << 15  # accepted names, after which the first ones count little
_UNITS = (("hour", 3600), ("minute", 60), ("second", 1))


class Estimate(NamedTuple):
    """What a trial says of a whole list.

    rarity:   one of so many names of the model is as wished; if none was found, it is rarer.
    is_found: whether one was.
    seconds:  that the list takes; at least, if none was found.
    """

    rarity: float
    is_found: bool
    seconds: float

    def __str__(self) -> str:
        rarity = f"{self.rarity:,.1f}" if self.rarity < 10 else f"{self.rarity:,.0f}"
        if not self.is_found:
            return (
                f"none of {rarity} names is as wished, so the list may take {duration(self.seconds)} or more"
            )
        return f"about one name in {rarity} is as wished, so the list takes about {duration(self.seconds)}"


def estimate(sampler: Sampler, count: int, workers: int) -> Estimate:
    """The estimate for so many names, by some seconds of drawing; 0 seconds if that was all."""
    enough, few = min(-(-count // 20), _ENOUGH), min(max(count // 100, 1), _FEW)
    accepted, attempts, possible, seconds = _trial(sampler, enough, few)
    share = possible * max(accepted, 1) / max(attempts, 1)
    together = min(workers, math.ceil(count / NAMES_PER_BLOCK))
    return Estimate(1 / share, accepted > 0, seconds * count / max(accepted, 1) / max(together, 1))


def check_patience(expected: Estimate, minutes: float) -> None:
    """Raise TrainingError if a list is expected to take longer; 0 minutes allow any time."""
    if minutes and expected.seconds > minutes * 60:
        raise TrainingError(
            "sampling.too_rare",
            f"names as wished are rare: the list would take longer than {duration(minutes * 60)}",
            saw=str(expected),
            fix="ask for fewer names, or wish for what is less rare; or raise patience to "
            f"{math.ceil(expected.seconds / 60 * 1.2):,} minutes, or set it to 0 for any time.",
        )


def duration(seconds: float) -> str:
    """A duration in a unit that suits it: `3 hours`, `1.5 minutes`."""
    unit, size = next((pair for pair in _UNITS if seconds >= pair[1]), _UNITS[-1])
    amount = seconds / size
    text = f"{amount:,.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")
    return f"{text} {unit}{'' if text == '1' else 's'}"


@functools.lru_cache(maxsize=1)  # a request is checked twice if Prefect records it
def _trial(sampler: Sampler, enough: int, few: int) -> tuple[int, int, float, float]:
    """Accepted names, attempts, the share of names that are attempted at all, and the seconds it took.

    enough, few:  accepted names with which it ends at once, and without which it takes longer.
    """
    start = time.monotonic()

    def goes_on(accepted: int, _rejected: int) -> bool:
        signals.raise_if_requested("while rare names were tried out")
        limit = _SECONDS if accepted >= few else _MORE_SECONDS
        return accepted < enough and time.monotonic() - start < limit

    trial = sampler.try_out(goes_on)
    return *trial, time.monotonic() - start
