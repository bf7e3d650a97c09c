"""BLAS on one thread: sharing a product out changes its last bits, and small ones lose by it."""

import threading
from typing import Any


class _OneThread:
    """A context manager: the first thread within it sets the limit, the last one lifts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._limits: Any = None
        self._is_permanent = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._within:
                self._limits = _limited()
            self._within += 1

    def __exit__(self, *_raised: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                _take_control()
                self._limits.restore_original_limits()
                _take_control()

    def enter_for_good(self) -> None:
        """Set the limit, whoever has changed it since, and let nobody within lift it."""
        with self._lock:
            self._limits = _limited()
            self._within += not self._is_permanent
            self._is_permanent = True


one_thread = _OneThread()


def limit_to_one_thread() -> None:
    """Limit BLAS to one thread for the rest of the process."""
    one_thread.enter_for_good()


def _limited() -> Any:
    from threadpoolctl import threadpool_limits  # only for those who compute

    _take_control()
    return threadpool_limits(1, user_api="blas")


def _take_control() -> None:
    """Let any thread set the limit: else only the first that ever did so may, and others fail silently."""
    from threadpoolctl import OpenBLASController

    OpenBLASController.clear_controlling_thread(force=True)
