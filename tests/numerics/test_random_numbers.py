"""Random numbers that have a place."""

import numpy as np
import pytest

from rnn_core import random_numbers
from rnn_core.random_numbers import NAMES_PER_BLOCK, RandomStream


def test_they_are_those_of_splitmix64():
    stream = RandomStream(0, 0)
    stream._start = np.uint64(0)
    first = (stream.doubles(np.array([1, 2, 3]), 0) * 2.0**52).astype(np.uint64)
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]  # for a seed of 0
    assert first.tolist() == [number >> 12 for number in published]


def test_a_number_depends_on_seed_block_name_and_place_alone():
    names = np.arange(NAMES_PER_BLOCK)
    whole = RandomStream(5, 7).doubles(names, 3)
    some = np.array([40, 3, 65_535])
    assert RandomStream(5, 7).doubles(some, np.array([3, 3, 3])).tolist() == whole[some].tolist()
    assert RandomStream(5, 7).singles(some, 3).tolist() == (np.floor(whole[some] * 2**24) / 2**24).tolist()
    for other in (
        RandomStream(6, 7).doubles(names, 3),
        RandomStream(5, 8).doubles(names, 3),
        RandomStream(5, 7).doubles(names, 4),
    ):
        assert not np.intersect1d(whole, other).size
    assert RandomStream((1 << 64) - 1, (1 << 64) - 1).doubles(names, 10_000).max() < 1


@pytest.mark.parametrize("place", [0, 1, 9_999])
def test_they_are_spread_evenly_and_say_nothing_of_their_neighbours(place):
    numbers = np.concatenate(
        [RandomStream(1, block).doubles(np.arange(NAMES_PER_BLOCK), place) for block in range(4)]
    )
    following = np.concatenate(
        [RandomStream(1, block).doubles(np.arange(NAMES_PER_BLOCK), place + 1) for block in range(4)]
    )
    for across in (np.roll(numbers, 1), following):
        cells = np.bincount((numbers * 64).astype(int) * 64 + (across * 64).astype(int), minlength=64 * 64)
        expected = len(numbers) / len(cells)
        chi_squared = ((cells - expected) ** 2).sum() / expected
        assert abs(chi_squared - len(cells)) < 4 * np.sqrt(2 * len(cells))
    assert random_numbers.NAMES_PER_BLOCK == 65_536  # another one would make other names
