"""What a run shows: plain lines into a pipe, moving bars and a table on a terminal."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tasks.core.events import Event, Finished, Notice, Progress
from tasks.core.plan import PlannedStage
from tasks.report.markup import Column
from tasks.report.sheets import Sheet

if TYPE_CHECKING:
    from rich.progress import TaskID


_LINE_SECONDS = 5.0  # between two progress lines in a log
_NAMES_SHOWN = 10


class Console(Protocol):
    """A listener that can also show what comes before and after the stages."""

    def __call__(self, event: Event) -> None: ...
    def say(self, text: str) -> None: ...
    def plan(self, stages: Sequence[PlannedStage]) -> None: ...
    def summary(
        self, stages: Sequence[Finished], names: Sequence[str], page: str, seconds: float
    ) -> None: ...
    def listed(self, whole: Finished) -> None: ...
    def sheets(self, sheets: Iterable[Sheet]) -> None: ...


@contextmanager
def opened() -> Iterator[Console]:
    """Rich on a terminal; it is not even imported otherwise."""
    if not sys.stdout.isatty():
        yield PlainLines()
        return
    with Terminal.shown() as terminal:
        yield terminal


def outcome(stage: Finished) -> str:
    return "cached" if stage.reused else "computed"


def counted(stages: Sequence[Finished]) -> str:
    computed = sum(not stage.reused for stage in stages)
    return f"{computed} computed, {len(stages) - computed} cached"


class PlainLines:
    """One line for one fact, for logs and pipes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_line: dict[str, float] = {}

    def say(self, text: str) -> None:
        with self._lock:
            print(text, flush=True)

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                if self._due(event.stage):
                    self.say(str(event))
            case Notice():
                self.say(f"{event.stage}: {event.text}")
            case Finished():
                rows = "" if event.rows is None else f"{event.rows:,} rows"
                spent = f"{event.seconds:.2f} s"
                done = f"{event.title:<20} {outcome(event):<9} {rows:>12} {spent:>10}"
                self.say(f"{done}  {event.artifact.folder}")

    def plan(self, stages: Sequence[PlannedStage]) -> None:
        for stage in stages:
            self.say(f"{stage.title:<20} {f'compute: {stage.reason}' if stage.reason else 'cached'}")

    def summary(self, stages: Sequence[Finished], names: Sequence[str], page: str, seconds: float) -> None:
        self.say(f"{len(stages)} stages: {counted(stages)}, {seconds:.1f} s")
        self.say(f"names: {', '.join(names[:_NAMES_SHOWN])}")
        self.say(f"report: {page}")

    def listed(self, whole: Finished) -> None:
        for line in _of_a_list(whole):
            self.say(line)

    def sheets(self, sheets: Iterable[Sheet]) -> None:
        for sheet in sheets:
            self.say(f"{sheet.title}:")
            for line in _aligned(sheet) or [sheet.nothing]:
                self.say(f"  {line}")

    def _due(self, stage: str) -> bool:
        now = time.monotonic()
        if now < self._next_line.setdefault(stage, now + _LINE_SECONDS):
            return False
        self._next_line[stage] = now + _LINE_SECONDS
        return True


class Terminal:
    """Rich bars while it runs, and a table at the end."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._console = RichConsole(highlight=False)
        self._bars = Bars(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._lock = threading.Lock()
        self._bar_of: dict[str, TaskID] = {}

    @classmethod
    @contextmanager
    def shown(cls) -> Iterator["Terminal"]:
        terminal = cls()
        with terminal._bars:
            yield terminal

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, emoji=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event:
                case Progress():
                    if event.stage not in self._bar_of:
                        self._bar_of[event.stage] = self._bars.add_task(
                            event.stage, total=event.total, note=""
                        )
                    self._bars.update(
                        self._bar_of[event.stage], completed=event.done, total=event.total, note=event.note
                    )
                case Notice():
                    self.say(f"{event.stage}: {event.text}")
                case Finished():
                    if event.stage in self._bar_of:
                        self._bars.remove_task(self._bar_of.pop(event.stage))

    def plan(self, stages: Sequence[PlannedStage]) -> None:
        heads = Column("stage"), Column("would be")
        self._table(heads, [(stage.title, _would_be(stage)) for stage in stages])

    def summary(self, stages: Sequence[Finished], names: Sequence[str], page: str, seconds: float) -> None:
        rows = [
            (
                stage.title,
                outcome(stage),
                "" if stage.rows is None else f"{stage.rows:,}",
                f"{stage.seconds:.2f}",
                str(stage.artifact.folder),
            )
            for stage in stages
        ]
        numbers = Column("rows", numeric=True), Column("seconds", numeric=True)
        self._table((Column("stage"), Column(""), *numbers, Column("where")), rows)
        self.say(f"{counted(stages)} in {seconds:.1f} s")
        self.say(f"names   {', '.join(names[:_NAMES_SHOWN])}")
        self.say(f"report  {page}")

    def listed(self, whole: Finished) -> None:
        for line in _of_a_list(whole):
            self.say(line)

    def sheets(self, sheets: Iterable[Sheet]) -> None:
        for sheet in sheets:
            if sheet.rows:
                self._table(sheet.heads, sheet.rows, sheet.title)
            else:
                self.say(f"{sheet.title}: {sheet.nothing}")

    def _table(self, heads: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold")
        for head in heads:
            table.add_column(head.head, justify="right" if head.numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        self._console.print(table)


def _of_a_list(whole: Finished) -> Iterator[str]:
    made = whole.artifact.manifest()
    names, new, first = (
        made.metadata["names"],
        made.metadata.get("new"),
        made.metadata["first"][:_NAMES_SHOWN],
    )
    size = sum(file.bytes for file in made.files.values()) / 1e6
    speed = f"{whole.seconds:.1f} s, {names / max(whole.seconds, 1e-9):,.0f} names/s"
    yield f"{_some(names, 'name')}: {'there already' if whole.reused else speed}"
    if new is not None and names:
        yield f"in the training list: {names - new:,} of them"
    if first:
        yield f"names: {', '.join(first)}"
    yield f"list: {whole.artifact.folder}  ({_some(len(made.files), 'file')}, {size:,.1f} MB)"


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _aligned(sheet: Sheet) -> list[str]:
    """Its rows below its heads, each column as wide as its widest cell; none without rows."""
    if not sheet.rows:
        return []
    columns = list(zip([head.head for head in sheet.heads], *sheet.rows, strict=True))
    padded = [
        [
            cell.rjust(max(map(len, cells))) if head.numeric else cell.ljust(max(map(len, cells)))
            for cell in cells
        ]
        for head, cells in zip(sheet.heads, columns, strict=True)
    ]
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


_STYLES = {
    "computed": "green",
    "cached": "dim",
    "too much": "bold red",
    "champion": "green",
    "rolled back": "dim",
}


def _would_be(stage: PlannedStage) -> str:
    return f"computed: {stage.reason}" if stage.reason else "cached"
