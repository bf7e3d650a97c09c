"""How far a list is, from what its shards say, whoever makes them and however many at once."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tasks.core.events import Event, Finished, Listener, Progress
from tasks.core.stage import AnyStage

_SECONDS = 0.5  # between two events of a stage


class ProgressAggregator:
    """A listener that tells another one of one sum for all runs of a stage.

    What is made in another process is counted when it is finished, the rest as it grows.

    also:  is told of the sums as well, and of nothing else.
    """

    def __init__(self, listener: Listener, also: Callable[[Progress], object]) -> None:
        self._listener, self._also = listener, also
        self._lock = threading.Lock()
        self._sums: dict[str, _NameCount] = {}

    def expect(self, stage: AnyStage, config: Any) -> None:
        """Before the stage is run."""
        if stage.names:
            with self._lock:
                self._sums.setdefault(stage.name, _NameCount(stage.name)).expect(
                    stage.label(config), stage.names(config)
                )

    def __call__(self, event: Event) -> None:
        with self._lock:
            added = self._add(event)
        if added:
            self._listener(added)
            self._also(added)
        if not isinstance(event, Progress) or event.stage not in self._sums:
            self._listener(event)

    def _add(self, event: Event) -> Progress | None:
        names = self._sums.get(event.stage)
        match event:
            case Progress() if names:
                return names.add(event.title, event.done)
            case Finished() if names:
                return names.finish(event.title, event.reused)
            case _:
                return None


@dataclass
class _NameCount:
    """Names. found: that were there already, which is no part of the speed."""

    stage: str
    began: float = field(default_factory=time.monotonic)
    expected: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    found: int = 0
    next_event: float = 0.0

    def expect(self, title: str, names: int) -> None:
        self.expected[title] = names

    def finish(self, title: str, reused: bool) -> Progress | None:
        names = self.expected[title]
        self.found += names if reused else 0
        return self.add(title, names)

    def add(self, title: str, done: int) -> Progress | None:
        self.done[title] = done
        now = time.monotonic()
        total, so_far = sum(self.expected.values()), sum(self.done.values())
        if now < self.next_event and so_far < total:
            return None
        self.next_event = now + _SECONDS
        rate = (so_far - self.found) / max(now - self.began, 1e-9)
        left = round((total - so_far) / rate) if rate else None
        return Progress(self.stage, self.stage, so_far, total, f"{rate:,.0f} names/s", left)
