"""HTML from the inside out: what is not known to be markup is text, and text is escaped."""

import html
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple


class Html(str):
    """Markup. Only the functions of this module, and constants, may make one out of strings."""

    __slots__ = ()


def escaped(text: str) -> Html:
    return text if isinstance(text, Html) else Html(html.escape(text))


def joined(*parts: str) -> Html:
    return Html("".join(escaped(part) for part in parts))


def element(tag: str, *children: str, **attributes: str) -> Html:
    """`element("td", name, class_="wide", data_label="Name")`: children and values are escaped."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for name, value in attributes.items()
    )
    return Html(f"<{tag}{written}>{joined(*children)}</{tag}>")


def foreign(text: str) -> Html:
    """Text of any script and direction, kept from turning what stands beside it."""
    return element("bdi", text)


def visible(text: str, longest: int = 80) -> str:
    """Text in which nothing hides: what does not print stands as an escape, and what does not fit is cut."""
    shown = "".join(letter if letter.isprintable() else _code(letter) for letter in text[:longest])
    return shown if len(text) <= longest else f"{shown}…"


def glyph(character: str) -> str:
    """What can be seen of a character that stands alone."""
    if character.isspace() or not character.isprintable():
        return "␣" if character == " " else visible(character)
    # A combining mark would sit on what stands before it.
    return f"◌{character}" if unicodedata.category(character).startswith("M") else character


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


class Column(NamedTuple):
    head: str
    numeric: bool = False


def section(title: str, *content: str) -> Html:
    return element("section", element("h2", title), *content)


def nothing(text: str) -> Html:
    return element("p", text, class_="nothing")


def table(
    heads: Sequence[Column], groups: Sequence[tuple[str, Sequence[Sequence[str]]]], class_: str = ""
) -> Html:
    """groups: rows under a title of their own, or under none. A phone shows each row as a card."""
    head = element("tr", *(element("th", each.head, scope="col", class_=_aligned(each)) for each in heads))
    bodies = [
        element(
            "tbody",
            element("tr", element("th", title, scope="rowgroup", colspan=str(len(heads)))) if title else "",
            *(element("tr", *map(_cell, heads, row)) for row in rows),
        )
        for title, rows in groups
    ]
    return element("table", element("thead", head), *bodies, class_=class_)


def _cell(column: Column, content: str) -> Html:
    return element("td", content, class_=_aligned(column), data_label=column.head)


def _aligned(column: Column) -> str:
    return "number" if column.numeric else "text"
