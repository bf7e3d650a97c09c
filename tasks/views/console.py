"""What a command shows: plain lines into a pipe; moving bars and tables on a terminal."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from artifacts.manifest import Manifest
from rnn_core.errors import escape_controls
from tasks.core.events import Event, Finished, Notice, Progress
from tasks.report.blend import blend_sections
from tasks.report.sections import Cell, Row, Section, Table, cell, columns
from tasks.report.text import escape_invisible
from tasks.stages import OF_A_LIST

if TYPE_CHECKING:
    from rich.progress import TaskID

    from tasks.core.plan import Plan, PlannedStage


_IN_PARTS = {stage.name for stage in OF_A_LIST}  # of which a long list has thousands
_LINE_SECONDS = 5.0  # between two progress lines in a log
_NAMES_SHOWN = 10
_LONGEST = 10_000  # characters of a cell
_WHOLE = 12  # of a cell that is never folded
_STYLES = {"good": "green", "bad": "bold red", "strong": "bold", "muted": "dim"}  # by the tone of a cell


@contextmanager
def open_console() -> Iterator["Console"]:
    """A console for standard output: rich on a terminal, which is not even imported otherwise."""
    if not sys.stdout.isatty():
        yield Console()
        return
    terminal = TerminalConsole()
    with terminal.bars:
        yield terminal


def outcome(stage: Finished) -> str:
    """Whether a stage was computed, or cached."""
    return "cached" if stage.reused else "computed"


def count_outcomes(stages: Sequence[Finished]) -> str:
    """How many stages were computed, and how many cached."""
    computed = sum(not stage.reused for stage in stages)
    return f"{computed} computed, {len(stages) - computed} cached"


class Console:
    """A listener that also shows what comes before and after the stages: one line for one fact, for pipes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_line: dict[str, float] = {}

    def print(self, text: str) -> None:
        """Write a line at once, whole beside those of other threads."""
        with self._lock:
            print(escape_controls(text), flush=True)

    def __call__(self, event: Event) -> None:
        """Write a line for an event; of progress, one every few seconds."""
        match event:
            case Progress():
                if self._is_due(event.stage):
                    self.print(str(event))
            case Notice():
                self.print(f"{event.stage}: {event.text}")
            case Finished():
                self.print(f"{_stage_line(event)}  {event.artifact.place}")

    def plan(self, plan: "Plan") -> None:
        """Write what changed, what follows from it, and a line for each stage."""
        for line in (*plan.changes, plan.summary):
            self.print(line)
        self._planned(plan.stages)

    def run_summary(
        self, stages: Sequence[Finished], model: str, names: Sequence[str], page: str, seconds: float
    ) -> None:
        """Write a line each on the stages, the model, the names and the report."""
        self.print(f"{len(stages)} stages: {count_outcomes(stages)}, {seconds:.1f} s")
        self.print(f"model: {model}")
        self.print(f"names: {', '.join(names[:_NAMES_SHOWN])}")
        self.print(f"report: {page}")

    def list_summary(self, whole: Finished) -> None:
        """Write a few lines on a generated list."""
        manifest = whole.artifact.manifest()
        for line in _list_lines(whole, manifest):
            self.print(line)
        self.sections(blend_sections(manifest.metadata))

    def sections(self, sections: Iterable[Section]) -> None:
        """Write each title with the rows of its table below it, in aligned columns."""
        for section in sections:
            self.print(f"{section.title}:")
            for line in [*section.points, *_aligned(section.table)] or [section.lead]:
                self.print(f"  {line}")

    def _planned(self, stages: "Sequence[PlannedStage]") -> None:
        for stage in stages:
            self.print(f"{stage.title:<20} {f'compute: {stage.reason}' if stage.reason else 'cached'}")

    def _is_due(self, stage: str) -> bool:
        now = time.monotonic()
        if now < self._next_line.setdefault(stage, now + _LINE_SECONDS):
            return False
        self._next_line[stage] = now + _LINE_SECONDS
        return True


class TerminalConsole(Console):
    """Rich bars while a run goes on, and tables at its end."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        super().__init__()
        self._console = RichConsole(highlight=False)
        # On 80 columns there is not room for all: the note gives way.
        self.bars = Bars(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn(
                "{task.fields[note]}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._bar_of: dict[str, TaskID] = {}

    def print(self, text: str) -> None:
        """Write text above the bars; nothing in it is markup."""
        self._console.print(escape_controls(text), markup=False, emoji=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Move the bars, or write a notice above them."""
        with self._lock:
            match event:
                case Progress():
                    if event.stage not in self._bar_of:
                        self._bar_of[event.stage] = self.bars.add_task(
                            event.stage, total=event.total, note=""
                        )
                    bar = self._bar_of[event.stage]
                    self.bars.update(bar, completed=event.done, total=event.total, note=event.note)
                case Notice():
                    self.print(f"{event.stage}: {event.text}")
                case Finished():
                    if event.stage in self._bar_of:
                        self.bars.remove_task(self._bar_of.pop(event.stage))
                    if event.stage not in _IN_PARTS:
                        self.print(_stage_line(event))

    def _planned(self, stages: "Sequence[PlannedStage]") -> None:
        rows: list[Row] = [[stage.title, _plan_cell(stage)] for stage in stages]
        self._table(Table(columns("stage", "would be"), rows))

    def run_summary(
        self, stages: Sequence[Finished], model: str, names: Sequence[str], page: str, seconds: float
    ) -> None:
        """Draw a table of the stages, and write which model it is, its names, and where the report is."""
        self._table(stages_table(stages, whole_paths=False))
        self.print(f"{count_outcomes(stages)} in {seconds:.1f} s")
        self.print(f"model   {model}")
        self.print(f"names   {', '.join(names[:_NAMES_SHOWN])}")
        self.print(f"report  {page}")

    def sections(self, sections: Iterable[Section]) -> None:
        """Draw each table under its title."""
        for section in sections:
            if section.table and section.table.rows:
                self._table(section.table, section.title)
            elif section.points:
                self.print("\n".join([f"{section.title}:", *(f"  {point}" for point in section.points)]))
            else:
                self.print(f"{section.title}: {section.lead}")

    def _table(self, table: Table, title: str = "") -> None:
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        drawn = RichTable(
            box=box.SIMPLE_HEAD,
            title=title or None,
            title_justify="left",
            title_style="bold",
            collapse_padding=True,
        )
        rows = [[cell(value) for value in row] for row in table.rows]
        for place, column in enumerate(table.columns):
            drawn.add_column(
                column.title,
                justify="right" if column.numeric else "left",
                overflow="fold",
                # A key or a word stays whole, whatever else has to be folded.
                no_wrap=not column.numeric and all(len(row[place].text) <= _WHOLE for row in rows),
            )
        for row in rows:
            drawn.add_row(*(Text(_text(value), style=_STYLES.get(value.tone, "")) for value in row))
        self._console.print(drawn)


def _stage_line(event: Finished) -> str:
    rows = "" if event.rows is None else f"{event.rows:,} rows"
    return f"{event.title:<20} {outcome(event):<9} {rows:>12} {f'{event.seconds:.2f} s':>10}"


def stages_table(stages: Sequence[Finished], whole_paths: bool = True) -> Table:
    """The stages of a run: whether each was computed, where it is, how many rows it has, how long it took.

    whole_paths:  show the folder of an artifact, and not only its stage and key.
    """
    rows: list[Row] = [
        [
            stage.title,
            Cell(outcome(stage), tone="muted" if stage.reused else "good"),
            stage.artifact.place if whole_paths else f"{stage.artifact.stage}/{stage.artifact.key[:8]}",
            "" if stage.rows is None else f"{stage.rows:,}",
            f"{stage.seconds:.2f}",
        ]
        for stage in stages
    ]
    return Table(columns("stage", "outcome", "artifact", numeric=("rows", "seconds")), rows)


def _list_lines(whole: Finished, manifest: Manifest) -> Iterator[str]:
    metadata = manifest.metadata
    names, new, first = metadata["names"], metadata.get("new"), metadata["first"][:_NAMES_SHOWN]
    size = sum(file.bytes for file in manifest.files.values()) / 1e6
    speed = f"{whole.seconds:.1f} s, {names / max(whole.seconds, 1e-9):,.0f} names/s"
    yield f"{_count(names, 'name')}: {'there already' if whole.reused else speed}"
    if new is not None and names:
        yield f"in the training list: {names - new:,} of them"
    if first:
        yield f"names: {', '.join(first)}"
    yield f"list: {whole.artifact.place}  ({_count(len(manifest.files), 'file')}, {size:,.1f} MB)"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _aligned(table: Table | None) -> list[str]:
    """Rows below their heads, each column as wide as its widest cell; none without rows."""
    if not (table and table.rows):
        return []
    rows = [[_text(cell(value)) for value in row] for row in table.rows]
    padded = []
    for (title, numeric), cells in zip(table.columns, zip(*rows, strict=True), strict=True):
        width = max(map(len, (title, *cells)))
        padded.append([text.rjust(width) if numeric else text.ljust(width) for text in (title, *cells)])
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]


def _text(value: Cell) -> str:
    return escape_invisible(value.text, _LONGEST)


def _plan_cell(stage: "PlannedStage") -> Cell:
    return Cell(f"computed: {stage.reason}", tone="good") if stage.reason else Cell("cached", tone="muted")
