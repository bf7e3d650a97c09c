"""What the names of a list look like where that is not how a person would write a name.

Such a list is read as it is, since no rule of a format is broken; a person sees at once what went wrong.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from artifacts.store import Artifact
from data.reading.columns import NAME_COLUMNS, column_word
from tasks.report.text import escape_invisible
from tasks.stages.corpora import NAMES

_ROWS_READ = 10_000  # the first ones of a list
_FEW_WORDS, _WORDS_TELL = 3, 10  # so few last words, of at least so many names
_NEARLY_ALL = 0.9
_ENTITY = r"&(?:[a-z]{2,8}|#\d{2,5}|#x[\da-f]{2,5});"
_ESCAPE = r"\\(?:u[\da-f]{4}|x[\da-f]{2}|[nrt\"'])|%[\da-f]{2}"


class _Look(NamedTuple):
    """matches: whether a name looks so. share: of the names, above which it is said. advice: what to do."""

    matches: Callable[[str], object]
    share: float
    text: str
    advice: str


def _matching(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern, re.IGNORECASE).search


def read_as_utf8(name: str) -> str:
    """The name that this one was, if UTF-8 was once read as cp1252 or Latin-1: José for JosÃ©; else empty."""
    if not name.isascii():
        for encoding in ("cp1252", "latin-1"):
            try:
                return name.encode(encoding).decode()
            except UnicodeError:
                continue
    return ""


_LOOKS = (
    _Look(read_as_utf8, 0.0, "look like UTF-8 that was read as another encoding", "Fetch the list again."),
    _Look(
        _matching(r"^=?(?:\"|'|[“”„«»‘’]).*(?:\"|'|[“”«»‘’])[,;]?$"),
        0.2,
        "are in quotes, which belong to the names",
        "Take the quotes out of the list.",
    ),
    _Look(_matching(_ENTITY), 0.0, "hold HTML entities", "Decode them in the list."),
    _Look(_matching(_ESCAPE), 0.01, "hold escapes", "Decode them in the list."),
    _Look(_matching(r"^(?:#|//|--\s)"), 0.0, "begin like a comment", "No comment is skipped: take them out."),
    _Look(
        _matching(r"\s[-–—:=|/]\s|[()\[\]{}<>]"),
        0.5,
        "hold dashes or brackets",
        "If there is more in a line than a name, take it out.",
    ),
)


def name_notices(corpora: Sequence[Artifact]) -> Iterator[str]:
    """What stands out in the names of these artifacts of the stage `corpus`, in a line each."""
    for corpus in corpora:
        head = corpus.group(NAMES, 0).slice(0, _ROWS_READ)
        names = head["name"].to_pylist()
        if names:
            title = escape_invisible(head["source"][0].as_py())
            yield from (
                f"{title}: {notice}" for notice in (*_heading(names), *_looks(names), *_last_words(names))
            )


def _heading(names: Sequence[str]) -> Iterator[str]:
    if column_word(names[0]) in NAME_COLUMNS:
        first = escape_invisible(names[0], 40)
        yield f"its first name, {first!r}, looks like a heading. If it is one: skip_rows = 1."


def _looks(names: Sequence[str]) -> Iterator[str]:
    for look in _LOOKS:
        such = [name for name in names if look.matches(name)]
        if such and len(such) >= look.share * len(names):
            names_hold = f"{len(such):,} of its names" if len(such) > 1 else "one of its names, or more,"
            yield f"{names_hold} {look.text}, such as {escape_invisible(such[0], 40)!r}. {look.advice}"


def _last_words(names: Sequence[str]) -> Iterator[str]:
    words = [name.split()[-1] for name in names if len(name.split()) > 1]
    frequent = Counter(words).most_common(_FEW_WORDS)
    if sum(count for _, count in frequent) >= max(_NEARLY_ALL * len(names), _WORDS_TELL):
        shown = ", ".join(repr(escape_invisible(word, 20)) for word, _ in frequent)
        yield f"nearly all its names end in the same words: {shown}. Is there another column in the line?"
