"""Sizes in bytes as people write them: 500MB, 20GB."""

import re

from rnn_core.validators import Rule

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_TEXT = re.compile(rf"(?P<number>\d{{1,15}}(?:\.\d{{1,6}})?) ?(?P<unit>{'|'.join(_UNITS)})", re.IGNORECASE)

SIZE = Rule(
    "a size such as 500MB or 20GB", lambda value: isinstance(value, str) and bool(_TEXT.fullmatch(value))
)


def parse_size(text: str) -> float | None:
    """The size in bytes; None for a text that is none."""
    size = _TEXT.fullmatch(text)
    return float(size["number"]) * _UNITS[size["unit"].upper()] if size else None
