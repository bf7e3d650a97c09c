"""Sections as HTML: one file, no script, nothing fetched, whatever names hold.

The templates beside this module escape every text and keep its direction to itself; only plots are markup.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.keys import canonical_json, sha256
from tasks.report.sections import Cell, Section, cell, has_body
from tasks.report.text import escape_invisible

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
_STYLE, _SECTIONS, _PAGE = "page.css", "sections.html", "page.html"
_LONGEST = 10_000  # characters of a cell
_ITEMS_SHOWN = 36  # of a section that has more; the others are folded

# Where a page is filled in when it is published. No text can hold these, since its `<` is escaped.
OUTCOME = "<!-- outcome -->"
PROVENANCE = "<!-- provenance -->"


def page(title: str, lists: Sequence[str], opening: Iterable[Section], sections: Iterable[Section]) -> str:
    """A whole page, with the two places at which it is filled in.

    title:    what was made.
    lists:    names of the sources that it was made from.
    opening:  what stands above the outcome of the run.
    """
    template = _environment().get_template(_PAGE)
    return template.render(
        title=title,
        lists=lists,
        style=_source(_STYLE),
        opening=list(opening),
        sections=list(sections),
        outcome=OUTCOME,
        provenance=PROVENANCE,
    )


def render(sections: Iterable[Section]) -> str:
    """The sections alone, to be put into a page."""
    module = _environment().get_template(_SECTIONS).module
    return "".join(str(module.section(section)) for section in sections)  # type: ignore[attr-defined]


def rendering_digest(*content: object) -> str:
    """What tells whether a page has to be rendered again: of its content, and of the templates."""
    return sha256(canonical_json([content, _source(_SECTIONS), _source(_STYLE), _source(_PAGE)]))


@cache
def _source(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # slow to import: a cached run needs none

    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(cell=_visible, has_body=has_body, items_shown=_ITEMS_SHOWN)
    return environment


def _visible(value: str | Cell) -> Cell:
    """A cell of a table in which nothing hides."""
    content = cell(value)
    notes = [escape_invisible(note, _LONGEST) for note in content.notes]
    return content._replace(text=escape_invisible(content.text, _LONGEST), notes=notes)
