"""How far a long stage is, as Prefect's UI shows it: also after a failed request, and whole at the end."""

import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tasks.core.events import Progress


@pytest.fixture
def refused() -> set[int]:
    """Numbers of the requests that the server refuses: every second one, if a test does not say otherwise."""
    return set(range(1, 1_000, 2))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, refused: set[int]) -> list[float]:
    """The percentages that the server took."""
    from tasks.engines import prefect

    percents: list[float] = []
    requests = iter(range(1_000))

    def put(percent: float, **_labels: Any) -> UUID:
        if next(requests) in refused:
            raise httpx.ConnectError("nobody there")
        percents.append(percent)
        return uuid4()

    monkeypatch.setattr(prefect, "_PROGRESS_SECONDS", 0.05)
    monkeypatch.setattr(prefect, "create_progress_artifact", put)
    monkeypatch.setattr(
        prefect, "update_progress_artifact", lambda _id, percent, **labels: put(percent, **labels)
    )
    return percents


def wait(until: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30.0
    while not until():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_progress_goes_on_after_a_request_that_failed(
    shown: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    from tasks.engines.prefect import _LiveProgress

    progress = _LiveProgress("model", logging.getLogger("stage"))
    with caplog.at_level(logging.WARNING):
        for done in range(1, 4):
            seen = len(shown)
            progress.update(Progress("model", "model", done, 4, ""))
            wait(lambda seen=seen: len(shown) > seen)  # type: ignore[misc]
        progress.end()
    assert shown[0] == 25.0
    assert 75.0 in shown
    assert "progress is not shown for a while: ConnectError" in caplog.text


@pytest.mark.parametrize("refused", [set()], ids=["nothing"])
@pytest.mark.parametrize(("complete", "percent"), [(True, 100.0), (False, 25.0)])
def test_progress_of_a_stage_that_stopped_early_ends_at_100_percent(
    complete: bool, percent: float, shown: list[float]
) -> None:
    from tasks.engines.prefect import _LiveProgress

    progress = _LiveProgress("model", logging.getLogger("stage"))
    progress.update(Progress("model", "model", 1, 4, ""))
    wait(lambda: bool(shown))
    progress.end(complete)
    wait(lambda: shown[-1] == percent)
