"""How far a generated list is: one sum over its shards, whoever makes them and however many at once."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tasks.core.events import Event, Finished, Listener, Progress
from tasks.core.stage import AnyStage

_SECONDS = 0.5  # between two events of a stage


class ProgressAggregator:
    """A listener that passes on one sum for all runs of a stage, in place of the progress of each.

    What another process makes is counted when it has ended, the rest as it grows.

    show:  gets the sums as well, and nothing else.
    """

    def __init__(self, on_event: Listener, show: Callable[[Progress], object]) -> None:
        self._on_event, self._show = on_event, show
        self._lock = threading.Lock()
        self._sums: dict[str, _NameCount] = {}

    def expect(self, stage: AnyStage, config: Any) -> None:
        """Count what this run of the stage will make; before it runs."""
        if stage.names:
            with self._lock:
                self._sums.setdefault(stage.name, _NameCount(stage.name)).expect(
                    stage.label(config), stage.names(config)
                )

    def __call__(self, event: Event) -> None:
        """Pass the event on, or the sum that it changes."""
        with self._lock:
            added = self._add(event)
        if added:
            self._on_event(added)
            self._show(added)
        if not isinstance(event, Progress) or event.stage not in self._sums:
            self._on_event(event)

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
    """Of names. found: those that existed already, which are no part of the speed."""

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
