"""Row filters: which rows of a table are read, as `sex = "F" and year != 1900`."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rnn_core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

_TERM = re.compile(
    r"""\s*(?:"(?P<quoted_column>[^"]+)"|'(?P<single_column>[^']+)'|(?P<column>[^="'!]+?))
    \s*(?P<operator>!=|==?)\s*
    (?:"(?P<quoted>[^"]*)"|'(?P<single>[^']*)'|(?P<value>[^"'=!]*?))\s*(?:\band\b|\Z)""",
    re.VERBOSE | re.IGNORECASE,
)


class Condition(NamedTuple):
    """What one column of a row has to be.

    column:    its name, or its number from 1.
    is_equal:  whether it has to be the value, or anything else.
    value:     as text, without white space around it.
    """

    column: str | int
    is_equal: bool
    value: str


def parse_conditions(where: str) -> tuple[Condition, ...]:
    """The conditions of a row filter, all of which have to hold. Raises ConfigError if not understood."""
    conditions: list[Condition] = []
    end = 0
    while end < len(where) or not conditions:
        term = _TERM.match(where, end)
        if not term or term.end() == end:
            raise ConfigError(
                "config.source",
                "where is not understood",
                saw=where,
                fix="""write where = 'sex = "F"', or != for all others; join several by `and`.""",
            )
        bare, value = term["column"], term["quoted"] or term["single"] or term["value"] or ""
        column = bare or term["quoted_column"] or term["single_column"]
        is_number = bool(bare) and bare.isdecimal() and bare.isascii()
        conditions.append(
            Condition(int(column) if is_number else column, term["operator"] != "!=", value.strip())
        )
        end = term.end()
    return tuple(conditions)


def matching_rows(columns: "Sequence[pa.Array]", conditions: Sequence[Condition]) -> "pa.BooleanArray":
    """(N,) which rows satisfy all conditions.

    columns:  (N,) texts, one for each condition; null is no value and equals none.
    """
    import pyarrow.compute as pc  # slow to import, and a configuration needs none

    matches = None
    for column, condition in zip(columns, conditions, strict=True):
        equal = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), condition.value), False)
        match = equal if condition.is_equal else pc.invert(equal)
        matches = match if matches is None else pc.and_(matches, match)
    return matches
