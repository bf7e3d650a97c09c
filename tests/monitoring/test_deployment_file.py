"""What is wrong with a deployment file is one clear error."""

import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from deployed_site import ROOT
from small_runs import COMMAND

from rnn_core.errors import ConfigError
from tasks.server.errors import ServerError

FILE = (ROOT / "prefect.yaml").read_text()
WATCH = '\n  - name: "{{ $NAMEWRIGHT_SITE }}-watch"'
STOCK = """
name: names
prefect-version: 3.8.8
build: null
push: null
pull:
- prefect.deployments.steps.set_working_directory:
    directory: "{{ $PWD }}"
deployments:
- name: retrain
  version: null
  tags: []
  description: null
  schedule: {}
  flow_name: null
  concurrency_limit: null
  entrypoint: flows/retrain.py:retrain
  parameters: {}
  enforce_parameter_schema: true
  work_pool:
    name: namewright
    work_queue_name: fast
    job_variables: {}
  schedules:
  - slug: nightly
    cron: "30 2 * * *"
    timezone: Europe/Madrid
    day_or: true
    active: true
"""


def enter(folder: Path, site: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to the folder as a shell does, with the name of the site in the environment or without one."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PWD", str(folder))
    monkeypatch.delenv("NAMEWRIGHT_SITE", raising=False)
    if site:
        monkeypatch.setenv("NAMEWRIGHT_SITE", site)


def test_the_deployments_of_the_file_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.deploy import deployment_file

    enter(ROOT, "namewright", monkeypatch)
    deployments = {
        deployment.full_name: deployment
        for deployment in deployment_file.load_deployments(ROOT / "prefect.yaml")
    }
    assert set(deployments) == {
        f"{name}/namewright-{name}" for name in ("retrain", "generate", "maintain", "watch")
    }
    retrain = deployments["retrain/namewright-retrain"]
    assert retrain.when == "30 2 * * * Etc/UTC"
    assert retrain.fields["concurrency_limit"] == 1
    assert retrain.fields["concurrency_options"] == {"collision_strategy": "CANCEL_NEW"}
    assert retrain.fields["pull_steps"] == [
        {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "it cannot be read: No such file or directory"),
        ("deployments: [", "while parsing"),
        ("- 1", "TypeError"),
        ("name: x", "KeyError: 'deployments'"),
        (FILE.replace("$PWD", "$NOWHERE_SET"), "the variable NOWHERE_SET is not set"),
        (FILE.replace("slug: nightly", "slag: nightly"), "'slug' is missing"),
        (FILE.replace("flows.retrain.retrain", "flows.retrain.retain"), "cannot be loaded"),
        (FILE.replace("flows.retrain.retrain", "flows.retrian.retrain"), "cannot be loaded"),
        (FILE.replace("30 2 * * *", "30 2 * *"), "the deployment namewright-retrain is invalid"),
        (FILE.replace("Etc/UTC", "Mars/Olympus"), "the deployment namewright-retrain is invalid"),
        (FILE.replace("cron:", "corn:"), "the deployment namewright-retrain is invalid"),
        (FILE.replace("pull:", "pul:"), "the file has an unknown key pul; did you mean pull?"),
        (FILE.replace("schedules:", "schedulez:"), "has an unknown key schedulez; did you mean s"),
        (FILE.replace("triggers:", "trigers:"), "did you mean triggers?"),
        (FILE.replace("concurrency_limit:", "concurency_limit:"), "did you mean concurrency_limit?"),
        (
            FILE.replace("work_pool: *work_pool", "work_pool: mine"),
            "its work_pool is 'mine', not",
        ),
        (FILE.replace("timezone:", "timezome:"), "its schedule nightly has an unknown key timezome"),
        (
            FILE.replace("collision_strategy:", "strategy:"),
            "key strategy; known are limit, collision_strategy",
        ),
        (FILE.replace("expect:", "expects:"), "did you mean expect?"),
        (FILE.replace("expect:", "for_each:"), "has neither expect nor after: every event would fire it"),
        (FILE.replace("limit: 1", "limit: one"), "valid integer"),
        (FILE.replace("CANCEL_NEW", "CANCEL"), "'ENQUEUE' or 'CANCEL_NEW'"),
        (f"{FILE}      - {{slug: often, cron: '* * * * *'}}\n", "the slug often is given 2 times"),
        (
            FILE + FILE[FILE.index('\n  - name: "{{ $NAMEWRIGHT_SITE }}-watch"') :],
            "the deployment watch/namewright-watch is given 2 times",
        ),
        (
            FILE.replace("expect: [namewright.corpus.changed]", "expect: {a: 1}"),
            "the deployment namewright-retrain is invalid",
        ),
        ("a: " + "[ " * 5000, "nested"),
        ("a: &a [*a]", "nested"),
        ("".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 99 * (n > 0))}]\n" for n in range(9)), "values"),
    ],
)
def test_an_invalid_deployment_file_is_one_clear_error(
    content: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.deploy import deployment_file

    enter(ROOT, "namewright", monkeypatch)
    file = tmp_path / "prefect.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        deployment_file.load_deployments(file)
    assert caught.value.code == "config.deployments"
    assert message in str(caught.value)


def test_a_file_as_prefect_init_writes_it_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.deploy import deployment_file

    enter(ROOT, None, monkeypatch)
    file = tmp_path / "prefect.yaml"
    file.write_text(STOCK)
    (retrain,) = deployment_file.load_deployments(file)
    assert (retrain.full_name, retrain.site, retrain.folder) == ("retrain/retrain", "names", str(ROOT))
    assert retrain.fields["work_queue_name"] == "fast"
    assert retrain.fields["concurrency_limit"] is None
    assert retrain.schedules["nightly"].active

    file.write_text(STOCK.replace("version: null", "version: '7'").replace("schema: true", "schema: false"))
    (retrain,) = deployment_file.load_deployments(file)
    assert (retrain.fields["version"], retrain.fields["enforce_parameter_schema"]) == ("7", False)


@pytest.mark.parametrize(
    ("cron", "zone", "skipped"),
    [
        ("30 2 * * *", "Europe/Madrid", "02:30"),
        ("30 2 * * *", "Etc/UTC", ""),
        ("30 3 * * *", "Europe/Madrid", ""),
        ("0 5 * * 0", "Europe/Madrid", ""),
        ("15 2 * * 0", "America/New_York", "02:15"),
    ],
)
def test_an_hour_that_summer_time_skips_is_reported(cron: str, zone: str, skipped: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.server.schemas import schedules
    from prefect.utilities.asyncutils import run_coro_as_sync

    from tasks.deploy.deployment_file import skipped_hour

    schedule = CronSchedule(cron=cron, timezone=zone)
    hour = skipped_hour(schedule)
    assert (f"{hour:%H:%M}" if hour else "") == skipped
    if hour:  # Prefect runs it an hour early, and once
        morning = datetime(hour.year, hour.month, hour.day, tzinfo=ZoneInfo(zone))
        served = schedules.CronSchedule.model_validate(schedule.model_dump())
        dates = run_coro_as_sync(served.get_dates(n=9, start=morning, end=morning + timedelta(hours=23)))
        assert [f"{date:%H:%M}" for date in dates or ()] == [skipped.replace("02:", "01:")]


def test_a_trigger_that_waits_for_another_site_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.deploy import deployment_file

    enter(ROOT, "towns", monkeypatch)
    file = tmp_path / "prefect.yaml"
    file.write_text(FILE.replace("{{ $NAMEWRIGHT_SITE }}.corpora", "namewright.corpora"))
    with pytest.raises(ConfigError, match=r"waits for namewright\.corpora, but this site is towns"):
        deployment_file.load_deployments(file)
    file.write_text(FILE)
    deployments = deployment_file.load_deployments(file)
    deployment_file.require_site(file, deployments, "towns")
    with pytest.raises(ConfigError, match="--site needs names that begin with rivers"):
        deployment_file.require_site(file, deployments, "rivers")


@pytest.mark.usefixtures("prefect_url")
def test_a_server_that_is_down_when_serving_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from prefect.deployments.runner import DeploymentApplyError

    from tasks.deploy import serve

    def refuse(*_deployments: object) -> None:
        raise DeploymentApplyError("") from httpx.ConnectError("nobody there")

    monkeypatch.setattr(serve, "serve", refuse)
    with pytest.raises(ServerError) as caught:
        serve.serve_deployments([])
    assert (caught.value.code, caught.value.saw) == ("server.gone", "ConnectError: nobody there")


def test_a_folder_without_a_file_has_the_deployments_that_namewright_brings_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.deploy import deployment_file

    enter(tmp_path, "towns", monkeypatch)
    brought = deployment_file.load_deployments(None)
    assert {each.fields["entrypoint"] for each in brought} == {
        "flows.retrain.retrain",
        "flows.generate.generate",
        "flows.maintain.maintain",
        "flows.watch.watch",
    }
    Path("prefect.yaml").write_text(FILE[: FILE.index('  - name: "{{ $NAMEWRIGHT_SITE }}-generate"')])
    (own,) = deployment_file.load_deployments(None)
    assert own.full_name == "retrain/towns-retrain"
    assert own.fields["pull_steps"][0]["prefect.deployments.steps.set_working_directory"] == {
        "directory": str(tmp_path)
    }


@pytest.mark.parametrize("command", ["deploy", "serve"])
def test_without_a_server_there_is_one_clear_error(command: str, tmp_path: Path) -> None:
    environment = {"PREFECT_HOME": str(tmp_path), "HOME": str(tmp_path)}
    outcome = subprocess.run([COMMAND, command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert outcome.returncode == 6
    assert outcome.stderr.startswith("error[server.down]: Namewright's Prefect server is not running")
