"""What a file looks like if it is not a list of names: another kind of file, or a table read as a text."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from data.config import CorpusConfig
from rnn_core.errors import DataError

_SQL: Final = "SQL"
_MARKUP: Final = "HTML or XML, perhaps an error page"
_TEXTS: Final = (_SQL, _MARKUP)  # that may be names, if the user says so
# How files begin that are no text, or a text of another kind: what they are, and what to do.
_BEGINNINGS: Final = (
    (
        rb"version https://git-lfs\.github\.com/",
        "a pointer of Git LFS",
        "fetch the file: git lfs pull.",
    ),
    (rb"\{\\rtf", "a document in RTF", "save it as plain text in UTF-8."),
    (rb"%PDF-", "a PDF", "copy its names into a text file."),
    (rb"PAR1", "Parquet", 'read it as that: format = "parquet".'),
    (rb"ARROW1|FEA1|\xff\xff\xff\xff", "an Arrow or Feather file", 'read it as that: format = "feather".'),
    (rb"SQLite format 3\0", "an SQLite data base", "export its table as CSV."),
    (rb"\x89PNG|GIF8|\xff\xd8\xff", "a picture", "name the file with the list."),
    (rb"(?:insert into|create table|drop table)\b", _SQL, "export its table as CSV."),
    (rb"BEGIN:VCARD", "a vCard", "export its names as CSV."),
    (rb"0 HEAD\s", "a GEDCOM file", "export its names as CSV."),
    (rb"7z\xbc\xaf|Rar!|\x1f\x9d|\x04\x22M\x18", "compressed in a way that is not read here", "unpack it."),
    (
        rb"\s*<(?:!doctype|!--|\?xml|/?[a-z][\w:.-]*(?:\s[^<>]*)?/?>)",
        _MARKUP,
        "fetch the list itself, or save its names as text or CSV.",
    ),
)
_BEGINNING: Final = tuple((re.compile(begin, re.IGNORECASE), kind, fix) for begin, kind, fix in _BEGINNINGS)
_MARK: Final = b"\xef\xbb\xbf"
_TAR: Final = slice(257, 262)
_SAMPLE_LINES: Final = 1000
_UTF_16_BYTES: Final = 8  # fewer do not show an encoding
_MOST: Final = 0.9  # share of the lines that makes a pattern: a title or a footer may differ
_SHOWN: Final = 80
_DELIMITERS: Final = {"\t": "tab", ";": "semicolon", "|": "vertical bar", ",": "comma"}
_PAIRS: Final = {":": "colon", "=": "sign of equality"}  # between a word and its value
_NUMBERS_AT_END: Final = re.compile(r"\s*\S.*?\s+[-+]?\d[\d.,]*%?(?:\s+\S*)*\s*")
_COLUMNS: Final = re.compile(r"\s*\S+(?: \S+)*(?:\s{2,}\S+(?: \S+)*)+\s*")
_JSON: Final = re.compile(r'\s*(?:\[\s*(?:["\[{\]]|\Z)|\{\s*(?:"|\Z))')
_HEADER: Final = "header = false, if the first line is a name"
_NUMBERED: Final = re.compile(r"\s*\d+\s*[.):\s]\s*\S.*")
_QUOTED: Final = re.compile(r"""\s*\[?\s*(["']).*\1\s*[,\]]*\s*""")
_BULLETS: Final = re.compile(r"\s*[-*+•]\s+\S.*")
_ADDRESS: Final = re.compile(r"\s*(?:https?://|www\.)\S+\s*")
_ENTITY: Final = re.compile(r"&#?\w+;")  # of HTML: its semicolon separates nothing
_STATEMENT: Final = re.compile(r"\s*insert into\b.*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\s*[-+]?[\d.,]*\d[\d.,]*%?\s*")
_SEVERAL: Final = 4  # separators that show several names in the only line
_ONE_EACH: Final = "if they are names, put each on a line of its own"


class _Guess(NamedTuple):
    seen: str
    fix: str


def check_bytes(block: bytes, config: CorpusConfig, path: Path) -> None:
    """Raise DataError if a file that should be text begins like another kind of file.

    UTF-16 and UTF-32 without a mark are such kinds, too.

    block:  its first bytes, unpacked; all of a short file.
    """
    beginning = block[:512].removeprefix(_MARK)
    is_text = config.is_format_given and config.format == "text"
    for pattern, kind, fix in _BEGINNING:
        if pattern.match(beginning) and not (is_text and kind in _TEXTS):
            raise _format_error(f"the file is {kind}, and not a list", path, _shown(beginning), fix)
    if block[_TAR] == b"ustar":
        name = block[:100].rstrip(b"\0").decode(errors="replace")
        raise _format_error("the file is a tar archive", path, f"it holds {name!r}", "unpack it: tar -xf.")
    if config.encoding == "utf-8" and (encoding := _wide_without_mark(block)):
        raise DataError(
            "corpus.encoding",
            f"the file is in {encoding[:6].upper()}, without a byte order mark",
            where=str(path),
            saw=repr(block[:_SHOWN]),
            fix=f'name its encoding: encoding = "{encoding}".',
        )


def check_is_list(block: bytes, path: Path) -> None:
    """Raise DataError if a text looks like JSON or like a table, with the option that reads it.

    block:  its first bytes, in UTF-8.
    """
    text = block.decode(errors="replace")
    lines = [line for line in re.split(r"\r\n|\r|\n", text)[:_SAMPLE_LINES] if line.strip()]
    if len(lines) < 2 and not _JSON.match(text) and not _several_names(lines):
        return
    if guess := _guess(text, lines):
        line = min(1, len(lines) - 1)  # the first may be a header
        raise _format_error(
            f"the text does not hold one name per line: {guess.seen}",
            path,
            _shown(lines[line].encode()),
            f'{guess.fix}; or if every line is a name: format = "text".',
        )


def delimiter_of(header: str, delimiter: str) -> str | None:
    """The delimiter that a header of one field seems to have instead, if any."""
    counts = {other: header.count(other) for other in _DELIMITERS if other != delimiter}
    best = max(counts, key=lambda other: counts[other])
    return best if counts[best] and delimiter not in header else None


def as_option(delimiter: str) -> str:
    """A delimiter as pipeline.toml has it."""
    return 'delimiter = "\\t"' if delimiter == "\t" else f'delimiter = "{delimiter}"'


def _guess(text: str, lines: list[str]) -> _Guess | None:
    if re.match(r"sep=.\s", text):
        return _Guess("it begins with sep=, as a table does", 'read it as a table: format = "csv"')
    if (len(lines) == 1 and not _JSON.match(text)) or _mostly(lines, _is_enumeration):
        columns = 'if they are columns, read it as a table: format = "csv", column = 1'
        return _Guess("a line holds several names", f"{_ONE_EACH}; {columns}")
    if _mostly(lines, _ADDRESS.fullmatch):
        return _Guess("every line is an address", "take the names out of them")
    if _mostly(lines, _STATEMENT.fullmatch):
        return _Guess("every line is SQL", "export the table as CSV")
    if _JSON.match(text):
        is_lines = len(lines) > 1 and all(re.match(r"\s*[{\[\"].*[}\]\"]\s*\Z", line) for line in lines[:20])
        kind = "jsonl" if is_lines else "json"
        return _Guess("it is JSON", f'read it as that: format = "{kind}", and the field: column = "name"')
    for delimiter, word in {**_DELIMITERS, **_PAIRS}.items():
        if _mostly(lines, partial(_is_record, delimiter)):
            count = min(line.count(delimiter) for line in lines if delimiter in line)
            options = {"\t": 'format = "tsv"', ",": 'format = "csv"'}
            option = options.get(delimiter, f'format = "csv", {as_option(delimiter)}')
            seen = f"every line holds a {word}" if count == 1 else f"every line holds {count} {word}s"
            column = f"column = {_column_of_names(lines, delimiter)}, or its name"
            return _Guess(seen, f"read it as a table: {option}, and {column}; {_HEADER}")
    if _mostly(lines, _QUOTED.fullmatch):
        return _Guess("every line is in quotes", 'read it as that: format = "csv" or "jsonl"')
    if _mostly(lines, _BULLETS.fullmatch):
        return _Guess("every line begins with a bullet", "take them out")
    if _mostly(lines, _NUMBERED.fullmatch):
        return _Guess(
            "every line begins with a number", f'format = "csv", delimiter = " ", column = 2; {_HEADER}'
        )
    if _mostly(lines, _NUMBERS_AT_END.fullmatch):
        fix = f'read it as a table: format = "csv", delimiter = " ", column = 1; {_HEADER}'
        return _Guess("every line holds a number after the name", fix)
    if _mostly(lines, _COLUMNS.fullmatch):
        fix = f'read it as a table: format = "csv", delimiter = " ", column = 1; {_HEADER}'
        return _Guess("every line has columns, padded by spaces", fix)
    return None


def _is_record(delimiter: str, line: str) -> bool:
    """Whether a line is fields: any tab, semicolon or bar; two commas, or one as in `Ana,3` or `Mary,F`."""
    count = _ENTITY.sub("", line).count(delimiter)
    if delimiter != "," or count != 1:
        return count > 0
    return not line.partition(",")[2].startswith(" ")


def _is_enumeration(line: str) -> bool:
    """Whether a line is a sentence of names: Ana, Bea, Carla."""
    commas = line.rstrip().rstrip(",").count(",")
    return commas > 1 and line.count(", ") == commas and not re.search(r"\d", line)


def _several_names(lines: list[str]) -> bool:
    """Whether the only line holds names side by side; so short a one as `Mary,F,7065` is read as a name."""
    return any(line.count(separator) >= _SEVERAL for line in lines for separator in (",", ";", "\t", "|"))


def _column_of_names(lines: list[str], delimiter: str) -> int:
    """The number of the column with the most different texts, which is not always the first."""
    rows = [line.split(delimiter) for line in lines]
    columns = [[row[place].strip() for row in rows if place < len(row)] for place in range(len(rows[0]))]
    texts = [len({cell for cell in column if cell and not _NUMBER.fullmatch(cell)}) for column in columns]
    return texts.index(max(texts)) + 1


def _mostly(lines: list[str], matches: Callable[[str], object]) -> bool:
    return sum(bool(matches(line)) for line in lines) >= max(2, _MOST * len(lines))


def _wide_without_mark(block: bytes) -> str | None:
    """Text of mostly ASCII has zeros in every other byte, or in three of four; UTF-8 has none anywhere."""
    if block.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    sample = block[: 1 << 12]
    if len(sample) >= _UTF_16_BYTES and not len(sample) % 4:
        for first_zero, encoding in ((1, "utf-32-le"), (0, "utf-32-be")):
            others = [sample[first_zero + place :: 4] for place in range(3)]
            last = sample[3 - 3 * first_zero :: 4]  # of every four; a file of zeros alone is no text
            if last.count(0) == 0 and all(part.count(0) >= _MOST * len(part) for part in others):
                return encoding
    zeros = [sample[start::2].count(0) for start in (0, 1)]
    for zero_first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        is_mostly_zero = zeros[zero_first] >= len(sample) / 4 and len(sample) >= _UTF_16_BYTES
        if is_mostly_zero and not zeros[1 - zero_first] and not len(sample) % 2:
            return encoding
    return None


def _format_error(what: str, path: Path, saw: str, fix: str) -> DataError:
    return DataError("corpus.format", what, where=str(path), saw=saw, fix=fix)


def _shown(beginning: bytes) -> str:
    return repr(beginning[:_SHOWN].decode(errors="replace"))
