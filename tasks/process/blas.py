"""BLAS on one thread: sharing a product out changes its last bits, and small ones lose by it."""

import functools
import threading
from typing import Any


class _OneThread:
    """A context manager: the first thread within it sets the limit, the last one lifts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits  # only for those who compute

        with self._lock:
            if not self._within:
                self._limits = threadpool_limits(1, user_api="blas")
            self._within += 1

    def __exit__(self, *_raised: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                self._limits.restore_original_limits()


one_thread = _OneThread()


@functools.cache
def limit_to_one_thread() -> None:
    """Limit BLAS to one thread for the rest of the process."""
    one_thread.__enter__()
