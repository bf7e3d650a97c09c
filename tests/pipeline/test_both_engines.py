import json
import shutil
import signal
import subprocess
from datetime import UTC, datetime

import pytest
from small_runs import COMMAND, clean_environment, files_of, outcomes, quick_options, write_lists


@pytest.fixture(scope="module")
def recorded(prefect_url, tmp_path_factory):
    """The folder of a first run that a real server records."""
    folder = tmp_path_factory.mktemp("recorded")
    options = quick_options(write_lists(folder / "lists"), folder / "store")
    printed = ran(
        [COMMAND, "run", *options], {**clean_environment(folder), "PREFECT_API_URL": prefect_url}, folder
    )
    assert set(outcomes(printed).values()) == {"computed"}
    return folder


@pytest.fixture
def in_prefect(recorded, quick, environment, prefect_url, tmp_path):
    """The command and the environment of a run that the server records, in a copy of that store."""
    shutil.copytree(recorded / "store", tmp_path / "store")
    return [COMMAND, "run", *quick], {**environment, "PREFECT_API_URL": prefect_url}


def ran(command, environment, folder):
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=250
    ).stdout


def test_both_engines_make_the_same_bytes_and_each_finds_what_the_other_made(in_prefect, plain, tmp_path):
    command, environment = in_prefect
    assert set(plain().values()) == {"cached"}
    made_in_prefect = files_of(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "aside")
    assert set(plain().values()) == {"computed"}
    assert files_of(tmp_path / "store") == made_in_prefect
    assert set(outcomes(ran(command, environment, tmp_path)).values()) == {"cached"}


def test_a_rerun_shows_its_stages_as_cached_in_prefect_and_the_manifest_names_the_run(
    in_prefect, prefect_shows, tmp_path
):
    command, environment = in_prefect
    manifest = json.loads(next((tmp_path / "store" / "model").glob("*/manifest.json")).read_text())
    assert manifest["run"]["flow_run_name"] == "retrain argentine+dinosaurs · 8 units"
    assert "Cached" not in states_of(manifest["run"]["flow_run"], prefect_shows).values()

    since = datetime.now(UTC)
    ran(command, environment, tmp_path)
    (again,) = [
        run["id"]
        for run in prefect_shows("flow_runs", flows={"name": {"any_": ["retrain"]}})
        if run["name"] == manifest["run"]["flow_run_name"]
        and datetime.fromisoformat(run["start_time"]) > since
    ]
    states = states_of(again, prefect_shows)
    assert set(states.values()) == {"Cached"}
    assert {"corpus argentine", "model 8 units", "names 25", "report"} <= set(states)


def states_of(flow_run, prefect_shows):
    def finished(task_runs):
        return len(task_runs) == 14 and all(run["state_type"] == "COMPLETED" for run in task_runs)

    task_runs = prefect_shows("task_runs", finished, flow_runs={"id": {"any_": [flow_run]}})
    assert finished(task_runs)
    return {run["name"]: run["state_name"] for run in task_runs}


def test_a_signal_while_prefect_is_told_of_the_end_is_no_traceback(in_prefect, tmp_path):
    command, environment = in_prefect
    run = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in run.stdout:
        if line.startswith("report "):
            break
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=60)
    assert run.returncode in (0, 143)
    assert "Traceback" not in errors


def test_the_report_is_published_whoever_runs_the_stages(recorded):
    page = (recorded / "store" / "report.html").read_text()
    assert "<!-- provenance -->" not in page
    assert "retrain argentine+dinosaurs · 8 units" in page


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, "no Prefect server is running"),
        ({"PREFECT_API_URL": "http://me:secret@127.0.0.1:9/api"}, "answers at http://127.0.0.1:9/api ("),
    ],
    ids=["none is running", "one that is named does not answer"],
)
def test_without_a_server_that_answers_a_run_goes_on_without_prefect_and_says_so(
    namewright, tiny, tmp_path, variables, fault
):
    outcome = namewright("run", *tiny, "--store", "store", **variables)
    assert outcome.returncode == 0, outcome.stderr
    first = outcome.stdout.splitlines()[0]
    assert first.startswith("not recorded in Prefect: ")
    assert fault in first
    assert "namewright server start" in first
    assert "secret" not in outcome.stdout
    (folder,) = (tmp_path / "store" / "names").iterdir()
    assert json.loads((folder / "manifest.json").read_text())["run"] == {"engine": "plain"}
    assert not (tmp_path / "prefect").exists(), "no database of Prefect's was made"
