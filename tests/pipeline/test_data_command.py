"""`namewright data`: a summary of the lists, without training."""

import os
import pty
import subprocess

import pytest
from small_runs import COMMAND

HOSTILE = "[bold]Ana[/bold]\n\nBe\u200ba\nAna\n\x1b[31mred\nשלום\nAna\nΩmega\n"


@pytest.fixture
def hostile(tmp_path):
    (tmp_path / "list.txt").write_text(HOSTILE, encoding="utf-8")
    (tmp_path / "other.txt").write_text("Ana\nEva\n", encoding="utf-8")
    return ["--source", "x[red]=list.txt", "--source", "other=other.txt", "--store", "store"]


def sheets(output):
    """Lines of every table, by its title."""
    found = {}
    for line in output.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            found[line[:-1]] = current = []
        elif line.startswith("  "):
            current.append(line.split())
    return found


def test_it_shows_what_every_list_holds_and_which_rows_were_rejected_and_why(namewright, hostile):
    outcome = namewright("data", *hostile)
    assert outcome.returncode == 0, outcome.stderr
    shown = sheets(outcome.stdout)
    assert shown["Lists"] == [
        ["source", "lines", "names", "distinct", "kept", "min/median/max", "characters"],
        ["x[red]", "8", "7", "6", "4", "3/4/16", "18"],
        ["other", "2", "2", "2", "1", "3/3/3", "3"],
        ["all", "10", "9", "7", "5", "3/4/16", "20"],
    ]
    rejected = [" ".join(row) for row in shown["Rejected rows"]]
    assert "x[red] reading blank line 1" in rejected
    assert "x[red] merging duplicate of an earlier name 1" in rejected
    assert "x[red] validating holds a control or an invisible character 2" in rejected
    assert "other merging duplicate of an earlier name 1" in rejected
    assert shown["Names in two lists"][1] == ["x[red]", "other", "1"]
    assert shown["Most frequent characters"][1][:3] == ["x[red]", "a", "3,"]
    assert "nothing to compare with" in outcome.stdout


def test_names_that_hide_something_are_shown_as_what_they_are(namewright, hostile):
    output = namewright("data", *hostile).stdout
    assert "[bold]Ana[/bold], Be\\u200ba, Ana, \\x1b[31mred, שלום, Ana, Ωmega" in output
    assert "\x1b" not in output
    assert "\u200b" not in output


def test_nothing_is_trained_and_a_run_finds_its_stages_cached(namewright, quick, tmp_path):
    outcome = namewright("data", *quick)
    assert outcome.returncode == 0, outcome.stderr
    made = {folder.name for folder in (tmp_path / "store").iterdir()} - {"locks", "scratch"}
    assert made == {"corpus", "merged", "validated", "profile", "gate"}
    plan = namewright("run", "--dry-run", *quick).stdout.splitlines()
    assert [line.split()[0] for line in plan if line.endswith("cached")] == [
        *("corpus", "corpus", "merged", "validated", "profile", "gate"),
    ]


def test_it_shows_the_same_when_everything_was_there_already(namewright, hostile):
    first, again = (sheets(namewright("data", *hostile).stdout) for _ in range(2))
    assert first
    assert first == again


@pytest.mark.usefixtures("stored")
def test_what_a_run_would_refuse_is_shown_and_has_the_exit_code_of_the_run(namewright, quick, lists):
    argentine, _ = lists
    argentine.write_text("".join(argentine.read_text().splitlines(keepends=True)[::3]))
    for command in (["data"], ["run", "--engine", "plain"], ["run", "--dry-run"]):
        outcome = namewright(*command, *quick)
        assert outcome.returncode == 8, outcome.stdout + outcome.stderr
        assert outcome.stderr.startswith("error[gate.refused]: ")
        assert "names lost: 44.4%" in outcome.stderr
        if command == ["data"]:
            changed = sheets(outcome.stdout)["Changes since the last accepted lists"]
            assert ["names", "lost", "180", "100", "44.4%", "10.0%", "too", "much"] in changed
            assert ["names", "of", "argentine", "120", "40", "-66.7%"] in changed
    assert namewright("data", *quick, "--gate.mode", "report").returncode == 0
    assert namewright("run", "--dry-run", *quick).returncode == 8, "a summary accepts nothing"
    assert namewright("run", "--engine", "plain", *quick, "--gate.mode", "report").returncode == 0
    assert namewright("data", *quick).returncode == 0


def test_it_reads_the_pipeline_file_and_the_variables_of_a_run(namewright, tmp_path):
    (tmp_path / "towns.txt").write_text("Bern\nBasel\n")
    (tmp_path / "pipeline.toml").write_text(
        'engine = "plain"\n[gate]\nmax_rows_lost = "none"\n[[source]]\nname = "towns"\npath = "towns.txt"\n'
    )
    outcome = namewright("data", NAMEWRIGHT_ENGINE="plain", NAMEWRIGHT_VALIDATION_MAX_LENGTH="4")
    assert outcome.returncode == 0, outcome.stderr
    assert sheets(outcome.stdout)["Lists"][1][:5] == ["towns", "2", "2", "2", "1"]
    manifest = next((tmp_path / "artifacts" / "store" / "gate").glob("*/manifest.json")).read_text()
    assert '"max_rows_lost": null' in manifest


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["--source", "towns=nowhere.txt"], 3, "corpus.unreadable"),
        (["--refresh", "modle"], 2, "config.stage"),
        (["--gate.max-rows-lost", "-1"], 2, "gate.max_rows_lost"),
        (["--gate.mode", "warn"], 2, "gate.mode"),
        (["--engine", "prefect"], 2, "--engine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_clear_error(namewright, arguments, exit_code, text):
    outcome = namewright("data", *arguments)
    assert outcome.returncode == exit_code, outcome.stderr
    assert outcome.stderr.startswith("error[")
    assert text in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_on_a_terminal_it_draws_tables_that_fit(hostile, environment, tmp_path):
    leader, follower = pty.openpty()
    command = [COMMAND, "data", *hostile]
    variables = {**environment, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=follower, stderr=follower) as ran:
        os.close(follower)
        written = b""
        while True:
            try:
                chunk = os.read(leader, 1 << 16)
            except OSError:  # how Linux says that nobody writes any more
                break
            if not chunk:
                break
            written += chunk
    os.close(leader)
    text = written.decode()
    assert ran.returncode == 0, text
    assert "────" in text
    assert "x[red]" in text
    assert "[bold]Ana[/bold]" in text
    assert "\x1b[31mred" not in text
    assert "min/median/max" in text
