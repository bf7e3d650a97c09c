"""How a name is written, so that what is one name to a reader is one text."""

import pyarrow as pa
import pyarrow.compute as pc

from data.text.columns import replace_where

# All that str.isspace() tells but for the plain space; RE2's own \s is that of ASCII.
_OTHER_SPACE = (
    r"\t-\r\x{1C}-\x{1F}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}"
)
_RUN = f"[ {_OTHER_SPACE}]+"
_UNEVEN = f"[{_OTHER_SPACE}]|  "


def fold_white_space(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """With one plain space for each run of white space."""
    uneven = pc.match_substring_regex(names, _UNEVEN)
    return replace_where(
        names, uneven.to_numpy(), pc.replace_substring_regex(names.filter(uneven), _RUN, " ")
    )


def to_nfc(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """In Unicode's normalisation form NFC."""
    if pc.all(pc.string_is_ascii(names)).as_py() is not False:
        return names
    return pc.utf8_normalize(names, "NFC")


def match_spelling(names: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """Folded and composed, each name as far as that one of `before` was which stands in its place."""
    for spelling in (fold_white_space, to_nfc):
        names = pc.if_else(pc.equal(spelling(before), before), spelling(names), names)
    return names
