"""A list as people ask for it: one file by its suffix, whole, or the names alone on standard output."""

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq
import pytest

from artifacts import exports, single_file
from artifacts.errors import StoreError
from flows import cli
from tasks.models import open_model

# It is in the place of a process of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


@pytest.fixture
def generate(learnt, tmp_path, monkeypatch, capfdbinary):
    """Runs `generate --count 300` in this process; its exit code, standard output and standard error."""

    def run(*options):
        monkeypatch.setenv("NAMEWRIGHT_STORE", str(learnt))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(
            sys, "argv", ["namewright", "generate", "--engine", "plain", "--count", "300", *options]
        )
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        printed = capfdbinary.readouterr()
        return code, printed.out.decode(), printed.err.decode()

    return run


READERS = {
    "parquet": pq.read_table,
    "csv": pa_csv.read_csv,
    "jsonl": pa_json.read_json,
    "txt": lambda path: pa.table({"name": path.read_text().splitlines()}),
}


@pytest.mark.parametrize("format", READERS)
def test_one_file_has_the_format_of_its_suffix_and_the_names_of_the_data_set(generate, tmp_path, format):
    path = tmp_path / "lists" / f"names.{format}"
    code, out, err = generate("--output", str(path))
    assert code == 0, err
    assert f"file: {path}" in out
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]  # nothing beside it
    assert generate("--output", "folder")[0] == 0
    names = pq.read_table(tmp_path / "folder")["name"].to_pylist()
    assert READERS[format](path)["name"].to_pylist() == names
    if format == "parquet":
        assert pq.read_table(path).drop_columns(["name"]) == pq.read_table(tmp_path / "folder").drop_columns(
            ["name"]
        )


def test_standard_output_has_the_names_and_nothing_else(generate, tmp_path):
    code, out, err = generate("--output", "-")
    assert code == 0
    assert generate("--output", "names.txt")[0] == 0
    assert out == (tmp_path / "names.txt").read_text()
    assert len(out.splitlines()) == 300
    assert "300 names" in err


def test_a_file_is_written_again_only_if_it_is_another_and_only_when_asked(generate, tmp_path):
    path = tmp_path / "names.csv"
    assert generate("--output", "names.csv")[0] == 0
    before = path.stat()
    assert generate("--output", "names.csv")[0] == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    code, _, err = generate("--output", "names.csv", "--seed", "1")
    assert (code, err.splitlines()[0]) == (4, "error[list.another]: there is another file of this name")
    assert "hint:  --output" in err
    assert path.stat().st_ino == before.st_ino
    assert generate("--output", "names.csv", "--seed", "1", "--overwrite")[0] == 0
    assert path.stat().st_ino != before.st_ino


@pytest.mark.parametrize("name", ["names.xlsx", "names.json", "names.csv.gz"])
def test_a_file_of_another_kind_is_refused_and_no_folder_takes_its_name(generate, tmp_path, name):
    code, out, err = generate("--output", name)
    assert (code, out) == (2, "")
    assert f"no list is written as .{name.rpartition('.')[2]}" in err
    assert list(tmp_path.iterdir()) == []


def test_a_file_for_excel_begins_with_a_byte_order_mark(generate, tmp_path):
    assert generate("--output", "names.csv", "--excel", "--columns", "name")[0] == 0
    assert (tmp_path / "names.csv").read_bytes().startswith(b'\xef\xbb\xbf"name"\n')
    for other in (["--output", "names.txt"], ["--output", "folder"], []):
        code, _, err = generate(*other, "--excel")
        assert (code, err.splitlines()[0]) == (
            2,
            "error[config.columns]: a byte order mark is for one CSV file",
        )


@pytest.mark.parametrize(
    "options",
    [
        ["--output", "names.txt", "--columns", "length"],
        ["--output", "-", "--columns", "length"],
        ["--output", "names.txt", "--format", "csv"],
    ],
    ids=" ".join,
)
def test_a_file_that_cannot_hold_what_is_asked_is_refused(generate, options):
    code, _, err = generate(*options)
    assert (code, err.split("]")[0]) == (2, "error[config.columns")


def test_a_cell_that_a_spreadsheet_would_run_is_text(tmp_path):
    run = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1"]
    names = ["Ana", *run, "O'Neil", "Jean-Luc", "1+1"]
    part = tmp_path / "part.parquet"
    exports.write(part, pa.table({"name": names, "n": range(len(names))}), "parquet", {})
    single_file.write_list([part, part], tmp_path / "names.csv", byte_order_mark=False, overwrite=False)
    with (tmp_path / "names.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["name", "n"]
    escaped = [f"'{name}" if name in run else name for name in names]
    assert [row[0] for row in rows] == [*escaped, *escaped]
    single_file.write_list([part], tmp_path / "names.jsonl", byte_order_mark=False, overwrite=False)
    assert pa_json.read_json(tmp_path / "names.jsonl")["name"].to_pylist() == names


def test_an_option_is_not_taken_for_a_path(generate):
    code, _, err = generate("--output", "--unique")
    assert (code, err.splitlines()[0]) == (2, "error[config.range]: --output must be a path, got '--unique'")


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    part = tmp_path / "part.parquet"
    exports.write(part, pa.table({"name": ["Ana"]}), "parquet", {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports, "write_batches", full)
    with pytest.raises(StoreError, match=r"store\.full"):
        single_file.write_list([part], tmp_path / "names.csv", byte_order_mark=False, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["part.parquet"]


def test_log_probabilities_are_those_at_temperature_1_without_constraints(generate, learnt, tmp_path):
    assert generate("--temperature", "0.5", "--prefix", "Ma", "--output", "names.parquet")[0] == 0
    table = pq.read_table(tmp_path / "names.parquet")
    alone = open_model(store=learnt).log_probabilities(table["name"])
    assert table["log_probability"].to_numpy() == pytest.approx(alone, abs=1e-3)
    description = table.schema.field("log_probability").metadata[b"description"].decode()
    assert "under the model at temperature 1" in description
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "lists.md").read_text(encoding="utf-8")
    assert "under the model itself: at temperature 1, without constraints" in page
