"""A training's checkpoints: read when it begins, written now and then, and before it stops on request."""

import time
from collections.abc import Callable
from typing import TypeVar

from artifacts.formats import Arrays
from rnn_core.errors import DataError
from tasks.core.stage import StageContext
from tasks.process import signals

State = TypeVar("State")


class Checkpoints:
    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._next = time.monotonic() + context.settings.checkpoint_seconds

    def resumed(self, opened: Callable[[Arrays], State]) -> State | None:
        """The state that a killed training left, if any; a damaged one is set aside."""
        checkpoint = self._context.writer.checkpoint
        try:
            arrays = checkpoint.read()
            return None if arrays is None else opened(arrays)
        except DataError as damage:
            self._context.notice(
                f"damaged checkpoint set aside in {checkpoint.quarantine()}: {damage.what}; {damage.saw}"
            )
            return None

    def keep(self, arrays: Callable[[], Arrays], at: str) -> None:
        """Between two steps: write a checkpoint if it is time, or if someone asked to stop.

        Raises Interrupted in the latter case.
        """
        now = time.monotonic()
        if now >= self._next or signals.requested():
            self._context.writer.checkpoint.write(arrays())
            self._next = now + self._context.settings.checkpoint_seconds
        signals.raise_if_requested(
            at, "a checkpoint is written: run the same command again, and it goes on from there."
        )
