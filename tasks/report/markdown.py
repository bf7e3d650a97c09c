"""Sections as Markdown: for Prefect's UI, and for any reader of CommonMark with tables."""

import base64
import re
from collections.abc import Iterable

from tasks.report.sections import Cell, Row, Section, Table, cell
from tasks.report.text import escape_invisible

_PUNCTUATION = re.compile(r"([!-+\--/:-@\[-`{-~])")  # of ASCII, but for the comma
_LONGEST = 1_000  # characters of one text


class Markdown(str):
    """Markup. Only the functions of this module, and constants, may make one out of strings."""

    __slots__ = ()


def plain(text: str) -> Markdown:
    """Text in which nothing is markup: a backslash stands before each sign, as CommonMark has it."""
    # Not an entity: Prefect's UI would show it as it stands.
    if isinstance(text, Markdown):
        return text
    return Markdown(_PUNCTUATION.sub(r"\\\1", escape_invisible(text, _LONGEST)))


def render(sections: Iterable[Section]) -> Markdown:
    """A document of these sections, one below the other."""
    return blocks(*map(_section, sections))


def blocks(*parts: str) -> Markdown:
    """Parts below each other; an empty one is left out."""
    return Markdown("\n\n".join(plain(part) for part in parts if part))


def points(texts: Iterable[str]) -> Markdown:
    """A list with a bullet before each text."""
    return Markdown("\n".join(f"- {plain(text)}" for text in texts))


def table(content: Table) -> Markdown:
    """A table; the notes of a cell stand in parentheses behind its text."""
    rule = "|".join("--:" if column.numeric else "---" for column in content.columns)
    heads = _line([column.title for column in content.columns])
    return Markdown("\n".join([heads, f"|{rule}|", *map(_line, content.rows)]))


def picture(svg: str, description: str) -> Markdown:
    """A plot as an image that is part of the text, on white: it cannot ask for the page's colors."""
    on_white = svg.replace(">", '><rect width="100%" height="100%" fill="white"/>', 1)
    content = base64.b64encode(on_white.encode()).decode()
    return Markdown(f"![{plain(description)}](data:image/svg+xml;base64,{content})")


def _section(section: Section) -> Markdown:
    return blocks(
        Markdown(f"## {plain(section.title)}"),
        section.lead,
        points(f"{tile.title}: {tile.figure} {tile.unit}, {tile.note}" for tile in section.tiles),
        points(section.points),
        Markdown(", ".join(map(_cell, section.items))),
        picture(section.plot, section.title) if section.plot else "",
        table(section.table) if section.table and section.table.rows else "",
        section.note,
    )


def _line(row: Row) -> str:
    return f"| {' | '.join(_cell(value) for value in row)} |"


def _cell(value: str | Cell) -> Markdown:
    text, notes, *_ = cell(value)
    if not notes:
        return plain(text)
    noted = ", ".join(map(plain, notes))
    return Markdown(f"{plain(text)} ({noted})" if text else noted)
