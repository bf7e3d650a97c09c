"""Parts of a stage in several threads."""

import threading
import time
from functools import partial

import pytest

from tasks.process import threads


@pytest.mark.parametrize("count", [1, 2, 8])
def test_parts_give_their_results_in_their_order_whoever_is_first(count):
    is_second_done = threading.Event()

    def first() -> str:
        assert count == 1 or is_second_done.wait(10), "it runs beside the second"
        return "first"

    def second() -> str:
        is_second_done.set()
        return "second"

    assert threads.results([first, second], count) == ["first", "second"]


def test_the_first_error_ends_the_parts_and_what_has_not_begun_never_does():
    begun: list[int] = []

    def part(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        time.sleep(0.05)

    with pytest.raises(ValueError, match="the first"):
        threads.results([partial(part, number) for number in range(100)], 2)
    assert len(begun) < 100
