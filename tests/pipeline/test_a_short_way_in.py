"""The first minutes: a list by its file, help on one screen, and common words that lead somewhere."""

import json
import sys
import tomllib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows import cli
from flows.help import EXAMPLES, USED

# It is in the place of a process of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


@pytest.fixture
def called(tmp_path, monkeypatch, capfd):
    """Runs a command in this process; its exit code, and what it printed."""

    def run(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setattr(sys, "argv", ["namewright", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


def sources_of(store):
    configs = [
        json.loads(path.read_text())["recipe"]["config"]
        for path in (store / "corpus").glob("*/manifest.json")
    ]
    return sorted((config["name"], config["format"]) for config in configs)


@pytest.mark.parametrize(
    ("words", "sources"),
    [
        (["elves.txt"], [("elves", "text")]),
        (["elves.txt", "lists/dwarves.csv"], [("dwarves", "csv"), ("elves", "text")]),
        (["lists"], [("lists", "csv")]),
        (["small=elves.txt"], [("small", "text")]),
        (["elves.txt", "--source", "more=lists/dwarves.csv"], [("elves", "text"), ("more", "csv")]),
    ],
    ids=["a file", "two", "a folder", "a name", "with an option"],
)
def test_a_list_is_named_after_its_file(called, tmp_path, words, sources):
    (tmp_path / "lists").mkdir()
    (tmp_path / "elves.txt").write_text("Elrond\nElwing\n")
    (tmp_path / "lists" / "dwarves.csv").write_text("name\nGimli\nBalin\n")
    (tmp_path / "pipeline.toml").write_text('[[source]]\nname = "other"\npath = "nowhere.txt"\n')
    code, _, err = called("data", *words, "--store", "store")
    assert code == 0, err
    assert sources_of(tmp_path / "store") == sources


def test_the_name_of_a_file_can_neither_color_nor_clear_the_terminal(called, tmp_path):
    hostile = "a\x1b[31m\u202eb.txt"
    code, out, err = called("data", hostile, "--store", "store")
    assert code == 3
    assert "a\\x1b[31m\\u202eb.txt" in err
    (tmp_path / hostile).write_text("Ana\nBe\x1ba\nمه\u200cرو\n")
    code, out, err = called("data", f"towns={hostile}", "--store", "store")
    assert code == 0, err
    assert not {"\x1b", "\u202e"} & set(out + err)
    assert "towns line 2: holds a control" in out


def test_standard_input_is_refused_by_its_name(called):
    code, _, err = called("data", "-")
    assert (code, err.partition("\n")[0]) == (
        2,
        "error[config.option]: lists are read from files, not from standard input",
    )
    assert "save the list to a file" in err


def test_two_lists_of_one_name_are_refused(called):
    code, _, err = called("data", "a/elves.txt", "b/elves.txt")
    assert (code, err.splitlines()[0]) == (2, "error[config.source]: two sources have the same name")
    assert "--source 'NAME=FILE" in err


@pytest.mark.parametrize(
    "content",
    [b"name;count\nAna;3\n", b"first,last\nAna,Lee\n", b"Ana\tF\nBea\tF\n", "Zoë\n".encode("latin-1")],
    ids=["another delimiter", "an unknown column", "a table", "another encoding"],
)
def test_a_file_that_needs_an_option_says_how_the_command_line_takes_it(called, tmp_path, content):
    (tmp_path / "list.csv").write_bytes(content)
    code, _, err = called("data", "list.csv", "--store", "store")
    assert code == 3
    assert err.splitlines()[-1].startswith("  hint:  --source 'NAME=FILE,OPTION=VALUE'")
    assert "namewright init FILE" in err


@pytest.mark.parametrize("command", USED)
def test_help_is_one_screen_with_examples_and_help_all_has_the_rest(called, command):
    _, screen, _ = called(command, "--help")
    options = {word for line in screen.splitlines() for word in line.split() if word.startswith("--")}
    assert len(USED[command]) <= 14
    assert len(screen.splitlines()) < 60
    assert f"namewright {command} --help-all" in screen
    assert screen.count(f"namewright {command} ") >= 3
    _, everything, _ = called(command, "--help-all")
    assert len(everything) > len(screen)
    assert all(option in everything for option in USED[command] & options)
    assert "NAMEWRIGHT_STORE" in everything


def test_every_example_fits_a_line_and_begins_with_the_command():
    for command, examples in EXAMPLES.items():
        lines = examples.strip().splitlines()
        assert len(lines) in (3, 4)
        assert all(len(line) <= 78 and line.startswith(f"namewright {command}") for line in lines)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["train", "elves.txt"], "namewright run"),
        (["elves.txt"], "namewright run elves.txt"),
        (["runn"], "namewright run"),
        (["models", "lst"], "namewright models list"),
        (["generate", "-n", "5"], "--count"),
        (["generate", "--starts-with", "El"], "--prefix"),
        (["generate", "--tempreature", "1"], "--temperature"),
        (["run", "--threads", "3"], "--workers"),
        (["run", "--lr", "3"], "--training.learning-rate or --notebook.learning-rate"),
        (["run", "--seed", "3"], "--training.seed or --sampling.seed or --examples.seed"),
        (["run", "--training.learning-rat", "3"], "--training.learning-rate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_common_word_leads_to_ours(called, words, meant):
    code, _, err = called(*words)
    assert code == 2
    assert f"  fix:   Did you mean {meant}? See namewright " in err
    assert " --help" in err


@pytest.mark.parametrize("words", [["run", "--foo", "1"], ["generate", "--colour", "red"]], ids=" ".join)
def test_nothing_is_suggested_where_nothing_is_near(called, words):
    code, _, err = called(*words)
    assert (code, "Did you mean" in err) == (2, False)
    assert f"see namewright {words[0]} --help, and namewright {words[0]} --help-all" in err


def test_rows_beyond_a_limit_are_counted(called, tmp_path):
    (tmp_path / "names.txt").write_text(
        "".join(f"Ana{chr(97 + n % 26)}{chr(97 + n // 26)}\n" for n in range(80))
    )
    source = '{"name": "names", "path": "names.txt", "limit": 30}'
    _, out, _ = called("data", "--source", source, "--store", "store")
    assert "80 rows in the file, 30 read (limit)" in out
    (folder,) = (tmp_path / "store" / "corpus").iterdir()
    assert pq.read_metadata(folder / "names.parquet").num_rows == 30
    _, out, _ = called("data", "names.txt", "--store", "other")
    assert "(limit)" not in out


TABLES = {
    "registry.csv": ("year,sex,name,births\n1990,F,Ana,12\n1990,M,Leo,9\n", ("name", True, "births")),
    "yob.txt.csv": ("Mary,F,7065\nAnna,F,2604\nIda,F,1472\n", (1, False, 3)),
    "towns.tsv": ("country\ttown\nch\tBern\nch\tBasel\n", ("town", True, None)),
    "semicolons.csv": (
        "sexe;preusuel;annais;nombre\n1;Abel;1900;4\n2;Zoé;1900;7\n",
        ("preusuel", True, "nombre"),
    ),
    "yob2023.txt": ("Mary,F,7065\nAnna,F,2604\nIda,F,1472\n", (1, False, 3)),
    "one.csv": ("given\nAna\nLeo\n", (None, True, None)),
}


@pytest.mark.parametrize("file", TABLES)
def test_init_looks_at_a_list_and_writes_its_columns(called, tmp_path, file):
    content, expected = TABLES[file]
    (tmp_path / file).write_text(content)
    code, _, err = called("init", "--source", file)
    assert code == 0, err
    (source,) = tomllib.loads((tmp_path / "pipeline.toml").read_text())["source"]
    assert (source.get("column"), source["header"], source.get("counts")) == expected
    assert (source["name"], source["path"]) == (file.partition(".")[0], file)
    assert "limit" not in source
    code, out, err = called("data", "--store", "store", "--config", "pipeline.toml")
    assert code == 0, err
    assert "(limit)" not in out
    (names,) = (tmp_path / "store").glob("corpus/*/names.parquet")
    assert pq.read_metadata(names).num_rows == len(content.splitlines()) - expected[1]


def test_init_looks_at_a_parquet_file_and_at_several_lists(called, tmp_path):
    table = pa.table({"id": [1, 2], "first_name": ["Ana", "Leo"], "count": [3, 4]})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text("Bern\n")
    assert called("init", "a.parquet", "b.txt")[0] == 0
    written = (tmp_path / "pipeline.toml").read_text()
    first, second = tomllib.loads(written)["source"]
    assert (first["column"], first["counts"], second["path"]) == ("first_name", "count", "b.txt")
    assert "# columns of the file: id, first_name, count\n[[source]]" in written


def test_init_of_a_list_that_is_missing_writes_nothing(called, tmp_path):
    code, _, err = called("init", "nowhere.csv")
    assert (code, err.splitlines()[0].split(":")[0]) == (3, "error[corpus.unreadable]")
    assert not (tmp_path / "pipeline.toml").exists()


def test_lists_are_no_variable(called, monkeypatch):
    monkeypatch.setenv("NAMEWRIGHT_LISTS", "elves.txt")
    code, _, err = called("data")
    assert (code, err.splitlines()[0]) == (
        2, "error[config.variable]: unknown environment variable NAMEWRIGHT_LISTS",
    )  # fmt: skip


def test_a_dry_run_of_a_list_that_is_refused_says_nothing_of_stages_that_were_not_reached(called, tmp_path):
    code, out, err = called("run", "nowhere.txt", "--dry-run", "--store", "store")
    assert (code, out) == (3, "")
    assert err.startswith("error[corpus.unreadable]")
    (tmp_path / "elves.txt").write_text("Elrond\nElwing\n")
    assert called("data", "elves.txt", "--store", "store")[0] == 0
    (tmp_path / "elves.txt").write_text("<!DOCTYPE html>\n<html>\n")
    code, out, err = called("run", "elves.txt", "--dry-run", "--store", "store")
    assert (code, err.partition(":")[0]) == (3, "error[corpus.format]")
    first = out.splitlines()[0]
    assert first == "the run would end with an error; computed until then: corpus elves"
