"""What `namewright generate` says: of a list, and of what cannot be one."""

import json
import sys
from functools import partial

import pyarrow.parquet as pq
import pytest
from small_lists import manifest_of, rows_of

from artifacts.documents import file_digest
from flows import cli

# It is in the place of a process of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")


@pytest.fixture
def called(learnt, tmp_path, monkeypatch, capfd):
    """Runs a command in this process; its exit code, and what it printed."""

    def run(*options, **variables):
        ours = {"NAMEWRIGHT_ENGINE": "plain", "NAMEWRIGHT_STORE": str(learnt)}
        for name, value in {**ours, **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["namewright", *options])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def generate(called):
    return partial(called, "generate")


def test_it_says_how_many_names_where_they_are_and_how_they_look(generate, tmp_path):
    code, out, err = generate("--count", "2000", "--prefix", "Ma", "--output", "list")
    assert (code, err) == (0, "")
    *_, count, known, names, where = out.splitlines()
    assert count.startswith("2,000 names: ")
    assert count.endswith(" names/s")
    assert known.startswith("in the training list: ")
    assert names.startswith("names: Ma")
    assert where.startswith(f"list: {tmp_path / 'list'}  (1 file, ")
    assert {name[:2] for name in rows_of(tmp_path / "list")["name"].to_pylist()} == {"Ma"}
    assert (
        "2,000 names: there already" in generate("--count", "2000", "--prefix", "Ma", "--output", "list")[1]
    )


def test_without_an_output_the_list_lies_in_the_store_under_its_key(generate, learnt):
    generate("--count", "12")
    generate("--count", "13", "--format", "txt")
    latest = learnt / "generated" / "latest"
    assert manifest_of(latest).metadata["names"] == 13
    generate("--count", "12")  # also one that exists
    assert manifest_of(latest).metadata["names"] == 12
    folders = [folder for folder in (learnt / "generated").iterdir() if not folder.is_symlink()]
    keys = {folder.name: manifest_of(folder) for folder in folders}
    assert all(made.recipe.key == name for name, made in keys.items())
    # Other tests share the store, and none of them has lists of these lengths in it.
    counts = [made.metadata["names"] for made in keys.values()]
    assert (counts.count(12), counts.count(13)) == (1, 1)


def test_a_temperature_of_zero_makes_one_name_again_and_again(generate, tmp_path):
    code, _, err = generate(
        "--temperature", "0", "--truncate", "--prefix", "Al", "--count", "5", "--output", "list"
    )
    assert code == 0, err
    assert len(set(rows_of(tmp_path / "list")["name"].to_pylist())) == 1


def test_columns_are_those_asked_for_in_that_order(generate, tmp_path):
    generate("--columns", "name,index", "--count", "3", "--output", "commas")
    generate("--columns", "name", "--columns", "index", "--count", "3", "--output", "repeated")
    for folder in ("commas", "repeated"):
        assert rows_of(tmp_path / folder).column_names == ["name", "index"]


def test_the_runner_may_be_named_by_a_variable_which_other_commands_pass_over(called):
    variables = {"NAMEWRIGHT_RUNNER": "processes", "NAMEWRIGHT_WORKERS": "1"}
    assert called("generate", "--count", "3", **variables)[0] == 0
    assert called("run", "--dry-run", **variables)[0] == 0


def test_a_misspelt_variable_is_one_clear_error(generate):
    code, _, err = generate(NAMEWRIGHT_RUNER="processes")
    assert (code, err.splitlines()[0]) == (
        2,
        "error[config.variable]: unknown environment variable NAMEWRIGHT_RUNER",
    )
    assert "did you mean NAMEWRIGHT_RUNNER?" in err


@pytest.mark.parametrize("sifted", [[], ["--unique"]], ids=["any", "unique"])
def test_a_parquet_file_says_which_list_it_is_of_and_which_model_made_it(generate, learnt, tmp_path, sifted):
    generate("--count", "10", "--seed", "7", "--output", "list", *sifted)
    metadata = pq.read_schema(tmp_path / "list" / "part-00000.parquet").metadata
    (model,) = (learnt / "mixture").glob("*/model.npz")
    assert metadata[b"namewright.model"].decode() == file_digest(model)
    assert json.loads(metadata[b"namewright.recipe"])["config"]["file"]["first"] == 0
    made = manifest_of(tmp_path / "list")
    assert made.recipe.config["sampling"]["seed"] == 7
    assert made.origins["model"] == f"mixture/{model.parent.name}"
    assert made.run == {"engine": "plain"}
    assert made.metadata["kernels"][0].startswith("openblas ")


@pytest.mark.parametrize(
    ("options", "code", "exit_code", "tells"),
    [
        (["--prefix", "Ω"], "sampling.unknown_character", 2, "U+03A9"),
        (["--min-length", "9", "--max-length", "8"], "config.range", 2, "  where: min_length\n"),
        (["--top-k", "0"], "config.range", 2, "  where: top_k\n"),
        (["--top-p", "0"], "config.range", 2, "  where: top_p\n"),
        (["--temperature", "-0.1"], "config.range", 2, "  where: temperature\n"),
        (["--temperature", "nan"], "config.range", 2, "  where: temperature\n"),
        (["--count", "-1"], "config.range", 2, "  where: count\n"),
        (["--count", "1.5"], "config.range", 2, "a whole number"),
        (["--seed", "-1"], "config.range", 2, "  where: seed\n"),
        (["--allowed", "a", "--forbidden", "a"], "sampling.no_such_name", 2, "fix:"),
        (["--columns", "name,weight"], "config.range", 2, "'weight'"),
        (
            ["--columns", "index", "--format", "txt"],
            "config.columns",
            2,
            "a txt file has the names and nothing else",
        ),
        (["--format", "xls"], "config.option", 2, "parquet"),
        (["--shard-size", "1000"], "config.range", 2, "shard_size"),
        (["--novel-distance", "1"], "config.novel", 2, "--novel"),
        (["--model", "nobody"], "model.unknown", 3, "nobody"),
        (["--model", "nobody.npz"], "model.unreadable", 3, "nobody.npz"),
        (["--runner", "dask"], "config.runner", 2, "--engine prefect"),
        (["--dask-address", "tcp://127.0.0.1:1"], "config.runner", 2, "--runner dask"),
        (["--workers", "0"], "config.range", 2, "workers"),
        (["--output", "/proc/list"], "store.refused", 4, "--output"),
        (["--store", "elsewhere"], "model.none", 3, "namewright run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_is_one_clear_error(generate, options, code, exit_code, tells):
    ended, out, err = generate(*options)
    assert (ended, out) == (exit_code, "")
    assert err.startswith(f"error[{code}]: ")
    assert err.count("error[") == 1
    assert tells in err
    assert "Traceback" not in err
