"""Artifacts that somebody removes while a run uses them: the run is repeated, and makes them again."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from artifacts.errors import StoreError
from artifacts.store import Artifact
from rnn_core.errors import Interrupted, NamewrightError
from tasks.core.events import Listener, Notice

_MOST_REPEATS = 3

Result = TypeVar("Result")


class RemovedError(StoreError):
    """An artifact of the run is no longer in the store."""


@contextmanager
def removal_detected(artifacts: Callable[[], Iterable[Artifact]]) -> Iterator[None]:
    """Raise RemovedError in place of the error of a run of which an artifact was removed.

    artifacts:  gives those that the run has found or made so far.
    """
    try:
        yield
    except Interrupted:
        raise
    except (NamewrightError, OSError) as error:
        for artifact in artifacts():
            if not os.path.lexists(artifact.folder):
                raise RemovedError(
                    "store.removed",
                    "an artifact was removed while the run used it",
                    where=artifact.place,
                    fix="run the same command again when nobody removes artifacts: it makes them again.",
                ) from error
        raise


def repeat_if_removed(run: Callable[[], Result], on_event: Listener) -> Result:
    """What the run returns; it is repeated if its artifacts are removed meanwhile. Raises what it raises."""
    for _ in range(_MOST_REPEATS):
        try:
            return run()
        except RemovedError as removed:
            on_event(Notice("store", f"{removed.where} was removed meanwhile: it is made again"))
    return run()
