"""What a report is made of: sections as data, built once and rendered to HTML, Markdown and the terminal.

Every string but a plot is text of any content: the renderers escape it.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """The head of a column of a table."""

    title: str
    numeric: bool = False


class Cell(NamedTuple):
    """A text with what belongs to it.

    notes:  small print below the text; of an item, what a screen reader says besides its color.
    tone:   "strong", "muted", "good", "bad" or "known" (in the lists).
    bar:    length of a bar below the text, as a share of the longest of its column.
    """

    text: str
    notes: Sequence[str] = ()
    tone: str = ""
    bar: float = 0.0


Row = Sequence[str | Cell]


class Table(NamedTuple):
    """Rows below the heads of their columns: as many cells as heads in each."""

    columns: Sequence[Column]
    rows: Sequence[Row]


class Tile(NamedTuple):
    """One figure that is to be seen from afar, with its unit, and a note on where it comes from."""

    title: str
    figure: str
    unit: str
    note: str


class Section(NamedTuple):
    """A part of a report. What is not needed is empty; the fields stand in the order in which they are shown.

    lead:    what to know first; also what it means that there is nothing else.
    points:  single facts.
    items:   short texts side by side, such as names.
    plot:    SVG.
    note:    how to read it.
    folded:  closed until a reader opens it, with the lead still visible.
    """

    title: str
    lead: str = ""
    tiles: Sequence[Tile] = ()
    points: Sequence[str] = ()
    items: Sequence[Cell] = ()
    plot: str = ""
    table: Table | None = None
    note: str = ""
    folded: bool = False


def has_body(section: Section) -> bool:
    """Whether there is anything in a section besides its title and its lead."""
    table = section.table and section.table.rows
    return any((section.tiles, section.points, section.items, section.plot, table, section.note))


def columns(*titles: str, numeric: Sequence[str] = ()) -> list[Column]:
    """Columns of text, then columns of numbers."""
    return [*map(Column, titles), *(Column(title, numeric=True) for title in numeric)]


def cell(value: str | Cell) -> Cell:
    """A plain string as a cell of its own."""
    return value if isinstance(value, Cell) else Cell(value)
