"""Lists as people have them: every format, every compression, and what is wrong with some."""

import bz2
import csv
import encodings.aliases
import gzip
import io
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_corpora import read

from artifacts.source_file import SourceFile
from data import schemas
from data.config import CorpusConfig
from data.reading import content
from rnn_core.errors import ConfigError, DataError
from tasks.config.sources import Source

COMPRESSED = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda text: pa.compress(text, "zstd", asbytes=True),
}


def taken(path, **knobs):
    source = Source("list", str(path), **knobs)
    return read(source.files, source.reading)


def names(path, **knobs):
    return taken(path, **knobs).names["name"].to_pylist()


def rejected(path, **knobs):
    rows = taken(path, **knobs).rejected.select(["line", "raw", "reason"])
    return [tuple(row.values()) for row in rows.to_pylist()]


def refusal(path, **knobs):
    with pytest.raises((DataError, ConfigError)) as caught:
        taken(path, **knobs)
    assert caught.value.fix
    return caught.value


@pytest.fixture
def written(tmp_path):
    """Writes a file and tells its path."""

    def write(called, text):
        path = tmp_path / called
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def as_table(format, **columns):
    """The bytes of a file of that format."""
    out = io.BytesIO()
    if format in ("csv", "tsv"):
        text = io.StringIO()
        rows = csv.writer(text, delimiter="," if format == "csv" else "\t")
        rows.writerows([columns, *zip(*columns.values(), strict=True)])
        return text.getvalue().encode()
    if format == "parquet":
        pq.write_table(pa.table(columns), out)
    else:
        pyarrow.feather.write_feather(pa.table(columns), out)
    return out.getvalue()


TABLES = ["csv", "tsv", "parquet", "feather"]


@pytest.mark.parametrize("suffix", COMPRESSED)
@pytest.mark.parametrize("format", ["txt", *TABLES])
def test_a_list_is_read_from_every_format_plain_and_compressed(written, format, suffix):
    plain = "José\nZoë\n".encode() if format == "txt" else as_table(format, name=["José", "Zoë"])
    path = written(f"list.{format}{suffix}", COMPRESSED[suffix](plain))
    read = taken(path)
    assert read.names["name"].to_pylist() == ["José", "Zoë"]
    assert read.names["line"].to_pylist() == [1, 2]
    schemas.conform(schemas.CORPUS, read.names)
    schemas.conform(schemas.CORPUS_REJECTED, read.rejected)


@pytest.mark.parametrize("format", TABLES)
def test_a_column_is_named_numbered_or_obvious(written, format):
    path = written(
        f"list.{format}", as_table(format, id=["1", "2"], name=["Ana", "Bea"], town=["Bern", "Biel"])
    )
    assert names(path) == ["Ana", "Bea"]
    assert names(path, column="town") == ["Bern", "Biel"]
    assert names(path, column=1) == ["1", "2"]
    only = written(f"only.{format}", as_table(format, whatever=["Ana"]))
    assert names(only) == ["Ana"]


@pytest.mark.parametrize("format", TABLES)
def test_a_missing_column_is_one_error_that_lists_those_there_are(written, format):
    path = written(f"list.{format}", as_table(format, id=["1"], town=["Bern"]))
    for knobs in ({}, {"column": "name"}, {"column": 3}, {"column": 2, "counts": "many"}):
        error = refusal(path, **knobs)
        assert error.code == "corpus.column"
        assert error.saw == "columns: 'id', 'town'"
    may_lack_a_header = "header = false, if the first line is a name" in refusal(path).fix
    assert may_lack_a_header == (format in ("csv", "tsv"))


@pytest.mark.parametrize("format", TABLES)
def test_counts_times_the_weight_of_the_source_are_the_weights(written, format):
    counts = {"csv": ["3", "0.5", " 2 "], "tsv": ["3", "0.5", "2"]}.get(format, [3.0, 0.5, 2.0])
    path = written(f"list.{format}", as_table(format, name=["Ana", "Bea", "Cleo"], n=counts))
    assert taken(path, counts="n", weight=2.0).names["weight"].to_pylist() == [6.0, 1.0, 4.0]
    assert taken(path, weight=2.0).names["weight"].to_pylist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_count_that_is_no_number_above_0_rejects_its_row(written, format):
    counts = ["3", "0", "-1", "many", "", "nan", "inf", "1e99", "1_0", "0x10", "٣", "1e-320"]
    path = written(f"list.{format}", as_table(format, name=[f"N{n}" for n in range(12)], n=counts))
    assert names(path, counts="n") == ["N0"]
    assert [row[0] for row in rejected(path, counts="n")] == list(range(2, 13))
    assert {row[2] for row in rejected(path, counts="n")} == {"the count must be a positive number"}


def test_a_count_of_null_or_nan_in_a_table_rejects_its_row(written):
    path = written("list.parquet", as_table("parquet", name=["a", "b", "c"], n=[None, float("nan"), 2.0]))
    assert names(path, counts="n") == ["c"]


@pytest.mark.parametrize("format", TABLES)
def test_names_and_counts_are_never_one_column(written, format):
    path = written(f"list.{format}", as_table(format, name=["Ana"], n=["1"]))
    for column in ("name", 1):
        error = refusal(path, column=column, counts="name")
        assert (error.code, error.saw) == ("corpus.column", "columns: 'name', 'n'")


@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_of_two_columns_with_one_name_a_table_is_asked_for_neither(written, format):
    twice = pa.Table.from_arrays([pa.array(["Ana"]), pa.array(["Bea"])], names=["name", "name"])
    out = io.BytesIO()
    pq.write_table(twice, out) if format == "parquet" else pyarrow.feather.write_feather(twice, out)
    error = refusal(written(f"list.{format}", out.getvalue()), column=2)
    assert (error.code, error.saw) == ("corpus.column", "columns: 'name', 'name'")


@pytest.mark.parametrize(
    ("called", "text"),
    [
        ("list.csv", "name;count\nAna;3\n"),
        ("list.csv", "name\tcount\nAna\t3\n"),
        ("list.csv", "name|count\nAna|3\n"),
        ("list.tsv", "name,count\nAna,3\n"),
    ],
    ids=["semicolons", "tabs", "bars", "commas in a tsv"],
)
def test_a_list_with_another_delimiter_is_one_error_unless_its_column_is_named(written, called, text):
    path = written(called, text)
    for header in (True, False):
        error = refusal(path, header=header)
        assert error.code == "corpus.column"
        assert "delimiter" in error.what
    assert names(path, column=1) == [text.split("\n")[1]]


def test_a_header_that_may_have_been_a_name_is_reported(written):
    def told(text, **knobs):
        heard = []
        source = Source("list", str(written("list.csv", text)), **knobs)
        read(source.files, source.reading, heard.append)
        return heard

    (notice,) = told("Ana\nBea\n")
    assert "'Ana'" in notice
    assert "header = false" in notice
    assert len(told("town,n\nBern,1\n", counts="n")) == 1
    for quiet in (told("Name\nBea\n"), told("Ana\nBea\n", column="Ana"), told("Ana\nBea\n", header=False)):
        assert quiet == []


def test_a_csv_without_a_header_is_read_from_its_first_row(written):
    path = written("list.csv", "1,Ana\n2,Bea\n")
    assert names(path, header=False, column=2) == ["Ana", "Bea"]
    assert refusal(path, header=False).saw == "columns: '1', '2'"


def test_what_looks_like_nothing_or_like_a_formula_is_a_name_in_csv_too(written):
    odd = ["NA", "null", "None", "nan", "true", "=1+1", "1", "1.0", "2020-01-01"]
    assert names(written("list.csv", "name\n" + "\n".join(odd) + "\n")) == odd


def test_quotes_hold_delimiters_quotes_and_ends_of_lines(written):
    path = written(
        "list.csv", 'id,name\n1,"Ana, B"\n2,"the ""Cat"""\n3,"two\nlines"\n4,O"Brien\n5,"a\r\nb"\n'
    )
    read = taken(path)
    assert read.names["name"].to_pylist() == ["Ana, B", 'the "Cat"', "two\nlines", 'O"Brien', "a\r\nb"]
    assert read.names["line"].to_pylist() == [1, 2, 3, 4, 5]


def test_ragged_and_blank_rows_are_rejected_as_they_stood(written):
    path = written("list.csv", 'name,n\nAna,1\nBea\n\nCleo,3,x\r\n" ",4\nDora,5\n')
    assert names(path) == ["Ana", "Dora"]
    assert rejected(path) == [
        (2, b"Bea", "has 1 fields and not 2"),
        (3, b"", "blank name"),
        (4, b"Cleo,3,x", "has 3 fields and not 2"),
        (5, b'" ",4', "blank name"),
    ]


def test_a_quote_left_open_is_refused_where_it_swallows_rows_and_else_rejects_its_row(written):
    path = written("list.csv", 'name,n\nAna,1\n"Bea,2\nCleo,3\n')
    error = refusal(path)
    assert (error.code, error.saw) == ("corpus.format", "b'\"Bea,2'")
    assert "quoting = false" in error.fix
    assert names(path, quoting=False) == ["Ana", '"Bea', "Cleo"]
    assert "quote" in refusal(path, max_row_bytes=10).fix
    last = written("last.csv", 'name,n\nAna,1\n"Bea,2\n')
    assert names(last) == ["Ana"]
    assert rejected(last) == [(2, b'"Bea,2', "a quote is left open")]


def test_a_quote_left_open_in_the_header_is_one_error(written):
    error = refusal(written("list.csv", 'id,"name\n1,Ana\n2,Bea\n'))
    assert error.code == "corpus.damaged"
    assert "header" in error.what
    assert error.saw.startswith("b'id,\"name")


def test_nulls_in_a_table_are_rejected(written):
    path = written("list.parquet", as_table("parquet", name=["Ana", None, " ", "\n"]))
    assert names(path) == ["Ana"]
    assert rejected(path) == [(2, b"", "no value"), (3, b" ", "blank name"), (4, b"\n", "blank name")]


@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_a_column_of_the_wrong_type_is_one_error(written, format):
    path = written(f"list.{format}", as_table(format, name=[1, 2], text=["a", "b"], raw=[b"a", b"b"]))
    assert refusal(path).code == "corpus.column_type"
    assert "number" in refusal(path).saw
    assert "binary" in refusal(path, column="raw").saw
    assert refusal(path, column="text", counts="raw").code == "corpus.column_type"


@pytest.mark.parametrize(
    "type", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_text_of_every_type_is_text(written, format, type):
    column = pa.array(["Ana", "Bea", None, "Ana"]).cast(type)
    assert names(written(f"list.{format}", as_table(format, name=column))) == ["Ana", "Bea", "Ana"]


@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_a_table_that_is_not_what_it_is_called_is_one_error(written, format):
    good = as_table(format, name=["Ana"] * 1000)
    for number, bad in enumerate((b"", b"Ana\nBea\n", good[:-20], good[: len(good) // 2])):
        assert refusal(written(f"{number}.{format}", bad)).code == "corpus.damaged"


@pytest.mark.parametrize("format", ["parquet", "feather"])
def test_a_table_is_read_under_a_path_that_is_no_utf8_and_a_lower_limit_of_memory(written, format):
    path = written(os.fsdecode(b"Zo\xeb.") + format, as_table(format, name=["Ana"]))
    assert names(path) == ["Ana"]
    reading = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
        "from data import corpus; from tasks.config.sources import Source; "
        "source = Source('list', sys.argv[1]); "
        "_, part = corpus.read_corpus(source.files, source.reading); print(part.names['name'].to_pylist())"
    )
    ended = subprocess.run([sys.executable, "-c", reading, path], capture_output=True, check=False)
    assert ended.stdout == b"['Ana']\n", ended.stderr


def test_text_in_a_table_that_is_not_utf8_is_one_error(written):
    text = pa.array([b"Ana", b"Zo\xeb"], pa.binary())
    column = pa.StringArray.from_buffers(2, text.buffers()[1], text.buffers()[2])
    for format in ("parquet", "feather"):
        error = refusal(written(f"list.{format}", as_table(format, name=column)))
        assert error.code == "corpus.encoding"


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("latin-1", "ISO-8859-1"),
        ("cp1252", "cp1252"),
        ("utf-16", None),
        ("utf-16-le", "utf-16-le"),
        ("utf-32", None),
        ("shift_jis", "shift_jis"),
        ("utf-8-sig", None),
    ],
)
@pytest.mark.parametrize("format", ["txt", "csv"])
def test_a_list_in_another_encoding_is_read_once_it_is_named_or_marked(written, format, encoding, told):
    expected = ["ヤマダ", "アベ"] if encoding == "shift_jis" else ["José", "Zoë"]
    path = written(f"list.{format}", "\r\n".join(["name", *expected]).encode(encoding))
    assert names(path, **({"encoding": told} if told else {})) == [
        *([] if format == "csv" else ["name"]),
        *expected,
    ]


def test_text_is_read_or_refused_in_one_error_whichever_codec_of_python_is_named(written):
    path, outcomes = written("list.txt", b"xn--a\n\\u0041\n" + bytes(range(256)) * 2), set()
    for codec in {*encodings.aliases.aliases.values(), "idna", "punycode", "utf_8_sig"}:
        try:
            outcomes.add(len(names(path, encoding=codec)) > 0)
        except (ConfigError, DataError) as error:
            outcomes.add(error.code)
    assert outcomes == {True, "config.source", "corpus.encoding"}


def test_utf16_is_read_by_its_name_if_it_is_marked(written):
    assert names(written("list.txt", "José\nZoë\n".encode("utf-16")), encoding="utf-16") == ["José", "Zoë"]
    error = refusal(written("list.txt", "José\nZoë\n".encode("utf-16-le")), encoding="utf-16")
    assert error.code == "corpus.encoding"


def test_a_list_in_an_unnamed_encoding_is_refused_with_what_it_may_be(written):
    text = "Ärger\nGröße\nFüße\nKöln\nMünchen\nStraße\nÜbung\nHäuser\n" * 5
    error = refusal(written("list.txt", text.encode("cp1252")))
    assert error.code == "corpus.encoding"
    assert error.where.endswith("list.txt, line 1, byte 1 (0xC4)")
    assert "encoding = \"cp1252\" reads 'Ärger'" in error.fix


def test_without_a_guess_no_encoding_is_proposed(written):
    error = refusal(written("list.txt", bytes(range(255, 0, -1)) * 20))
    assert error.fix.endswith("or name its encoding.")


def test_a_mark_of_utf8_is_believed_whatever_encoding_is_named(written):
    path = written("list.txt", "José\nZoë\n".encode("utf-8-sig"))
    assert names(path, encoding="cp1252") == ["José", "Zoë"]
    korean = "\ubbef\ub9bf\n".encode("utf-16-le")
    assert names(written("korean.txt", korean), encoding="utf-16-le") == ["\ubbef\ub9bf"]


@pytest.mark.parametrize(
    ("called", "beginning", "kind"),
    [
        ("names.xlsx", b"PK\x03\x04\x14\0\6\0", "Excel"),
        ("names.zip", b"PK\x03\x04\x14\0\0\0", "zip"),
        ("names.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        ("names.txt.xz", b"\xfd7zXZ\0\0\4", "xz"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(written, called, beginning, kind):
    error = refusal(written(called, beginning + bytes(40)))
    assert error.code == "corpus.damaged"
    assert kind in error.saw
    assert "CSV" in error.fix or "unpack" in error.fix


def test_a_csv_that_is_not_utf8_is_refused_by_row_and_byte(written):
    error = refusal(written("list.csv", b"name,n\nAna,1\nZo\xeb,2\n"))
    assert error.where.endswith("list.csv, row 2, byte 3 (0xEB)")


def test_bytes_that_are_not_of_the_named_encoding_are_refused_with_their_position(written):
    error = refusal(written("list.txt", b"Ana\nBe\x81a\n"), encoding="cp1252")
    assert (error.code, error.where[-16:]) == ("corpus.encoding", "list.txt, byte 7")
    assert refusal(written("odd.txt", "Ana\n".encode("utf-16") + b"x")).code == "corpus.encoding"


def test_two_spellings_of_a_weight_are_one():
    assert repr(CorpusConfig("x", weight=2)) == repr(CorpusConfig("x", weight=2.0))


def test_two_spellings_of_an_encoding_are_one_and_what_is_none_is_refused():
    assert CorpusConfig("x", encoding="latin1") == CorpusConfig("x", encoding="ISO-8859-1")
    for encoding in ("nonesuch", "base64", "rot13", "", "a\0b"):
        with pytest.raises(ConfigError):
            CorpusConfig("x", encoding=encoding)


@pytest.mark.parametrize(
    "knobs",
    [
        {"column": "name"},
        {"counts": 2},
        {"header": False},
        {"format": "parquet", "encoding": "latin-1"},
        {"format": "csv", "empty_last_line": True},
        {"column": 0, "format": "csv"},
        {"weight": 0.0},
        {"weight": float("inf")},
        {"weight": 1e300},
        {"format": "xls"},
        {"max_row_bytes": 0},
        {"max_bytes": 0},
    ],
    ids=str,
)
def test_an_option_of_no_effect_or_out_of_range_is_refused(knobs):
    with pytest.raises(ConfigError):
        CorpusConfig("x", **knobs)


def test_the_empty_text_after_the_last_line_is_a_name_for_who_asks_for_it(written):
    path = written("list.txt", "Ana\nBea\n")
    assert names(path) == ["Ana", "Bea"]
    assert names(path, empty_last_line=True) == ["Ana", "Bea", ""]
    assert names(written("other.txt", "Ana\nBea"), empty_last_line=True) == ["Ana", "Bea"]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
def test_a_truncated_compressed_list_is_an_error_wherever_it_ends(written, suffix):
    whole = COMPRESSED[suffix](b"Ana\nBea\nCleo\n" * 9)
    for length in range(len(whole)):
        error = refusal(written(f"list.txt{suffix}", whole[:length]))
        assert error.code == "corpus.damaged"
    assert len(names(written(f"list.txt{suffix}", whole))) == 27


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
def test_a_compressed_list_with_other_bytes_at_its_end_or_within_is_an_error(written, suffix):
    whole = COMPRESSED[suffix](b"Ana\nBea\nCleo\n" * 9)
    flipped = whole[:20] + bytes([whole[20] ^ 255]) + whole[21:]
    for bad in (whole + b"more", b"Ana\nBea\n"):
        assert refusal(written(f"list.txt{suffix}", bad)).code == "corpus.damaged"
    # zstd's checksum is optional: then what comes out may be text that is none.
    assert refusal(written(f"list.txt{suffix}", flipped)).code in ("corpus.damaged", "corpus.encoding")


def test_a_compressed_list_may_be_of_several_parts_and_may_be_called_anything(written):
    parts = gzip.compress(b"Ana\n") + gzip.compress(b"Bea\n")
    assert names(written("list.txt", parts)) == names(written("list.txt.gz", parts)) == ["Ana", "Bea"]


def test_a_folder_is_its_lists_in_the_order_of_their_names(written, tmp_path):
    for called, text in {"b.txt": "Bea\n\n", "a.txt": "Ana\n", "c.txt.gz": gzip.compress(b"Cleo\n")}.items():
        written(f"lists/{called}", text)
    for called in (".hidden.txt", "_notes.txt", "README.md", "picture.png"):
        written(f"lists/{called}", b"\xff")
    (tmp_path / "lists" / "below.txt").mkdir()
    read = taken(tmp_path / "lists")
    rows = zip(*(read.names[column].to_pylist() for column in ("name", "file", "line")), strict=True)
    assert list(rows) == [("Ana", 1, 1), ("Bea", 2, 1), ("Cleo", 3, 1)]
    assert read.rejected.select(["file", "line"]).to_pylist() == [{"file": 2, "line": 2}]


def test_a_pattern_is_what_matches_it(written, tmp_path):
    for called in ("1.csv", "2.csv", "3.csv.gz", ".4.csv"):
        text = f"name\nN{called}\n".encode()
        written(f"lists/{called}", gzip.compress(text) if called.endswith(".gz") else text)
    assert names(tmp_path / "lists" / "*.csv") == ["N1.csv", "N2.csv"]
    assert names(tmp_path / "**" / "[13].csv*") == ["N1.csv", "N3.csv.gz"]
    literal = written("lists/a[1].txt", "Ana\n")
    assert names(literal) == ["Ana"]


def test_no_wildcard_stands_for_what_is_hidden(written, tmp_path):
    for called in ("lists/a.txt", ".cache/b.txt", "lists/.git/c.txt", "lists/.d.txt"):
        (tmp_path / called).parent.mkdir(exist_ok=True)
        written(called, f"{called}\n")
    assert names(tmp_path / "**" / "*.txt") == names(tmp_path / "*" / "*.txt") == ["lists/a.txt"]
    assert names(tmp_path / ".cache" / "*.txt") == [".cache/b.txt"]
    assert names(tmp_path / "*" / ".git" / "*.txt") == ["lists/.git/c.txt"]


def test_a_part_of_a_pattern_without_a_wildcard_stands_for_itself(written, tmp_path):
    for called in ("one/towns.txt", "two/towns.txt", "two/rivers.txt", "towns.txt"):
        written(called, f"{called}\n")
    (tmp_path / "two" / "gone.txt").symlink_to("nowhere")
    assert names(tmp_path / "*" / "towns.txt") == ["one/towns.txt", "two/towns.txt"]
    assert names(tmp_path / "**" / "towns.txt") == ["one/towns.txt", "towns.txt", "two/towns.txt"]
    assert refusal(tmp_path / "*" / "gone.txt").code == "corpus.no_file"
    assert refusal(tmp_path / "two" / "*").code == "corpus.unreadable"


@pytest.fixture
def closed_folder():
    """A folder that this process may not list, in one that it may."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "open.txt").write_text("Ana\n")
        (path / "closed").mkdir()
        (path / "closed" / "more.txt").write_text("Bea\n")
        path.chmod(0o755)
        (path / "closed").chmod(0)
        was = os.geteuid()
        if was == 0:  # who may list everything
            os.seteuid(65534)
        try:
            yield path / "closed"
        finally:
            os.seteuid(was)
            (path / "closed").chmod(0o755)


def test_a_folder_that_may_not_be_read_is_one_error_and_never_passed_over(closed_folder):
    above = closed_folder.parent
    for path in (above / "**" / "*.txt", above / "*" / "*.txt", closed_folder, closed_folder / "more.txt"):
        error = refusal(path)
        assert error.code == "corpus.unreadable"
        assert "closed" in error.where
        assert "Permission denied" in error.what
    assert names(above / "*.txt") == ["Ana"]


def test_a_path_that_is_too_long_is_one_error(tmp_path):
    for called in ("a" * 300, "a" * 300 + "*"):
        assert refusal(tmp_path / called).code == "corpus.unreadable"


def test_a_folder_or_a_pattern_without_a_list_is_one_error(tmp_path, written):
    written("lists/picture.png", b"\xff")
    for path in (tmp_path / "lists", tmp_path / "*.csv"):
        assert refusal(path).code == "corpus.no_file"
    assert refusal(tmp_path / "a**" / "*").code == "config.source"


def test_files_of_several_formats_are_no_source_unless_it_is_said_what_they_are(written, tmp_path):
    written("lists/a.txt", "name\nAna\n")
    written("lists/b.csv", "name\nBea\n")
    assert refusal(tmp_path / "lists").code == "config.source"
    assert names(tmp_path / "lists", format="csv") == ["Ana", "Bea"]


def test_a_limit_counts_rows_over_all_files(written, tmp_path):
    written("lists/a.csv", "name\nAna\n\nBea\n")
    written("lists/b.csv", "name\nCleo\nDora\n")
    assert names(tmp_path / "lists", limit=4) == ["Ana", "Bea", "Cleo"]
    assert names(tmp_path / "lists", limit=2) == ["Ana"]
    table = written("list.parquet", as_table("parquet", name=[f"N{n}" for n in range(20_000)]))
    assert names(table, limit=9000) == [f"N{n}" for n in range(9000)]


def test_a_loop_of_links_a_missing_and_an_unreadable_file_and_a_pipe_are_one_error_each(tmp_path):
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    for called, why in (("loop.txt", "symbolic links"), ("none.txt", "No such"), ("pipe.txt", "regular")):
        error = refusal(tmp_path / called)
        assert error.code == "corpus.unreadable"
        assert why in error.what


def test_links_to_folders_that_lead_back_do_not_hang_a_pattern(tmp_path, written):
    written("lists/a.txt", "Ana\n")
    for number in range(3):
        (tmp_path / "lists" / f"up{number}").symlink_to(tmp_path)
    assert names(tmp_path / "**" / "*.txt") == ["Ana"]


@pytest.mark.parametrize("format", ["txt", "csv", "parquet"])
def test_a_file_that_changes_while_it_is_read_is_refused(written, format):
    before = b"name\nAna\n" if format != "parquet" else as_table("parquet", name=["Ana"])
    path = written(f"list.{format}", before)
    file = SourceFile(path)
    assert file.digest
    for after in (b"name\nAna\nBea\n", b"name\n\xff\n", b""):
        path.write_bytes(after)
        with pytest.raises(DataError) as caught:
            read([file], Source("list", str(path)).reading)
        assert caught.value.code == "corpus.changed"


@pytest.mark.skipif(sys.platform != "linux", reason="of a file that opens and cannot be read there is none")
def test_a_file_that_opens_and_cannot_be_read_is_one_clear_error():
    memory = Path("/proc/self/mem")
    file = SimpleNamespace(local=lambda: memory, origin=str(memory), digest="of what it was")
    with pytest.raises(DataError, match=r"corpus\.unreadable.*Input/output error"):
        read([file], CorpusConfig("list"))


@pytest.fixture
def small_files():
    """No file can grow above 64 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_table_that_cannot_be_unpacked_for_lack_of_space_is_one_clear_error(written):
    table = as_table("feather", name=[f"Ana {number}" for number in range(20_000)])
    assert len(gzip.compress(table)) < 1 << 16 < len(table)
    error = refusal(written("list.feather.gz", gzip.compress(table)))
    assert error.code == "corpus.unreadable"
    assert "unpacked: File too large" in error.what
    assert tempfile.gettempdir() in error.where


def test_a_limit_does_not_hide_that_the_rest_of_the_file_changed(written):
    path = written("list.txt", b"Ana\n" * 3_000_000)
    file = SourceFile(path)
    assert file.digest
    with path.open("r+b") as opened:
        opened.seek(-4, os.SEEK_END)
        opened.write(b"Bea\n")
    with pytest.raises(DataError, match=r"corpus\.changed"):
        read([file], CorpusConfig("list", limit=2))


@pytest.mark.parametrize("header", [True, False])
def test_one_byte_order_mark_is_dropped_before_a_csv_and_no_other(written, header):
    path = written("list.csv", '\ufeff\ufeff"Ana\n\ufeff"Bea\n'.encode())
    expected = ['\ufeff"Ana', '\ufeff"Bea']
    assert names(path, column=1, header=header) == expected[header:]


@pytest.mark.parametrize(
    "config", [{}, {"format": "csv"}, {"format": "csv", "header": False, "column": 1}], ids=str
)
@given(text=st.text(st.sampled_from('ab ,"\n\r\0é\u2028\x85\ufeff'), max_size=40), block=st.integers(4, 12))
@example(',"', 4)  # a whole row to Python 3.11.2, where possessive groups stand in each other
def test_where_blocks_end_makes_no_difference_and_no_row_is_lost(config, text, block):
    reading = CorpusConfig("list", **config)
    whole = outcome(text.encode(), reading, 1 << 20)
    assert outcome(text.encode(), reading, block) == whole
    if isinstance(whole, list):
        lines = [row["line"] for row in whole]
        assert sorted(lines) == list(range(1, len(lines) + 1))


@given(st.binary(max_size=200), st.sampled_from(["text", "csv", "tsv"]))
def test_random_bytes_are_read_or_refused_and_never_crash(raw, format):
    read = outcome(raw, CorpusConfig("list", format=format), 1 << 20)
    assert isinstance(read, str) or sorted(row["line"] for row in read) == list(range(1, len(read) + 1))


def outcome(raw, config, block_bytes):
    """All rows of a file with these bytes, taken or not, or the code of the error."""
    folder = Path(os.environ["PREFECT_HOME"])
    path = folder / "random"
    path.write_bytes(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "BLOCK_BYTES", block_bytes)
        try:
            every = read([SourceFile(path)], config)
        except DataError as refused:
            return refused.code + refused.where
    return [*every.names.to_pylist(), *every.rejected.to_pylist()]
