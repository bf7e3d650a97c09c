"""BLAS as a process finds it that has only just begun."""

import contextlib
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from tasks.process import blas
from tasks.stages import lists


@contextlib.contextmanager
def fresh_process(monkeypatch: pytest.MonkeyPatch, threads: int) -> Iterator[None]:
    """As if nothing was computed yet, and BLAS had so many threads, here and in new processes."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", str(threads))
    monkeypatch.setattr(blas, "one_thread", type(blas.one_thread)())
    lists.sampler.cache_clear()
    with threadpool_limits(threads, user_api="blas"):
        yield
    blas.limit_to_one_thread()
