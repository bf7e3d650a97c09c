"""Normalization: what is one name to a reader is one text."""

import pyarrow as pa
import pyarrow.compute as pc

from data.text.columns import replace_where

# What str.isspace() accepts, without the plain space; RE2's \s knows ASCII alone.
_OTHER_SPACE = (
    r"\t-\r\x{1C}-\x{1F}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
)
_RUN = f"[ {_OTHER_SPACE}]+"
_UNEVEN = f"[{_OTHER_SPACE}]|  "


def fold_white_space(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """The names with one plain space for each run of white space."""
    uneven = pc.match_substring_regex(names, _UNEVEN)
    return replace_where(
        names, uneven.to_numpy(), pc.replace_substring_regex(names.filter(uneven), _RUN, " ")
    )


def to_nfc(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """The names in Unicode's normalization form NFC."""
    if pc.all(pc.string_is_ascii(names)).as_py() is not False:
        return names
    return pc.utf8_normalize(names, "NFC")


def match_spelling(names: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """The names folded and composed where the names of `before` were, row by row."""
    for spelling in (fold_white_space, to_nfc):
        names = pc.if_else(pc.equal(spelling(before), before), spelling(names), names)
    return names
