"""How many names to draw so that enough are let in, and which of them go into which file.

It goes by rounds, each by what the one before it gave. How they fall changes nothing of the list: its names
are the first of the endless list that may be let in.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from artifacts.store import Artifact
from rnn_core.errors import TrainingError
from rnn_core.random_numbers import NAMES_PER_BLOCK
from tasks.config.generate import GatheringConfig, GenerateConfig

LEAST_YIELD = 0.005  # of the names of a round, those that were let in: with fewer the model has hardly more
_MARGIN = 1.1
_MOST = 2.0  # times as many in a round as in all before it


class Round(NamedTuple):
    """What there was after it. drawn: names, in whole blocks. let_in: of them."""

    drawn: int
    let_in: int


def next_round_size(wanted: int, rounds: Sequence[Round]) -> int:
    """How many to draw next, in whole blocks; 0 if there are enough, or the model has hardly more."""
    drawn, found = rounds[-1]
    missing = wanted - found
    if missing <= 0:
        return 0
    if not drawn:
        return _blocks(missing)
    share = _last_yield(rounds)
    return _blocks(min(_MARGIN * missing / share, _MOST * drawn)) if share >= LEAST_YIELD else 0


def check_enough(config: GenerateConfig, rounds: Sequence[Round]) -> None:
    """Raises TrainingError if there are too few, and what there are is not asked for."""
    drawn, found = rounds[-1]
    last, let_in = drawn - rounds[-2].drawn, found - rounds[-2].let_in
    _check_enough(
        config, found, f"after {drawn:,} were drawn", f"of the last {last:,} only {let_in:,} could be let in"
    )


def check_existing(config: GenerateConfig, found: int) -> None:
    """The same of a list that is whole, of as many names as the model had."""
    _check_enough(config, found, "in the list that is there", "it was made with --fewer")


def _check_enough(config: GenerateConfig, found: int, after: str, saw: str) -> None:
    if found >= config.count or config.fewer:
        return
    kind = " ".join(
        word for word, is_asked in (("different", config.unique), ("new", config.novel)) if is_asked
    )
    raise TrainingError(
        "sampling.too_few",
        f"the model has too few {kind} names under these settings",
        where=f"{found:,} of {config.count:,} {after}",
        saw=saw,
        fix="raise --temperature or --max-length, loosen --prefix, --top-k, --top-p, --allowed or "
        "--forbidden; or take those there are: the same command with --fewer.",
    )


def accepted_counts(candidates: Sequence[Artifact], sifted: Sequence[Artifact]) -> list[int]:
    """How many names are let in of each artifact of candidates.

    sifted:  by partitions; empty where each of them has been sifted by itself.
    """
    if not sifted:
        return [one.manifest().rows or 0 for one in candidates]
    by_partition = [one.manifest().metadata["let_in"] for one in sifted]
    return [sum(counts) for counts in zip(*by_partition, strict=True)]


def compaction_configs(config: GenerateConfig, let_in: Sequence[int]) -> Iterator[GatheringConfig]:
    """Every file of the list. let_in: names, of each artifact of candidates."""
    ends = list(accumulate(let_in, initial=0))
    for file, names in config.sizes(min(ends[-1], config.count)):
        stop = file.first + names
        reads = [
            number for number in range(len(let_in)) if ends[number] < stop and ends[number + 1] > file.first
        ]
        first, last = (reads[0], reads[-1] + 1) if reads else (0, 0)
        yield GatheringConfig(
            (first, last), file.first - ends[first], names, config.sampling.capitalise_first, file
        )


def _last_yield(rounds: Sequence[Round]) -> float:
    return (rounds[-1].let_in - rounds[-2].let_in) / (rounds[-1].drawn - rounds[-2].drawn)


def _blocks(names: float) -> int:
    return -(-int(names) // NAMES_PER_BLOCK) * NAMES_PER_BLOCK
