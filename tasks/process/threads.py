"""Independent parts of one stage in several threads, which pays where NumPy computes on large arrays.

Of small ones, as of edit distances, two threads took nearly twice the time of one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def results(calls: Sequence[Callable[[], Result]], threads: int) -> list[Result]:
    """What these calls return, in their order, the same with any number of threads.

    Raises the first error in that order, once those under way have ended; what has not begun never does.
    """
    if threads == 1 or len(calls) < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(threads, len(calls)), thread_name_prefix="part") as executor:
        futures = [executor.submit(call) for call in calls]
        try:
            return [future.result() for future in futures]
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
