"""A part of a report, written once: as HTML for the page, as markdown for Prefect's UI."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.report import markdown
from tasks.report.markdown import Markdown
from tasks.report.markup import Column, Html, element, foreign, section, table, visible


class Part(NamedTuple):
    """What is not needed is empty; every string but the picture is text.

    lead:     what to know first.
    points:   single facts.
    heads:    of the table, as many as each of its rows has cells.
    picture:  SVG.
    note:     how to read it.
    """

    title: str
    lead: str = ""
    points: Sequence[str] = ()
    heads: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    picture: str = ""
    note: str = ""


def as_html(part: Part) -> Html:
    return section(
        part.title,
        element("p", foreign(part.lead)) if part.lead else "",
        element("ul", *(element("li", foreign(point)) for point in part.points), class_="points")
        if part.points
        else "",
        Html(part.picture),
        table(part.heads, [("", [[foreign(visible(cell)) for cell in row] for row in part.rows])])
        if part.rows
        else "",
        element("p", part.note, class_="note") if part.note else "",
    )


def as_markdown(part: Part) -> Markdown:
    return markdown.section(
        part.title,
        part.lead,
        markdown.points(part.points),
        markdown.picture(part.picture, part.title) if part.picture else "",
        markdown.table(part.heads, part.rows) if part.rows else "",
        part.note,
    )
