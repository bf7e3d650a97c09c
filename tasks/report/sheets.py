"""Tables of text for the command line, whoever shows them."""

from collections.abc import Sequence
from typing import NamedTuple

from tasks.report.markup import Column


class Sheet(NamedTuple):
    """A table with a title; of no rows, what its absence means."""

    title: str
    heads: Sequence[Column]
    rows: Sequence[Sequence[str]]
    nothing: str = ""
