"""One list of names, as it lies in a text file: what is taken and what is not."""

from typing import NamedTuple

import pyarrow as pa

from data.config import CorpusConfig
from rnn_core.errors import DataError

BLANK = "blank line"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Taken(NamedTuple):
    """The rows that go on, and those that do not, with the reason."""

    names: pa.Table
    rejected: pa.Table


def read_text(content: bytes, config: CorpusConfig, where: str) -> Taken:
    """One name a line, UTF-8. Lines end at LF, CRLF and CR; white space around a name is no part of it.

    where:  the file's path, for messages.

    Rows taken and rows rejected are together the lines read. Raises DataError with the line and the byte if
    the text is not UTF-8: then the whole file is likely to be in another encoding.
    """
    lines = content.removeprefix(_BYTE_ORDER_MARK).splitlines()[: config.limit]
    names: list[str] = []
    numbers: list[int] = []
    blank: list[int] = []
    for number, line in enumerate(lines, start=1):
        try:
            name = line.decode().strip()
        except UnicodeDecodeError as fault:
            raise _not_utf8(where, number, line, fault) from fault
        if name:
            names.append(name)
            numbers.append(number)
        else:
            blank.append(number)
    return Taken(
        pa.table(
            {
                "name": pa.array(names, pa.string()),
                "source": _repeated(config.name, len(names)),
                "file": _first_file(len(names)),
                "line": _int64(numbers),
                "weight": pa.array([1.0] * len(names), pa.float64()),
            }
        ),
        pa.table(
            {
                "source": _repeated(config.name, len(blank)),
                "file": _first_file(len(blank)),
                "line": _int64(blank),
                "raw": pa.array([lines[number - 1] for number in blank], pa.binary()),
                "reason": pa.array([BLANK] * len(blank), pa.string()),
            }
        ),
    )


def _int64(numbers: list[int]) -> pa.Array:
    return pa.array(numbers, pa.int64())


def _first_file(count: int) -> pa.Array:
    return pa.array([1] * count, pa.int32())


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))


def _not_utf8(where: str, number: int, line: bytes, fault: UnicodeDecodeError) -> DataError:
    return DataError(
        "corpus.encoding",
        "line is not valid UTF-8",
        where=f"{where}, line {number}, byte {fault.start + 1} (0x{line[fault.start]:02X})",
        saw=repr(line[:80]),
        fix="re-encode the file as UTF-8, with iconv for instance.",
    )
