"""How many names to sample so that enough are accepted, and which of them go into which file.

Sampling goes by rounds, each sized by the yield of the one before. How they fall changes nothing of the list:
its names are the first acceptable ones of the endless list of its seed.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from artifacts.store import Artifact
from rnn_core.errors import TrainingError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from tasks.config.generate import CompactionConfig, GenerateConfig

MIN_YIELD = 0.005  # accepted names per name of a round; below it the model has hardly more
_MARGIN = 1.1
_MAX_GROWTH = 2.0  # names of a round, relative to those of all before it
_JUDGED = 1_024  # names of a round from which on its yield says something


class Round(NamedTuple):
    """Totals after a round.

    sampled:   names, in whole blocks.
    accepted:  those of them that may be in the list.
    """

    sampled: int
    accepted: int


def next_round_size(config: GenerateConfig, rounds: Sequence[Round]) -> int:
    """How many names to sample next; 0 if there are enough, or the model has hardly more.

    In whole blocks, but for names as wished, which may be so rare that a block takes long.
    """
    sampled, accepted = rounds[-1]
    missing = config.count - accepted
    if missing <= 0:
        return 0
    unit = 1 if config.has_wishes else NAMES_PER_BLOCK
    if not sampled:
        return _rounded_up(missing, unit)
    last = sampled - rounds[-2].sampled
    share = (accepted - rounds[-2].accepted) / last
    if share < MIN_YIELD:
        return 0 if last >= _JUDGED else _rounded_up(_MAX_GROWTH * sampled, unit)
    return _rounded_up(min(_MARGIN * missing / share, _MAX_GROWTH * sampled), unit)


def check_enough(config: GenerateConfig, rounds: Sequence[Round]) -> None:
    """Raise TrainingError if too few names were accepted, and fewer were not asked for."""
    sampled, accepted = rounds[-1]
    last = sampled - rounds[-2].sampled, accepted - rounds[-2].accepted
    saw = f"of the last {last[0]:,} only {last[1]:,} could be accepted"
    _check(config, accepted, f"after {sampled:,} were sampled", saw)


def check_existing(config: GenerateConfig, count: int) -> None:
    """Raise TrainingError if a list that exists has as many names as the model had, and those are too few."""
    _check(config, count, "in the list that exists", "there were no more when it was made")


def _check(config: GenerateConfig, count: int, where: str, saw: str) -> None:
    if count >= config.count or config.fewer:
        return
    kind = " ".join(word for word, is_on in (("different", config.unique), ("new", config.novel)) if is_on)
    raise TrainingError(
        "sampling.too_few",
        f"the model has too few {kind} names under these settings",
        where=f"{count:,} of {config.count:,} {where}",
        saw=saw,
        fix="raise the temperature or the largest length, loosen the other constraints; "
        "or take those there are.",
    )


def accepted_counts(sampled: Sequence[Artifact], accepted: Sequence[Artifact]) -> list[int]:
    """How many names are accepted of each artifact of sampled ones.

    accepted:  by partitions; empty where all that was sampled is accepted.
    """
    if not accepted:
        return [artifact.manifest().rows or 0 for artifact in sampled]
    by_partition = [artifact.manifest().metadata["let_in"] for artifact in accepted]
    return [sum(counts) for counts in zip(*by_partition, strict=True)]


def compaction_configs(config: GenerateConfig, accepted: Sequence[int]) -> Iterator[CompactionConfig]:
    """The configuration of every file of the list.

    accepted:  names, of each artifact of sampled ones.
    """
    ends = list(accumulate(accepted, initial=0))
    for file, names in config.sizes(min(ends[-1], config.count)):
        stop = file.first + names
        reads = [
            number for number in range(len(accepted)) if ends[number] < stop and ends[number + 1] > file.first
        ]
        first, last = (reads[0], reads[-1] + 1) if reads else (0, 0)
        yield CompactionConfig(
            (first, last), file.first - ends[first], names, config.sampling.capitalise_first, file
        )


def _rounded_up(names: float, unit: int) -> int:
    return -(-int(names) // unit) * unit
