"""Counts in text: numbers with a decimal point or comma, and with separated thousands."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from data.config import CorpusConfig
from rnn_core.errors import DataError

_NUMBER = r"^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"
_SPACES = r"[ \x{A0}\x{2009}\x{202F}]"
# Counts that are no numbers as they stand, but would be with an option.
_BY_POINTS = r"^\d{1,3}(?:\.\d{3})+(?:,\d+)?$"
_GROUPED = {
    'thousands = ","': r"^\d{1,3}(?:,\d{3})+(?:\.\d+)?$",
    'thousands = ".", decimal = ","': r"^\d{1,3}(?:\.\d{3})+,\d+$|^\d{1,3}(?:\.\d{3}){2,}$",
    'thousands = " "': rf"^\d{{1,3}}(?:{_SPACES}\d{{3}})+(?:[.,]\d+)?$",
    'thousands = "\'"': r"^\d{1,3}(?:['\x{2019}]\d{3})+(?:[.,]\d+)?$",
    'decimal = ","': r"^\d+,\d+$",
}
# A number with a decimal point, or one of thousands with a point between its groups.
_AMBIGUOUS, _PLAIN = r"^[1-9]\d{0,2}\.\d{3}$", r"^\d+$"


class Numbers:
    """The counts of a file as numbers, and whether they are written in a way that was not foreseen."""

    def __init__(self, config: CorpusConfig, path: Path) -> None:
        self._config, self._path = config, path
        self._ambiguous, self._plain, self._others = "", False, False

    def numbers(self, text: pa.StringArray, first: int) -> pa.DoubleArray:
        """The numbers, null where there is none.

        Raises DataError for counts that an option would make numbers: such rows are the heaviest of a list.
        """
        trimmed = pc.utf8_trim_whitespace(text)
        if self._config.thousands is not None or self._config.decimal is not None:
            number = self._without_separators(trimmed)
            if self._config.decimal == ",":
                number = pc.replace_substring(pc.replace_substring(number, ".", "?"), ",", ".")
        else:
            number = trimmed
        is_number = pc.match_substring_regex(number, _NUMBER)
        self._check_separators(trimmed, pc.invert(pc.fill_null(is_number, True)), first)
        if self._config.decimal is None and self._config.thousands is None:
            self._note_points(trimmed.filter(pc.fill_null(is_number, False)))
        return pc.if_else(is_number, number, pa.scalar(None, pa.string())).cast(pa.float64())

    def _without_separators(self, text: pa.StringArray) -> pa.StringArray:
        """The numbers without what groups their digits: by three, or as in 12,34,567."""
        if self._config.thousands is None:
            return text
        group = {" ": _SPACES, "'": r"['\x{2019}]"}.get(self._config.thousands, rf"\{self._config.thousands}")
        decimal = re.escape(self._config.decimal or ".")
        is_grouped = pc.match_substring_regex(
            text, rf"^\+?\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}(?:{decimal}\d*)?$"
        )
        return pc.if_else(is_grouped, pc.replace_substring_regex(text, group, ""), text)

    def _check_separators(self, text: pa.StringArray, is_wrong: pa.BooleanArray, first: int) -> None:
        wrong = text.filter(is_wrong)
        by_points = {'thousands = "."': _BY_POINTS} if self._config.decimal == "," else {}
        for option, pattern in {**by_points, **_GROUPED}.items():
            if (
                len(wrong)
                and (place := pc.index(pc.match_substring_regex(wrong, pattern), True).as_py()) >= 0
            ):
                row = first + int(pc.indices_nonzero(is_wrong)[place].as_py())
                raise self._error(f"{self._path}, row {row:,}", repr(wrong[place].as_py()), option)

    def _note_points(self, text: pa.StringArray) -> None:
        """1.234 may be a thousand: it is, where all with a point look so, and others are whole numbers."""
        is_ambiguous = pc.match_substring_regex(text, _AMBIGUOUS)
        is_plain = pc.match_substring_regex(text, _PLAIN)
        self._plain = self._plain or bool(pc.any(is_plain).as_py())
        self._others = self._others or not pc.all(pc.or_(is_ambiguous, is_plain)).as_py()
        place = pc.index(is_ambiguous, True).as_py()
        self._ambiguous = self._ambiguous or (repr(text[place].as_py()) if place >= 0 else "")

    def check_not_ambiguous(self) -> None:
        """Raise DataError if a count like 1.234 is a thousand as likely as a little more than one."""
        if self._ambiguous and self._plain and not self._others:
            raise self._error(
                str(self._path),
                f"{self._ambiguous}, and whole numbers",
                'thousands = ".", decimal = ","; or if it is a decimal point: decimal = "."',
            )

    def _error(self, where: str, saw: str, option: str) -> DataError:
        what = "the counts hold separators that were not named"
        return DataError("corpus.format", what, where=where, saw=saw, fix=f"name them: {option}.")
