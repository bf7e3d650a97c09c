"""Checkpoints of a training: read when it begins, written now and then, and before it stops on request."""

import time
from collections.abc import Callable
from typing import TypeVar

from artifacts.formats import Arrays
from artifacts.npz import Check
from rnn_core.errors import DataError
from tasks.core.stage import StageContext
from tasks.process import signals

State = TypeVar("State")


class Checkpoints:
    """The checkpoints of a training, at the interval of the settings."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._next = time.monotonic() + context.settings.checkpoint_seconds

    def load(self, from_arrays: Callable[[Arrays], State], check: Check) -> State | None:
        """The state that a killed training left, if any; a damaged one is quarantined.

        check:  raises for arrays of other names, types or shapes, before they are in memory.
        """
        checkpoint = self._context.writer.checkpoint
        try:
            arrays = checkpoint.read(check)
            return None if arrays is None else from_arrays(arrays)
        except DataError as damage:
            self._context.notice(
                f"damaged checkpoint set aside in {checkpoint.quarantine()}: {damage.what}; {damage.saw}"
            )
            return None

    def save_if_due(self, arrays: Callable[[], Arrays], at: str) -> None:
        """Write a checkpoint, between two steps, if it is time or a stop was requested.

        Raises Interrupted in the latter case, once every machine that shares the store can go on from it;
        StoreError if a bucket does not take it.
        """
        now, checkpoint = time.monotonic(), self._context.writer.checkpoint
        if signals.requested():  # asked once: a signal may come at any moment
            checkpoint.write(arrays())
            checkpoint.flush()  # this machine may be gone in a moment
            signals.raise_if_requested(
                at, "a checkpoint is written: run the same command again, and it goes on from there."
            )
        elif now >= self._next:
            checkpoint.write(arrays())
            self._next = now + self._context.settings.checkpoint_seconds
