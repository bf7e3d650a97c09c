import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpora import read_text

from data import schemas
from data.config import CorpusConfig
from rnn_core.errors import ConfigError, DataError


def taken(content, **knobs):
    return read_text(content, CorpusConfig("list", **knobs))


def rows(content, **knobs):
    table = taken(content, **knobs).names
    return list(zip(table["line"].to_pylist(), table["name"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Ana\nBea\n", [(1, "Ana"), (2, "Bea")]),
        (b"Ana\nBea", [(1, "Ana"), (2, "Bea")]),
        (b"Ana\r\nBea\r\n", [(1, "Ana"), (2, "Bea")]),
        (b"Ana\rBea\r", [(1, "Ana"), (2, "Bea")]),
        (b"\xef\xbb\xbfAna\n", [(1, "Ana")]),
        (b"  Ana \t\n\nBea\n", [(1, "Ana"), (3, "Bea")]),
        ("A\u2028na\nBe\u0085a\n".encode(), [(1, "A\u2028na"), (2, "Be\u0085a")]),
        (b"NA\nnull\nNone\n=1+1\n", [(1, "NA"), (2, "null"), (3, "None"), (4, "=1+1")]),
        (b"Ana Maria\n", [(1, "Ana Maria")]),
    ],
    ids=["lf", "no final newline", "crlf", "cr", "bom", "blank", "unicode breaks", "nullish", "inner space"],
)
def test_a_line_is_a_name_as_it_stands(content, expected):
    assert rows(content) == expected


def test_a_limit_counts_lines_from_the_top():
    assert rows(b"Ana\n\nBea\nCleo\n", limit=3) == [(1, "Ana"), (3, "Bea")]


def test_a_limit_below_one_is_refused():
    with pytest.raises(ConfigError):
        CorpusConfig("list", limit=0)


def test_a_line_that_is_not_utf8_is_named_with_its_byte():
    with pytest.raises(DataError) as refusal:
        taken("Ana\nZoë\n".encode("latin-1"))
    assert refusal.value.where.endswith("list.txt, line 2, byte 3 (0xEB)")
    assert refusal.value.saw == r"b'Zo\xeb'"


def not_utf8(content):
    return content.decode(errors="ignore").encode() != content


@given(st.binary())
def test_rows_taken_and_rejected_are_the_rows_read_whatever_the_bytes(content):
    lines = content.removeprefix(b"\xef\xbb\xbf").splitlines()
    try:
        names, rejected = taken(content)
    except DataError as refusal:
        begins_as_another_kind = content.startswith((b"PK\x03\x04", b"BZh"))  # in UTF-8, by chance
        looks_like_another_kind = refusal.code == "corpus.format" or "in UTF-16" in refusal.what
        assert begins_as_another_kind or looks_like_another_kind or not_utf8(content)
        return
    schemas.conform(schemas.CORPUS, names)
    schemas.conform(schemas.CORPUS_REJECTED, rejected)
    numbers = names["line"].to_pylist() + rejected["line"].to_pylist()
    assert sorted(numbers) == list(range(1, len(lines) + 1))
    assert rejected["raw"].to_pylist() == [lines[number - 1] for number in rejected["line"].to_pylist()]
