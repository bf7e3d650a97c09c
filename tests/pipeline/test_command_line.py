import gzip
import json
import os
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_runs import COMMAND, TINY

from flows.cli import app, commands, help_pages
from tasks.config.retrain import RetrainConfig
from tasks.config.variables import known_variables
from tasks.config.variables import variables as variables_of


def refused(outcome, code, exit_code, *tells):
    """One error in our form, and nothing that looks like a traceback."""
    assert outcome.returncode == exit_code, outcome.stdout + outcome.stderr
    assert outcome.stderr.startswith(f"error[{code}]: "), outcome.stderr
    assert "\n  fix: " in outcome.stderr
    assert "Traceback" not in outcome.stdout + outcome.stderr
    for text in tells:
        assert text in outcome.stderr


@pytest.fixture
def pipeline_file(tmp_path):
    return tmp_path / "pipeline.toml"


def test_the_version_is_that_of_the_distribution(namewright):
    assert namewright("--version").stdout == "0.1.0\n"


def test_help_lists_every_option_and_says_what_it_does(namewright):
    shown = namewright("run", "--help-all").stdout
    assert "--training.learning-rate" in shown
    assert "--dry-run" in shown
    assert "Units per layer" in shown


@pytest.mark.parametrize(
    ("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_option_of_every_command_has_a_help_text(name, command):
    arguments = command.assemble_argument_collection(parse_docstring=True)
    silent = [argument.name for argument in arguments.filter_by(show=True) if not argument.parameter.help]
    assert silent == []
    assert command.help, name


def test_every_page_of_help_can_be_read_without_running_a_command():
    pages = dict(help_pages())
    assert set(pages) == {"", "models", "store", "server", *(name for name, _ in commands())}
    assert "--training.learning-rate" in pages["run"]
    assert all("Usage: namewright" in page for page in pages.values())
    for command, page in pages.items():  # its examples are about it
        examples = page.partition("Examples:")[2].partition("Every option:")[0].split("\n")
        begin = f"namewright {command.partition(' ')[0]}"
        assert all(line.strip().startswith(begin) for line in examples if line.strip()), command
        assert any(line.strip() for line in examples), command


def test_the_file_that_init_writes_holds_every_default(namewright, pipeline_file):
    assert namewright("init").returncode == 0
    written = tomllib.loads(pipeline_file.read_text())
    assert set(written) == {
        "source" if name == "sources" else name for name in RetrainConfig.__dataclass_fields__
    }
    assert written["training"]["patience"] == RetrainConfig().training.patience
    assert "\n# hidden_size =\n" in pipeline_file.read_text()  # chosen by the number of names
    assert "\n# " in pipeline_file.read_text()
    plan = namewright("run", "--dry-run").stdout  # ./pipeline.toml is read
    assert plan == namewright("run", "--dry-run", "--config", str(pipeline_file)).stdout
    pipeline_file.unlink()
    assert plan == namewright("run", "--dry-run").stdout


def test_init_never_overwrites_a_file(namewright, pipeline_file):
    pipeline_file.write_text("mine")
    refused(namewright("init"), "config.exists", 2, "pipeline.toml")
    assert pipeline_file.read_text() == "mine"


def test_an_option_goes_before_a_variable_and_a_variable_before_the_file(
    namewright, tiny, pipeline_file, tmp_path
):
    pipeline_file.write_text("[sampling]\ncount = 5\nseed = 5\ntemperature = 0.5\n")
    tiny[tiny.index("--sampling.count") + 1] = "7"
    outcome = namewright(
        "run", "--engine", "plain", *tiny, "--store", "store",
        NAMEWRIGHT_SAMPLING_COUNT="6", NAMEWRIGHT_SAMPLING_SEED="6",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    (folder,) = (tmp_path / "store" / "names").iterdir()
    manifest = (folder / "manifest.json").read_text()
    for said in ('"count": 7', '"seed": 6', '"temperature": 0.5'):
        assert said in manifest
    assert pq.read_metadata(folder / "names.parquet").num_rows == 7


def test_a_source_path_in_a_pipeline_file_is_relative_to_that_file(namewright, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "towns.txt").write_text("Bern\nBasel\n")
    (folder / "pipeline.toml").write_text('[[source]]\nname = "towns"\npath = "towns.txt"\n')
    outcome = namewright("run", "--dry-run", "--config", "elsewhere/pipeline.toml")
    assert any(line.startswith("corpus towns") for line in outcome.stdout.splitlines())
    assert outcome.returncode == 0, outcome.stderr


def test_a_pipeline_file_names_the_store_though_a_command_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAMEWRIGHT_STORE", raising=False)
    (tmp_path / "pipeline.toml").write_text('store = "elsewhere"\n')
    _, bound, _ = app.parse_args(["run"], exit_on_error=False, print_error=False)
    assert bound.arguments["settings"].store == Path("elsewhere")


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("[training]\nlearning_rat = 0.1\n", ("learning_rat", "Did you mean --training.learning-rate?")),
        ("[trainin]\nlearning_rate = 0.1\n", ("trainin", "Did you mean")),
        ("[training]\nlearning_rate = 'fast'\n", ("learning_rate", "float")),
        ("[training\n", ("line 1", "pipeline.toml")),
        ("[training]\nhidden_size = 1.5\n", ("hidden_size", "1.5")),
        ("[preview]\ncount = 3\n", ("[preview]",)),
        ("[[source]]\nname = \"a\\nb\"\npath = 'x'\n", ("not a valid name",)),
        ("[[source]]\nname = 'towns'\npaht = 'x'\n", ("paht", "path")),
        ("[[source]]\nname = 'towns'\n", ("path",)),
        ("[[source]]\nname = 'towns'\npath = 'x'\nlimit = 'all'\n", ("limit",)),
        ("[[source]]\nname = 'towns'\npath = 'x'\ncolumn = true\n", ("column", "a text or a whole number")),
        ("[[source]]\nname = 'towns'\npath = 'x'\nformat = 'xls'\n", ("xls", "parquet")),
        ("[[source]]\nname = 'towns'\npath = 'x'\nencoding = 'klingon'\n", ("klingon", "latin-1")),
        ("[[source]]\nname = 'towns'\npath = 'x'\nformat = 'text'\ncolumn = 'y'\n", ("column", "text")),
        ("[[source]]\nname = 'towns'\npath = 'x'\nweight = 0\n", ("weight",)),
        ("[[source]]\nname = 'a'\npath = 'x'\n[[source]]\nname = 'a'\npath = 'y'\n", ("two sources",)),
        ("recipe = 'cookbook'\n", ("recipe",)),
        ("[training]\nhidden_size = 0\n", ("hidden_size", "0")),
        ("[training]\ndropout = 1.5\n", ("dropout", "1.5")),
        ("[sampling]\ntemperature = -1\n", ("temperature", "-1")),
        ("[examples]\ntest_share = 1.0\n", ("test_share",)),
        ("[validation]\nmin_length = 9\nmax_length = 3\n", ("min_length",)),
        ("[notebook]\niterations = 5\n", ("[notebook]", "recipe")),
        ("recipe = 'notebook'\n[examples]\nseed = 5\n", ("[examples]", "recipe")),
        ("[[source]]\nname = 'all'\npath = 'x'\n", ("'all'",)),
        ("[merging]\nduplicates = 'dorp'\n", ("dorp", "drop")),
    ],
    ids=lambda value: value.replace("\n", " ").strip() if isinstance(value, str) else "",
)
def test_what_is_wrong_in_a_pipeline_file_is_one_clear_error(namewright, pipeline_file, text, tells):
    pipeline_file.write_text(text)
    outcome = namewright("run", "--engine", "plain", "--dry-run")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error[")
    assert "Traceback" not in outcome.stderr
    for each in tells:
        assert each in outcome.stderr


def test_a_misspelt_variable_is_one_clear_error(namewright):
    outcome = namewright("run", "--dry-run", NAMEWRIGHT_TRAINING_LERNING_RATE="0.1")
    refused(outcome, "config.variable", 2, "did you mean NAMEWRIGHT_TRAINING_LEARNING_RATE?")
    outcome = namewright("run", "--dry-run", NAMEWRIGHT_THREADS="2")  # as it was called before
    refused(outcome, "config.variable", 2, "did you mean NAMEWRIGHT_WORKERS?")


def test_a_variable_of_any_command_may_be_set_for_every_other(namewright):
    variables = {name: variables_of(command.assemble_argument_collection()) for name, command in commands()}
    assert known_variables() == {"NAMEWRIGHT_CACHE"}.union(*variables.values())  # which is no option
    assert {"run", "models compare", "server start"} <= set(variables)
    others = {"NAMEWRIGHT_PORT": "4200", "NAMEWRIGHT_KEEP_LAST": "3", "NAMEWRIGHT_FEWER": "true"}
    assert namewright("run", "--dry-run", **others).returncode == 0


def test_an_empty_variable_is_one_clear_error(namewright):
    refused(namewright("run", "--dry-run", NAMEWRIGHT_STORE=""), "config.variable", 2, "NAMEWRIGHT_STORE")


def test_a_pipeline_file_that_is_a_folder_is_one_clear_error(namewright, tmp_path):
    (tmp_path / "pipeline.toml").mkdir()
    refused(namewright("run", "--dry-run"), "config.file", 2, "pipeline.toml")


def test_a_pipeline_file_that_is_not_there_is_one_clear_error(namewright):
    refused(namewright("run", "--config", "nowhere.toml"), "config.file", 2, "nowhere.toml")


def test_an_unknown_stage_to_refresh_is_one_clear_error(namewright):
    refused(namewright("run", "--refresh", "modle"), "config.stage", 2, "modle", "model")


@pytest.mark.parametrize(
    ("content", "code", "tells"),
    [
        (None, "corpus.unreadable", ["list.txt", "No such file"]),
        (b"", "corpus.empty", ["list.txt", "no row"]),
        (b"\n \n\n", "corpus.empty", ["list.txt", "3 rows: list line 1: blank line"]),
        (
            "José\nZoë\n".encode("latin-1"),
            "corpus.encoding",
            ["list.txt, line 1, byte 4 (0xE9)", r"b'Jos\xe9'"],
        ),
        (("x" * 60 + "\n").encode(), "corpus.empty", ["list line 1: shorter than 1 or longer than 49"]),
    ],
    ids=["missing", "empty", "blank", "latin-1", "too long"],
)
def test_a_list_that_cannot_be_used_is_one_clear_error(namewright, tmp_path, content, code, tells):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    outcome = namewright("run", "--engine", "plain", "--source", f"list={path}")
    refused(outcome, code, 3, *tells)


def test_a_list_that_is_a_pipe_is_refused_and_does_not_hang(namewright, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    outcome = namewright("run", "--engine", "plain", "--source", f"list={tmp_path / 'pipe'}")
    refused(outcome, "corpus.unreadable", 3, "no regular file")


def test_a_folder_without_a_list_is_one_clear_error(namewright, tmp_path):
    outcome = namewright("run", "--engine", "plain", "--source", f"list={tmp_path}")
    refused(outcome, "corpus.no_file", 3, str(tmp_path))


def test_a_source_in_a_pipeline_file_says_how_it_is_read(namewright, pipeline_file, tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.csv").write_bytes("id,who,n\n1,José,3\n2,,1\n".encode("latin-1"))
    (tmp_path / "lists" / "b.csv.gz").write_bytes(gzip.compress("id,who,n\n3,Zoë,2\n".encode("latin-1")))
    pipeline_file.write_text(
        '[[source]]\nname = "towns"\npath = "lists/*.csv*"\nencoding = "latin-1"\ncolumn = "who"\n'
        "counts = 3\nweight = 2\n[training]\nepochs = 1\nhidden_size = 4\n"
    )
    outcome = namewright("run", "--engine", "plain", "--store", "store")
    assert outcome.returncode == 0, outcome.stderr
    (folder,) = (tmp_path / "store" / "corpus").iterdir()
    rows = pq.read_table(folder / "names.parquet", columns=["name", "file", "line", "weight"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("José", 1, 1, 6.0), ("Zoë", 2, 1, 4.0)]
    (left,) = pq.read_table(folder / "rejected.parquet").to_pylist()
    assert (left["line"], left["raw"], left["reason"]) == (2, b"2,,1", "blank name")
    origins = json.loads((folder / "manifest.json").read_text())["origins"]
    assert origins == {
        "file.0": str(tmp_path / "lists" / "a.csv"),
        "file.1": str(tmp_path / "lists" / "b.csv.gz"),
    }


def test_a_store_that_cannot_be_written_is_one_clear_error(namewright, small, tmp_path):
    (tmp_path / "file").write_text("no folder")
    outcome = namewright("run", "--engine", "plain", *small, "--store", str(tmp_path / "file" / "store"))
    refused(outcome, "store.refused", 4, "--store")
    assert "there is a file where a folder should be" in outcome.stderr


def test_rejected_rows_are_kept_with_their_line_and_reason(namewright, tmp_path):
    (tmp_path / "list.txt").write_bytes("Ana\n\nBea\u200b\nAna\nCleo\nDiego\nEva\nFer\nGil\nIda\n".encode())
    outcome = namewright("run", "--engine", "plain", "--source", "list=list.txt", *TINY, "--store", "store")
    assert outcome.returncode == 0, outcome.stderr
    kept = {
        stage: pq.read_table(next((tmp_path / "store" / stage).glob("*/rejected.parquet"))).to_pylist()
        for stage in ("corpus", "merged", "validated")
    }
    assert kept["corpus"] == [{"source": "list", "file": 1, "line": 2, "raw": b"", "reason": "blank line"}]
    assert [(row["line"], row["reason"]) for row in kept["merged"]] == [(4, "duplicate of an earlier name")]
    assert [(row["line"], row["name"]) for row in kept["validated"]] == [(3, "Bea\u200b")]
    assert "invisible" in kept["validated"][0]["reason"]
    assert "list line 2: blank line" in outcome.stdout


def test_a_reader_that_leaves_early_is_no_error_of_ours(quick, environment, tmp_path):
    command = f"{COMMAND} run --engine plain {' '.join(quick)} | head -1"
    outcome = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.stdout.startswith("corpus argentine")
    assert "Traceback" not in outcome.stderr
    assert "Broken" not in outcome.stderr


@pytest.mark.parametrize("store", ["a:b", "~nosuchuser/x", "späth"])
def test_a_store_lies_in_the_folder_that_was_named_however_it_is_spelt(namewright, tiny, tmp_path, store):
    outcome = namewright("run", "--engine", "plain", *tiny, "--store", store)
    assert outcome.returncode == 0, outcome.stderr
    assert (tmp_path / store / "names").is_dir()


def test_names_that_the_terminal_cannot_spell_are_shown_escaped(namewright, tmp_path):
    (tmp_path / "list.txt").write_text("Ñandú\nÑoño\n" * 3, encoding="utf-8")
    outcome = namewright(
        "run", "--engine", "plain", "--source", "list=list.txt", *TINY,
        "--merging.duplicates", "keep", PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr


def test_output_that_cannot_be_written_is_one_clear_error(tiny, environment, tmp_path):
    command = f"{COMMAND} run --engine plain {' '.join(tiny)}"
    for redirection, exit_code in ((">/dev/full", 4), (">&-", 0)):
        outcome = subprocess.run(
            ["bash", "-c", f"{command} {redirection}"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert outcome.returncode == exit_code, outcome.stderr
        assert "Traceback" not in outcome.stderr
        assert "Exception ignored" not in outcome.stderr


def test_every_configuration_can_be_hashed_and_replaced():
    config = RetrainConfig()
    assert replace(config) == config
    assert hash(config.training) == hash(RetrainConfig().training)


def test_scripts_are_named_on_the_command_line_in_a_file_and_in_the_environment(namewright, tmp_path):
    (tmp_path / "list.txt").write_text("Ana\n")
    (tmp_path / "pipeline.toml").write_text('[validation]\nscripts = ["Latin", "Gree"]\n')
    options = ("run", "--dry-run", "--source", "list=list.txt")
    refused(namewright(*options), "config.script", 2, "Greek")
    named = ("--validation.scripts", "Latin", "--validation.scripts", "Greek")
    assert namewright(*options, *named).returncode == 0
    (tmp_path / "pipeline.toml").unlink()
    variable = {"NAMEWRIGHT_VALIDATION_SCRIPTS": "Nonesuch"}
    refused(namewright(*options, **variable), "config.script", 2, "validation.scripts")
