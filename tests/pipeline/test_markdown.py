"""Text in markdown, as a reader of CommonMark with tables takes it."""

import base64
import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.report import html, markdown
from tasks.report.sections import Cell, Column, Section, Table, Tile
from tasks.report.sparkline import sparkline
from tasks.report.text import escape_invisible, glyph

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
READER.validateLink = lambda _url: True  # or it would take no picture from within the text
HOSTILE = "<b>B</b> *a* _c_ `d` [l](http://e.org) | ~~s~~ &amp; &#60; \\ # - 1. שלום न्गुगी www.e.org"


def kinds(text: str) -> set[str]:
    """What a reader sees besides paragraphs and text."""
    tokens = READER.parse(text)
    seen = {token.type for token in tokens} | {
        child.type for token in tokens for child in token.children or ()
    }
    return seen - {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


def read(text: str) -> str:
    return "".join(child.content for token in READER.parse(text) for child in token.children or ())


@given(st.text(max_size=100))
@pytest.mark.parametrize("before", ["", "x "])
def test_nothing_in_a_text_is_markup(before, text):
    written = markdown.plain(before + text)
    assert kinds(written) == set()
    assert read(written).strip() == escape_invisible(before + text, 1_000).strip()


def test_a_combining_mark_alone_sits_on_a_circle_and_nothing_else_does():
    assert [glyph(character) for character in "\u0301\u0903\u20dd"] == ["◌\u0301", "◌\u0903", "◌\u20dd"]
    assert [glyph(character) for character in "a1٣·-'א "] == [*"a1٣·-'א", "␣"]


def test_a_table_has_as_many_cells_as_it_is_given():
    cells = [[Cell(HOSTILE, (HOSTILE,)), "1"], ["", "2"]]
    tokens = READER.parse(markdown.table(Table([Column(HOSTILE), Column("n", numeric=True)], cells)))
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 6
    assert {child.type for token in inline for child in token.children or ()} <= {"text", "text_special"}
    assert [token.type for token in tokens].count("tr_open") == 3


def test_a_plot_is_an_image_that_needs_nothing_from_elsewhere():
    picture = markdown.picture('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>', "Loss [a]")
    (token,) = (child for each in READER.parse(picture) for child in each.children or ())
    assert (token.type, token.content) == ("image", "Loss \\[a\\]")
    kind, _, content = str(token.attrs["src"]).partition(",")
    assert kind == "data:image/svg+xml;base64"
    drawn = [each.tag.partition("}")[2] for each in ET.fromstring(base64.b64decode(content))]
    assert drawn == ["rect", "path"]


def test_a_section_says_the_same_in_html_and_in_markdown():
    section = Section(
        "Title",
        "lead",
        tiles=[Tile("tile", "0,5", "unit", "source")],
        points=["point"],
        items=[Cell("item", ("mark",))],
        plot="<svg></svg>",
        table=Table([Column("head")], [[Cell("value", ("detail",), "good")]]),
        note="note",
    )
    written = ("Title", "lead", "tile", "0,5", "unit", "source", "point", "item", "mark")
    for rendered in (html.render([section]), markdown.render([section])):
        for text in (*written, "svg", "head", "value", "detail", "note"):
            assert text in rendered
    folded = html.render([section._replace(folded=True)])
    assert (
        folded.index("<details>") < folded.index("Title") < folded.index("lead") < folded.index("</summary>")
    )


@pytest.mark.parametrize("values", [[], [1.0], [math.nan, 2.0], [math.inf, math.nan, 1.0]])
def test_there_is_no_curve_through_fewer_than_two_points(values):
    assert sparkline(values, "nothing") == ""


@given(st.lists(st.floats(width=32), min_size=2, max_size=20))
def test_a_curve_stays_within_its_picture(values):
    svg = sparkline(values, "<any & 'all'>")
    if svg:
        line = next(each for each in ET.fromstring(svg) if each.tag.endswith("polyline"))
        numbers = [float(number) for pair in line.attrib["points"].split() for number in pair.split(",")]
        assert all(0 <= number <= 480 for number in numbers)
