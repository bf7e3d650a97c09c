"""Lists as they are published: read right by an option, or refused with the option that reads them."""

import io
import json
import tarfile

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from cyclopts import Token
from small_corpora import read

from artifacts.keys import Recipe
from data.conditions import parse_conditions
from data.config import CorpusConfig
from data.corpus import read_corpus
from data.text.strings import title_cased
from rnn_core.errors import ConfigError, DataError
from tasks.config.sources import Source, parse_sources


@pytest.fixture
def written(tmp_path):
    """Writes a file and gives its path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows(path, **options):
    source = Source("list", str(path), **options)
    return read(source.files, source.reading)


def names(path, **options):
    return rows(path, **options).names["name"].to_pylist()


def weights(path, **options):
    accepted = rows(path, **options).names
    return dict(zip(accepted["name"].to_pylist(), accepted["weight"].to_pylist(), strict=True))


def refusal(path, **options):
    with pytest.raises((DataError, ConfigError)) as caught:
        rows(path, **options)
    return caught.value


def of_command_line(text):
    (source,) = parse_sources(None, [Token(keyword="--source", value=text, source="cli")])
    return source


def archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("names.txt")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"Ana\n"))
    return out.getvalue()


PEOPLE = [
    {"name": "Mary", "sex": "F", "n": 7},
    {"name": "John", "sex": "M", "n": 9},
    {"name": "Anna", "sex": "F", "n": 3},
]
TABLES = {
    "csv": "name,sex,n\nMary,F,7\nJohn,M,9\nAnna,F,3\n",
    "json": json.dumps(PEOPLE),
    "jsonl": "\n".join(map(json.dumps, PEOPLE)),
}


RECORDS = {
    "two commas": ("Mary,F,7065\nAnna,F,2604\n", 'format = "csv"'),
    "a comma and a number": ("name,count\nMary,1\nAnna,2\n", 'format = "csv"'),
    "tabs": ("Mary\tF\nAnna\tF\n", 'format = "tsv"'),
    "semicolons": ("Mary;F\nAnna;F\n", 'delimiter = ";"'),
    "bars": ("Mary|7\nAnna|6\n", 'delimiter = "|"'),
    "sep=": ("sep=;\nname;n\nMary;1\n", 'format = "csv"'),
    "padded columns": ("MARY     2.629  2.629  1\nANNA     1.035 71.500  2\n", 'delimiter = " "'),
    "padded words": ("Mary     F    Bern\nAnna     F    Biel\n", 'delimiter = " "'),
    "numbered": ("1. Mary\n2. Anna\n", "column = 2"),
    "pairs": ("Mary: 7\nAnna: 6\n", 'delimiter = ":"'),
    "bullets": ("- Mary\n- Anna\n", "take them out"),
    "JSON": ('{\n  "names": ["Mary", "Anna"]\n}\n', 'format = "json"'),
    "a JSON list": ('["Mary", "Anna"]\n', 'format = "json"'),
    "JSON Lines": ('{"name": "Mary"}\n{"name": "Anna"}\n', 'format = "jsonl"'),
    "a number before the name": ("1\tMary\n2\tAnna\n", "column = 2"),
    "a bar at both ends": ("| Mary | 7 |\n| Anna | 6 |\n", "column = 2"),
    "assignments": ("name=Mary\nname=Anna\n", "column = 2"),
    "sentences of names": ("Mary, Anna, Emma\nAda, Bea, Cleo, Ida\n", "a line of its own"),
    "one sentence of names": ("Mary, Anna, Emma, Eve, Ida, Ada\n", "a line of its own"),
    "addresses": ("https://example.org/Mary\nhttps://example.org/Anna\n", "take the names out"),
    "statements": (
        "-- names\nINSERT INTO n VALUES ('Mary');\n" * 1 + "INSERT INTO n VALUES ('A');\n" * 20,
        "CSV",
    ),
    "quoted lines": ('"Mary",\n"Anna"\n', 'format = "csv"'),
}


def test_the_semicolon_of_an_html_entity_separates_no_columns(written):
    assert names(written("list.txt", "Jos&eacute;\nO&#39;Neil\n")) == ["Jos&eacute;", "O&#39;Neil"]


@pytest.mark.parametrize(("content", "option"), RECORDS.values(), ids=RECORDS)
def test_a_text_that_is_a_table_is_refused_with_the_option_that_reads_it(written, content, option):
    path = written("list.txt", content)
    error = refusal(path)
    assert error.code == "corpus.format"
    assert option in error.fix
    assert 'format = "text"' in error.fix
    assert names(path, format="text") == [line.strip() for line in content.splitlines()]


@pytest.mark.parametrize(
    "content",
    [
        "García, Juan\nPérez, Ana\n",
        "Ana\nBea Maria\n",
        "R2-D2\nC-3PO\n",
        "Ana\n\n\nBea\n",
        "Mary,F,7065\n",
        "O'Neil\n",
    ],
    ids=["last, first", "words", "codes", "blank lines", "one line", "apostrophe"],
)
def test_a_list_that_only_looks_a_little_like_a_table_is_read(written, content):
    assert names(written("list.txt", content)) == [line for line in content.splitlines() if line]


OTHER_KINDS = {
    "HTML": (b"<!DOCTYPE html>\n<html>\n<p>403</p>\n", "HTML"),
    "an HTML list": (b"<ul>\n<li>Mary</li>\n</ul>\n", "HTML"),
    "XML": (b'<?xml version="1.0"?>\n<names/>\n', "XML"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n", "Git LFS"),
    "tar": (archive(), "tar"),
    "RTF": (b"{\\rtf1\\ansi Mary\\par Anna}", "RTF"),
    "a vCard": (b"BEGIN:VCARD\nFN:Mary\nEND:VCARD\n", "vCard"),
    "GEDCOM": (b"0 HEAD\n0 @I1@ INDI\n1 NAME Mary /X/\n", "GEDCOM"),
    "PDF": (b"%PDF-1.4\n", "PDF"),
    "Parquet": (b"PAR1\x15\x04", "Parquet"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "picture"),
}


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.json"])
@pytest.mark.parametrize(("content", "word"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_another_kind_of_file_is_refused_by_its_name(written, content, word, name):
    error = refusal(written(name, content))
    assert error.code == "corpus.format"
    assert word in error.what


def test_names_in_angle_brackets_are_read_if_the_format_is_given(written):
    assert names(written("list.txt", "<a>\n<b>\n"), format="text") == ["<a>", "<b>"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_utf_16_or_32_without_a_mark_is_refused_with_its_encoding(written, encoding):
    path = written("list.txt", "Mary\nÁnna\n".encode(encoding))
    assert f'encoding = "{encoding}"' in refusal(path).fix
    assert names(path, encoding=encoding) == ["Mary", "Ánna"]


def test_a_source_on_the_command_line_takes_options(written):
    path = written("yob,2023.txt", "Mary,F,7065\nJohn,M,9655\n")
    source = of_command_line(f"us={path},column=1,counts=3,header=false")
    assert (source.column, source.counts, source.header, source.path) == (1, 3, False, str(path))
    accepted = read(source.files, source.reading).names
    assert accepted["name"].to_pylist() == ["Mary", "John"]
    assert accepted["weight"].to_pylist() == [7065.0, 9655.0]
    source = of_command_line(f'x={path},delimiter=tab,where=sex = "F",weight=2,case=title,column="1"')
    assert (source.delimiter, source.where, source.weight, source.case) == ("\t", 'sex = "F"', 2, "title")
    assert source.column == "1"
    assert of_command_line(f"x={path}").path == str(path)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("x=a.txt,colum=3", "'column'"),
        ("x=a.txt,weight=two", "weight = 2.0"),
        ("x=a.txt,header=no", "header = false"),
    ],
)
def test_a_wrong_option_of_a_source_is_reported_with_its_own_example(text, fix):
    with pytest.raises(ConfigError) as caught:
        of_command_line(text)
    assert fix in caught.value.fix


def test_a_file_whose_name_looks_like_an_option_is_read(written):
    path = written("a,column=1", "Ana\nBea\n")
    assert of_command_line(f"x={path}").path == str(path)


@pytest.mark.parametrize("text", ["{0}", "x={0}", "x={0},column=1"])
def test_a_path_that_the_system_refuses_is_one_error_of_its_reader(text):
    source = of_command_line(text.format("n" * 300 + ".txt"))
    with pytest.raises(DataError, match=r"corpus\.unreadable"):
        _ = source.reading


def test_a_delimiter_is_an_option_and_one_that_is_missing_is_named_in_the_error(written):
    path = written("list.csv", "sexe;preusuel;nombre\n1;JEAN;50\n2;ANNE;51\n")
    assert 'delimiter = ";"' in refusal(path, column="preusuel", counts="nombre").fix
    assert weights(path, column="preusuel", counts="nombre", delimiter=";") == {"JEAN": 50.0, "ANNE": 51.0}


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("a.json", '{"name": "Ana"}\n{"name": "Bea"}\n', 'format = "jsonl"'),
        ("a.jsonl", '[\n"Ana",\n"Bea"\n]\n', 'format = "json"'),
        ("a.json", '{"names": ["Ana", "Bea"]}', 'column = "names"'),
        ("a.json", '{"Ana": 3, "Bea": 2}', "a list of texts, or of objects"),
    ],
)
def test_json_of_another_shape_is_refused_with_what_reads_it(written, name, content, fix):
    assert fix in refusal(written(name, content)).fix


@pytest.mark.parametrize("column", [None, 1])
def test_a_first_row_that_may_be_a_name_is_said_also_where_the_column_has_a_number(written, column):
    content = "Mary,7065\nAnna,2604\n"
    source = Source("list", str(written("list.csv", content)), column=column, counts=2)
    said = []
    for _ in read_corpus(source.files, source.reading, said.append):
        pass
    assert len(said) == 1
    assert "'Mary' as the column of the names; if it is a name: header = false" in said[0]


@pytest.mark.parametrize("format", TABLES)
def test_a_column_of_counts_that_is_not_read_is_said(written, format):
    def notices(**options):
        source, said = Source("list", str(written(f"list.{format}", TABLES[format])), **options), []
        for _ in read_corpus(source.files, source.reading, said.append):
            pass
        return said

    assert notices() == [
        f"'list.{format}': the column 'n' is not read, so that every name counts once; "
        'if it says how often: counts = "n"'
    ]
    assert notices(counts="n") == []


def test_a_line_that_names_the_separator_is_believed(written):
    assert names(written("list.csv", "sep=;\nname;n\nMary;1\nAnna;2\n")) == ["Mary", "Anna"]


def test_a_space_as_delimiter_stands_for_any_number_of_spaces(written):
    path = written("list.txt", "MARY           2.629  1\r\n ANNA   10.073  90.040  \r\nEVE 1.5 2")
    options = {"delimiter": " ", "header": False, "column": 1, "counts": 2}
    assert weights(path, **options) == {"MARY": 2.629, "ANNA": 10.073, "EVE": 1.5}


OPEN = [f"{row}\tTown{row}\tx\n" for row in range(12)]
OPEN[3] = '3\tTown3\t"x\n'


@pytest.mark.parametrize("partner", [None, 5, 9], ids=["never closed", "closed soon", "closed later"])
def test_a_quote_that_would_swallow_rows_is_refused_with_the_row_and_read_as_a_character(written, partner):
    lines = list(OPEN)
    if partner:
        lines[partner] = f'{partner}\t"Town{partner}\tx\n'
    path = written("cities.tsv", "".join(lines))
    error = refusal(path, header=False, column=2)
    assert error.code == "corpus.format"
    assert "row 4 spans" in error.what
    assert "quoting = false" in error.fix
    read_names = names(path, header=False, column=2, quoting=False)
    assert len(read_names) == 12
    assert read_names[3] == "Town3"


def test_a_field_of_several_lines_in_quotes_is_read(written):
    path = written("list.csv", 'name,address,n\nAna,"Main St\nApt 5\nBern",1\nBea,x,2\n')
    assert names(path) == ["Ana", "Bea"]


COUNTS = {
    ",": ("7,065", 'thousands = ","', {"thousands": ","}),
    ". and ,": ("1.234.567,5", 'thousands = "."', {"thousands": ".", "decimal": ","}),
    "space": ("7 065", 'thousands = " "', {"thousands": " "}),
    "narrow space": ("7\u202f065", 'thousands = " "', {"thousands": " "}),
    "apostrophe": ("7’065", 'thousands = "\'"', {"thousands": "'"}),
    "decimal comma": ("604,5", 'decimal = ","', {"decimal": ","}),
    "only points": ("7.065", 'thousands = "."', {"thousands": ".", "decimal": ","}),
    "lakh": ("12,34,567", None, {"thousands": ","}),
}


@pytest.mark.parametrize(("count", "option", "options"), COUNTS.values(), ids=COUNTS)
def test_counts_with_separators_are_read_by_an_option_and_never_dropped(written, count, option, options):
    path = written("list.csv", f'name,n\nMary,"{count}"\nAnna,12\n')
    if option:
        error = refusal(path, counts="n")
        assert error.code == "corpus.format"
        assert option in error.fix
    digits = "".join(character for character in count if character.isdigit())
    expected = float(digits) / (10 if count.endswith(",5") else 1)
    assert weights(path, counts="n", **options) == {"Mary": expected, "Anna": 12.0}


def test_a_decimal_point_that_is_named_is_one(written):
    path = written("list.csv", "name,n\nMary,7.065\nAnna,12\n")
    assert weights(path, counts="n", decimal=".") == {"Mary": 7.065, "Anna": 12.0}
    assert weights(written("b.csv", "name,n\nMary,7.065\nAnna,12.5\n"), counts="n")["Mary"] == 7.065


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet", "feather"])
def test_a_row_filter_reads_some_rows_of_every_table(tmp_path, format):
    path = tmp_path / f"list.{format}"
    if format in TABLES:
        path.write_text(TABLES[format])
    else:
        table = pa.Table.from_pylist(PEOPLE)
        if format == "parquet":
            pa.parquet.write_table(table, path)
        else:
            pa.feather.write_feather(table, path)
    assert weights(path, counts="n", where='sex = "F"') == {"Mary": 7.0, "Anna": 3.0}
    assert names(path, where="sex != F") == ["John"]
    assert names(path, where='sex = "F" and n = 3') == ["Anna"]
    assert names(path, where='sex = "F"', limit=1) == ["Mary"]
    lines = rows(path, where='sex = "F"').names["line"].to_pylist()
    assert lines == [1, 3]
    assert "columns" in refusal(path, where="gender = F").saw


@pytest.mark.parametrize("where", ["", "sex", "= F", "sex = F or n = 3 = 4"])
def test_a_row_filter_that_is_not_understood_is_refused(where):
    with pytest.raises(ConfigError):
        CorpusConfig("x", "csv", where=where)


def test_a_row_filter_names_columns_by_number_or_in_quotes():
    assert parse_conditions("2=F") == ((2, True, "F"),)
    assert parse_conditions("\"Child's First Name\" != 'Ann Lee'") == (
        ("Child's First Name", False, "Ann Lee"),
    )


def test_json_lists_and_fields_are_read(written):
    assert names(written("a.json", '["Mary", "Anna", null, 3]')) == ["Mary", "Anna"]
    nested = written("b.json", '{"description": "names", "firstNames": ["Mary", "Anna"]}')
    assert names(nested, column="firstNames") == ["Mary", "Anna"]
    assert "firstNames" in refusal(nested).saw
    assert names(written("c.json", '{"data": [{"name": "Mary"}, {"name": "Anna"}]}')) == ["Mary", "Anna"]
    assert names(written("d.jsonl", '"Mary"\n\n"Anna"\n')) == ["Mary", "Anna"]
    assert refusal(written("e.json", '["Mary", ')).code == "corpus.damaged"
    assert refusal(written("f.json", "[" * 100_000)).code == "corpus.damaged"
    reasons = rows(written("g.json", '["Mary", null, 3, "\\ud800"]')).rejected["reason"].to_pylist()
    assert reasons == ["no value", "not a text", "not a text"]


def test_counts_of_json_in_text_are_read_as_those_of_a_table(written):
    path = written("a.json", '[{"name": "Mary", "n": "1,234"}, {"name": "Anna", "n": 7}]')
    assert 'thousands = ","' in refusal(path, counts="n").fix
    assert weights(path, counts="n", thousands=",") == {"Mary": 1234.0, "Anna": 7.0}


def test_lines_above_the_table_are_skipped_by_an_option_and_refused_without_it(written):
    path = written("list.csv", "Popular names\n\nname,n,x\nMary,7,a\nAnna,6,b\nIda,5,c\nOda,4,d\n")
    assert "skip_rows" in refusal(path).fix
    assert names(path, skip_rows=2) == ["Mary", "Anna", "Ida", "Oda"]
    text = written("list.txt", "# a list\r\nMary\r\nAnna\r\n")
    accepted = rows(text, skip_rows=1).names
    assert accepted["name"].to_pylist() == ["Mary", "Anna"]
    assert accepted["line"].to_pylist() == [2, 3]


def test_names_in_one_case_are_written_with_capitals_where_that_is_asked_for(written):
    shouted = [
        "MARY ANN",
        "O'NEIL",
        "D’ARCY",
        "HAWAI'I",
        "JEAN-PIERRE",
        "McDonald",
        "élodie",
        "ΝΙΚΟΣ",
        "იოანე",
        "ÇİĞDEM",
        "İPEK",
    ]
    expected = [
        "Mary Ann",
        "O'Neil",
        "D’Arcy",
        "Hawai'i",
        "Jean-Pierre",
        "McDonald",
        "Élodie",
        "Νικος",
        "იოანე",
        "Çiğdem",
        "İpek",
    ]
    assert title_cased(pa.array(shouted)).to_pylist() == expected
    assert title_cased(pa.array(["MARI\u0301A", "იოანე"])).to_pylist() == ["Mari\u0301a", "იოანე"]
    path = written("list.txt", "\n".join(shouted))
    assert names(path, case="title") == expected
    assert names(path) == shouted


def test_an_option_that_came_later_moves_no_key_while_it_has_its_default():
    plain = Recipe.for_stage("corpus", 5, CorpusConfig("towns", "csv"), {})
    assert set(plain.config) == {
        *("name", "format", "encoding", "column", "header", "counts", "weight", "limit", "empty_last_line"),
        *("max_row_bytes", "max_bytes"),
    }
    assert Recipe.for_stage("corpus", 5, CorpusConfig("towns", "csv", True), {}).key == plain.key
    for option in (
        {"delimiter": ";"},
        {"quoting": False},
        {"where": "a = b"},
        {"case": "title"},
        {"skip_rows": 1},
    ):
        assert Recipe.for_stage("corpus", 5, CorpusConfig("towns", "csv", **option), {}).key != plain.key


@pytest.mark.parametrize(
    ("format", "option"),
    [
        ("text", {"delimiter": ";"}),
        ("parquet", {"quoting": False}),
        ("csv", {"decimal": ","}),
        ("text", {"where": "a = b"}),
        ("json", {"skip_rows": 1}),
        ("csv", {"counts": "n", "thousands": "."}),
        ("csv", {"delimiter": "ab"}),
        ("csv", {"case": "upper"}),
    ],
    ids=str,
)
def test_an_option_without_effect_or_out_of_range_is_refused(format, option):
    with pytest.raises(ConfigError):
        CorpusConfig("x", format, **option)


ENCODED = {
    "Spanish": ("José\nBegoña\nNúñez\n", "cp1252", "José"),
    "Portuguese": ("João\nConceição\n", "cp1252", "João"),
    "Japanese": ("サトウ\nタナカ\n山田\n", "shift_jis", "サトウ"),
    "French": ("François\nZoë\n", "latin-1", "François"),
    "Polish": ("Łukasz\nMałgorzata\nStanisław\n", "cp1250", "Łukasz"),
    "Russian": ("Иван\nМария\nОлег\n", "koi8-r", "Иван"),
    "Greek": ("Γιώργος\nΜαρία\n", "cp1253", "Γιώργος"),
    "Chinese": ("王伟\n李娜\n张敏\n", "gb18030", "王伟"),
}


@pytest.mark.parametrize(("text", "encoding", "first"), ENCODED.values(), ids=ENCODED)
def test_a_wrong_encoding_shows_how_the_line_reads_in_the_likeliest_the_right_one_first(
    written, text, encoding, first
):
    error = refusal(written("list.txt", text.encode(encoding)))
    assert error.code == "corpus.encoding"
    right = "cp1252" if encoding == "latin-1" else encoding
    assert f'"{right}" reads {first!r}' in error.fix
    if right != "shift_jis":  # the bytes fit several encodings of the East as well
        assert f'encoding = "{right}"' in error.fix


def test_utf_8_that_is_read_as_another_encoding_is_refused(written):
    path = written("list.txt", "José\nAna\n")
    assert refusal(path, encoding="latin-1").code == "corpus.encoding"
    assert names(written("ascii.txt", "Ana\nBea\n"), encoding="latin-1") == ["Ana", "Bea"]


def test_arrows_stream_format_is_read_and_feathers_old_one_is_named(written, tmp_path):
    table = pa.table({"name": ["Mary", "Anna"], "n": [1, 2]})
    path = tmp_path / "list.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    assert weights(path, column="name", counts="n") == {"Mary": 1.0, "Anna": 2.0}
    error = refusal(written("old.feather", b"FEA1" + bytes(60)))
    assert error.code == "corpus.format"
    assert "Parquet" in error.fix


# An empty frame of Zstandard whose header asks for a window of 2 GiB.
LONG_WINDOW = bytes.fromhex("28b52ffd 00a8 010000")


def test_a_long_window_of_zstandard_is_named_in_the_error(written):
    error = refusal(written("list.txt.zst", LONG_WINDOW))
    assert error.code == "corpus.format"
    assert "--long" in error.fix
