"""Markdown from the inside out: what is not known to be markup is text, and nothing in a text is markup."""

import base64
import re
from collections.abc import Sequence

from tasks.report.markup import Column, visible

_PUNCTUATION = re.compile(r"([!-+\--/:-@\[-`{-~])")  # of ASCII, but for the comma
_LONGEST = 1_000  # characters of one text


class Markdown(str):
    """Markup. Only the functions of this module, and constants, may make one out of strings."""

    __slots__ = ()


def plain(text: str) -> Markdown:
    """A backslash before each sign, as CommonMark has it: Prefect's UI would show an entity as it stands."""
    if isinstance(text, Markdown):
        return text
    return Markdown(_PUNCTUATION.sub(r"\\\1", visible(text, _LONGEST)))


def strong(text: str) -> Markdown:
    return Markdown(f"**{plain(text)}**")


def blocks(*parts: str) -> Markdown:
    """Below each other; an empty one is left out."""
    return Markdown("\n\n".join(plain(part) for part in parts if part))


def section(title: str, *content: str) -> Markdown:
    return blocks(Markdown(f"## {plain(title)}"), *content)


def points(texts: Sequence[str]) -> Markdown:
    return Markdown("\n".join(f"- {plain(text)}" for text in texts))


def table(heads: Sequence[Column], rows: Sequence[Sequence[str]]) -> Markdown:
    rule = "|".join("--:" if head.numeric else "---" for head in heads)
    lines = [_line([head.head for head in heads]), f"|{rule}|", *map(_line, rows)]
    return Markdown("\n".join(lines))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(plain(cell) for cell in cells)} |"


def picture(svg: str, description: str) -> Markdown:
    """On white, whatever the page's colours are: the plot cannot ask for them from within an image."""
    on_white = svg.replace(">", '><rect width="100%" height="100%" fill="white"/>', 1)
    content = base64.b64encode(on_white.encode()).decode()
    return Markdown(f"![{plain(description)}](data:image/svg+xml;base64,{content})")
