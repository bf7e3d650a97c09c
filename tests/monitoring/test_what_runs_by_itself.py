"""A team's site from morning to morning: what `namewright deploy` sets up does its work, whatever dies."""

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow.csv as csv
import pytest
from deployed_site import PREFECT, ROOT, SITE, Site, apply_file, process_of, remove_deployments
from small_runs import STAGES_BY_NAME, write_lists

from artifacts.dataset import manifests
from artifacts.model_file import MODEL
from artifacts.store import Store
from flows.pipeline import pipeline
from rnn_core.errors import ConfigError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source
from tasks.engines.plain import stage_runner
from tasks.models.champion import champion_registry
from tasks.monitoring.source_changes import FILE as WATCHED

if TYPE_CHECKING:
    from tasks.deploy.changes import Change

pytestmark = pytest.mark.timeout(900)  # several servers' and workers' work
PREFECT_YAML = (ROOT / "prefect.yaml").read_text()
LIST = "genera"  # whose champion no other test here changes


def objects(site: Site) -> dict[str, list[Any]]:
    """All that is set up on the server, with ids and the times of the last change."""
    moving = {
        "work_pools": ("updated", "status"),
        "deployments": ("status", "last_polled", "global_concurrency_limit"),  # of a run that ends, its slot
        "automations": (),
    }
    return {
        kind: [
            {name: value for name, value in each.items() if name not in left_out}  # a worker that polls
            for each in site.ask(f"{kind}/filter", {})
        ]
        for kind, left_out in moving.items()
    }


def outcomes(printed: str) -> set[str]:
    """Of everything but the last line, which tells where."""
    return {line.split()[0] for line in printed.splitlines()[:-1]}


def test_what_is_set_up_twice_changes_nothing(site: Site) -> None:
    before = objects(site)
    assert [len(found) for found in before.values()] == [1, 4, 3]
    printed = site.namewright("deploy")
    assert outcomes(printed) == {"unchanged"}
    assert objects(site) == before


def deployed(site: Site, content: str) -> "list[Change]":
    return apply_file(site, site.checkout, content)


def test_what_differs_is_set_right_and_what_is_gone_is_removed(site: Site) -> None:
    before = objects(site)
    other = (
        PREFECT_YAML.replace("namewright.model.promoted", "namewright.model.refused")
        .replace("retrain once more after a crash", "retrain after a crash")
        .replace("Etc/UTC", "Europe/Berlin")
        .replace("quarantine_days: 90", "quarantine_days: 7")
    )
    assert [tuple(each) for each in deployed(site, other) if each.outcome != "unchanged"] == [
        ("updated", "deployment", "retrain/namewright-retrain", "schedules"),
        ("created", "automation", "namewright/retrain after a crash", ""),
        ("removed", "automation", "namewright/retrain once more after a crash", ""),
        ("updated", "automation", "namewright/generate after a promotion", ""),
        ("updated", "deployment", "maintain/namewright-maintain", "parameters, schedules"),
        ("updated", "deployment", "watch/namewright-watch", "schedules"),
    ]
    assert {each.outcome for each in deployed(site, other)} == {"unchanged"}
    deployed(site, PREFECT_YAML)
    after = objects(site)
    assert [each["id"] for each in after["deployments"]] == [each["id"] for each in before["deployments"]]
    assert {each["name"] for each in after["automations"]} == {each["name"] for each in before["automations"]}


def test_what_somebody_paused_stays_paused(site: Site) -> None:
    def watch() -> Any:
        return site.ask("deployments/name/watch/namewright-watch")

    (schedule,) = watch()["schedules"]
    paused = f"deployments/{watch()['id']}/schedules/{schedule['id']}"
    site.tell(paused, {"active": False})
    assert {each.outcome for each in deployed(site, PREFECT_YAML)} == {"unchanged"}
    deployed(site, PREFECT_YAML.replace("*/10 * * * *", "*/20 * * * *"))
    deployed(site, PREFECT_YAML)
    (after,) = watch()["schedules"]
    assert (after["id"], after["active"]) == (schedule["id"], False)


def test_whether_a_schedule_is_active_is_as_the_file_says_if_it_does(site: Site) -> None:
    for active in (True, False):
        said = PREFECT_YAML.replace("slug: often", f"slug: often\n        active: {active}")
        (done,) = (each for each in deployed(site, said) if each.outcome != "unchanged")
        assert tuple(done) == ("updated", "deployment", "watch/namewright-watch", "schedules")
        assert site.ask("deployments/name/watch/namewright-watch")["schedules"][0]["active"] is active
        assert {each.outcome for each in deployed(site, said)} == {"unchanged"}


def grow(site: Site, name: str) -> None:
    site.names.write_text(f"{site.names.read_text()}{name}\n")


def runs_by(site: Site, kind: str, *states: str) -> list[Any]:
    """Of the flow `retrain`, begun by the schedule or by an automation."""
    return [run for run in site.runs("retrain", *states) if (run["created_by"] or {}).get("type") == kind]


def test_a_schedule_that_fires_retrains_and_a_second_time_all_is_cached(site: Site) -> None:
    grow(site, "Cronosaurus")
    every_ten_seconds = "active: true\n        cron: '* * * * * */10'"
    deployed(site, PREFECT_YAML.replace('cron: "30 2 * * *"', every_ten_seconds))

    site.wait(lambda: runs_by(site, "SCHEDULE", "RUNNING"))
    collided = site.ended(site.start("retrain"))
    assert (collided["state_type"], collided["state"]["message"]) == (
        "CANCELLED",
        "Deployment concurrency limit reached.",
    )
    site.wait(lambda: len(runs_by(site, "SCHEDULE", "COMPLETED")) > 1)
    deployed(site, PREFECT_YAML)
    site.still()

    first, second, *_ = runs_by(site, "SCHEDULE", "COMPLETED")
    assert first["name"] == "retrain dinosaurs · 8 units"
    assert {"namewright", "retrain"} <= set(first["tags"])
    assert site.stages(first["id"])["corpus dinosaurs"] == "Completed"
    assert list(site.stages(second["id"]).values()) == ["Cached"] * len(STAGES_BY_NAME)


def test_a_list_that_changed_retrains_its_site_alone_by_an_event(site: Site) -> None:
    apply_file(site, site.folder / "towns", PREFECT_YAML, "towns")
    site.still()
    known = {run["id"] for run in runs_by(site, "AUTOMATION")}
    grow(site, "Namewrightosaurus")
    looked = site.ended(site.start("watch"))
    assert (looked["state_name"], looked["state"]["message"]) == ("Changed", "changed: dinosaurs")

    def told() -> list[Any]:
        return [event for event in site.events("namewright.corpus.changed") if event["payload"]]

    (event, *_) = site.wait(told)
    assert event["resource"]["prefect.resource.id"] == f"{SITE}.corpora"
    (change,) = event["payload"]["changes"]
    assert (change["source"], change["path"]) == ("dinosaurs", str(site.names))

    def begun() -> list[Any]:
        return [run for run in runs_by(site, "AUTOMATION") if run["id"] not in known]

    run = site.wait(begun)[-1]
    assert site.ended(run["id"])["state_type"] == "COMPLETED"
    assert site.stages(run["id"])["corpus dinosaurs"] == "Completed"
    ours = site.ask("deployments/name/retrain/namewright-retrain")["id"]
    assert {run["deployment_id"] for run in begun()} == {ours}
    remove_deployments(site, "towns-")
    assert change["digest"] in (site.store / WATCHED).read_text()


def retrained(site: Site, **training: int) -> str:
    """The model of a run on a list of its own, trained so."""
    config = {
        "sources": [{"name": LIST, "path": "bundled:dinosaurs.txt"}],
        "training": {"hidden_size": 16, **training},
        "evaluation": {"sample_names": 200},
        "sampling": {"count": 25, "drawn_from": "network"},  # n-grams make up for a network of one step
    }
    known = set(keys(site))
    run = site.ended(site.start("retrain", parameters={"config": config}))
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    (made,) = set(keys(site)) - known
    return f"mixture/{made}"


def keys(site: Site) -> list[str]:
    return list(Store(site.store).keys("mixture"))


def champion(site: Site) -> str:
    standing = champion_registry(Store(site.store), [LIST]).current()
    assert standing
    return standing.artifact.origin


def models_of_lists(site: Site) -> set[str]:
    return {made.origins["model"] for made in manifests(site.store / "generated")}


def test_a_worse_model_is_refused_a_better_one_makes_the_next_names_and_can_be_rolled_back(
    site: Site,
) -> None:
    site.still()
    first = retrained(site, epochs=3)
    site.namewright("models", "promote", first)  # it is already, and that is no error
    assert champion(site) == first
    worse = retrained(site, max_steps=1)
    assert champion(site) == first
    site.wait(lambda: worse in {told["payload"]["model"] for told in site.events("namewright.model.refused")})

    better = retrained(site, epochs=15)
    assert champion(site) == better
    site.wait(lambda: better in models_of_lists(site))  # by the event of its promotion
    assert worse not in models_of_lists(site)

    assert f"{first} is the champion again" in site.namewright("models", "rollback")
    assert champion(site) == first


def styled_model(folder: Path) -> Path:
    """The file of a model of two lists, hardly trained."""
    config = RetrainConfig(
        sources=tuple(Source(str(path.stem), str(path)) for path in write_lists(folder / "lists")),
        training=TrainingConfig(hidden_size=8, epochs=2),
        evaluation=EvaluationConfig(sample_names=0),
        sampling=SamplingConfig(count=1),
    )
    with stage_runner(Settings(store=folder / "store"), lambda _event: None) as run:
        pipeline(config, run)
    (key,) = Store(folder / "store").keys("mixture")
    return folder / "store" / "mixture" / key / MODEL


def test_a_list_is_as_its_form_says_or_the_message_of_its_run_is_the_error(
    site: Site, tmp_path: Path
) -> None:
    model, form = styled_model(tmp_path), site.form("generate", "config")
    (tmp_path / "taken.txt").write_text("Ana\n")

    def start(settings: dict[str, Any], **sampling: Any) -> str:
        filled = {
            **form,
            "sampling": {**form["sampling"], "count": 20, **sampling},
            "exclude": str(tmp_path / "taken.txt"),
        }
        return site.start(
            "generate", parameters={"config": filled, "settings": {"model": str(model), **settings}}
        )

    asked = start({"output": str(tmp_path / "list.csv")}, style="argentine=3,dinosaurs=1", suffix="a")
    made = site.ended(asked)
    assert made["state"]["message"].startswith("20 names in 1 file"), made["state"]["message"]
    rows = csv.read_csv(tmp_path / "list.csv").to_pylist()
    assert len(rows) == 20
    assert {row["style"] for row in rows} == {"argentine=3,dinosaurs=1"}
    assert all(row["name"].endswith("a") and row["name"] != "Ana" for row in rows)
    artifacts = site.ask("artifacts/filter", {"flow_runs": {"id": {"any_": [asked]}}})
    (page,) = [shown["data"] for shown in artifacts if shown["key"] == "generated-list"]
    assert "argentine\\=0\\.75" in page
    run = site.ended(start({}, style="dinosaur"))
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"].count("error[style.unknown]") == 1, run["state"]["message"]


def test_a_scheduled_run_that_is_killed_crashes_and_is_begun_once_more(site: Site) -> None:
    long = {
        "sources": [{"name": "dinosaurs", "path": str(site.names)}],
        "training": {"hidden_size": 512, "epochs": 100_000, "patience": 100_000},
    }
    site.still()
    known = {run["id"] for run in runs_by(site, "AUTOMATION")}
    killed = site.start("retrain", parameters={"config": long}, tags=["auto-scheduled"])
    site.wait(lambda: site.run(killed)["state_type"] == "RUNNING")
    os.kill(site.wait(lambda: process_of(killed)), signal.SIGKILL)
    assert site.ended(killed)["state_type"] == "CRASHED"
    # As after a restart of the server, when whoever missed it reports it again.
    site.ask(f"flow_runs/{killed}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    def begun() -> list[Any]:
        return [run for run in runs_by(site, "AUTOMATION") if run["id"] not in known]

    assert site.ended(site.wait(begun)[0]["id"])["state_type"] == "COMPLETED"
    assert len(begun()) == 1

    def told() -> list[str]:
        payloads = [event["payload"] for event in site.events("namewright.run.failed")]
        return [each["state"] for each in payloads if each["flow_run"] == killed]

    assert site.wait(told) == ["Crashed"]


def test_a_run_that_died_with_its_worker_does_not_stay_running(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import SyncPrefectClient

    from tasks.monitoring import dead_runs

    code = """
import time, prefect
with prefect.tags("namewright"):  # as every run of ours has
    prefect.flow(name="maintain")(lambda: time.sleep(600))()
"""
    with subprocess.Popen([sys.executable, "-c", code], env=site.environment) as process:
        (run,) = site.wait(lambda: site.runs("maintain", "RUNNING"))
        beats = {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "any_resource": {"id": [f"prefect.flow-run.{run['id']}"]},
        }
        site.wait(lambda: site.ask("events/filter", {"filter": beats})["events"])
        process.kill()
    with SyncPrefectClient(site.url) as client:
        assert list(dead_runs.cleared_runs(client)) == []
        monkeypatch.setattr(dead_runs, "SILENT_SECONDS", 0.0)  # `watch` waits for nine minutes
        (cleared,) = dead_runs.cleared_runs(client)
    assert cleared == ("crashed", f"the run {run['name']}", "Running, and silent")
    assert site.run(run["id"])["state_type"] == "CRASHED"


def test_an_error_of_ours_is_an_event_with_its_code(site: Site) -> None:
    code = "from flows.watch import watch; watch()"
    environment = {**site.environment, "NAMEWRIGHT_SOURCE": "towns=not-there.txt"}
    known = {run["id"] for run in site.runs("watch")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 1

    def told() -> list[Any]:
        payloads = [event["payload"] for event in site.events("namewright.run.failed")]
        return [each for each in payloads if each["flow"] == "watch" and each["flow_run"] not in known]

    (payload,) = site.wait(told)
    assert payload["code"] == "corpus.unreadable"


class Listener(BaseHTTPRequestHandler):
    """What an alert calls."""

    heard: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *values: Any) -> None:
        pass


def test_a_run_that_fails_alerts_by_the_block_that_the_file_names(site: Site) -> None:
    from prefect.blocks.webhook import Webhook
    from prefect.settings import PREFECT_API_URL, temporary_settings

    alert = f"alert: webhook/operations\n{PREFECT_YAML}"
    with pytest.raises(ConfigError, match="names a block that the server does not have"):
        deployed(site, alert)
    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with temporary_settings({PREFECT_API_URL: site.url}):
            Webhook(url=f"http://127.0.0.1:{server.server_port}").save("operations", _sync=True)  # type: ignore[call-overload]
        assert ("created", "automation", "namewright/alert", "") in deployed(site, alert)
        missing = {"sources": [{"name": "towns", "path": "not-there.txt"}]}
        assert site.ended(site.start("watch", parameters={"config": missing}))["state_type"] == "FAILED"
        (heard,) = site.wait(lambda: Listener.heard)
        server.shutdown()
    assert heard.startswith("watch the lists: prefect.flow-run.Failed: ")
    assert "[corpus.unreadable]" in heard
    assert ("removed", "automation", "namewright/alert", "") in deployed(site, PREFECT_YAML)


def test_prefects_own_command_sets_up_the_same(site: Site) -> None:
    site.command("env", f"NAMEWRIGHT_SITE={SITE}", PREFECT, "--no-prompt", "deploy", "--all")
    changed = {each for each in deployed(site, PREFECT_YAML) if each.outcome != "unchanged"}
    # Prefect takes a version of its own where the file names none, and knows no site.
    theirs = {"job_variables", "parameter_openapi_schema", "version"}
    assert {each.kind for each in changed} == {"deployment"}
    assert {field for each in changed for field in each.note.split(", ")} <= theirs
    assert [each["name"] for each in site.ask("deployments/filter", {"sort": "NAME_ASC"})] == [
        "namewright-generate",
        "namewright-maintain",
        "namewright-retrain",
        "namewright-watch",
    ]
    assert {each.outcome for each in deployed(site, PREFECT_YAML)} == {"unchanged"}
