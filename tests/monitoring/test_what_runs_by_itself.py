"""A team's site from morning to morning: what `namewright deploy` sets up does its work, whatever dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from deployed_site import PREFECT, ROOT, Site, process_of

FILE = ROOT / "prefect.yaml"
ALL_STAGES = 10


def objects(site: Site) -> dict[str, list[Any]]:
    """All that is set up on the server, with ids and the times of the last change."""
    kinds = ("work_pools", "deployments", "automations")
    found = {kind: site.ask(f"{kind}/filter", {}) for kind in kinds}
    for pool in found["work_pools"]:
        pool.pop("status", None)
    moving = ("updated", "status", "last_polled")  # a worker that polls is no change
    for each in [*found["work_pools"], *found["deployments"]]:
        for name in moving if each in found["work_pools"] else moving[1:]:
            each.pop(name, None)
    return found


def outcomes(printed: str) -> dict[str, str]:
    lines = [line.split(maxsplit=1) for line in printed.splitlines()[:-1]]
    return {
        rest.partition("  ")[0] if "deployment" not in rest else rest.split()[1]: word for word, rest in lines
    }


def test_what_is_set_up_twice_changes_nothing(site: Site) -> None:
    before = objects(site)
    assert [len(found) for found in before.values()] == [1, 4, 4]
    printed = site.namewright("deploy")
    assert set(outcomes(printed).values()) == {"unchanged"}
    assert objects(site) == before


def test_a_schedule_that_fires_retrains_and_a_second_time_all_is_cached(site: Site, tmp_path: Path) -> None:
    hasty = tmp_path / "hasty.yaml"
    hasty.write_text(FILE.read_text().replace("30 2 * * *", "* * * * * */10"))
    assert "updated    deployment  retrain/retrain  schedules" in site.namewright(
        "deploy", "--file", str(hasty)
    )

    site.wait(lambda: site.runs("retrain", "RUNNING"))
    collided = site.ended(site.start("retrain"))
    assert (collided["state_type"], collided["state"]["message"]) == (
        "CANCELLED",
        "Deployment concurrency limit reached.",
    )
    first, second = site.wait(
        lambda: site.runs("retrain", "COMPLETED")[1:2] and site.runs("retrain", "COMPLETED")
    )[:2]
    assert "updated    deployment  retrain/retrain  schedules" in site.namewright("deploy")

    assert first["auto_scheduled"]
    assert first["name"] == "retrain dinosaurs · 8 units"
    assert {"namewright", "retrain"} <= set(first["tags"])
    assert set(site.stages(first["id"]).values()) == {"Completed"}
    assert list(site.stages(second["id"]).values()) == ["Cached"] * ALL_STAGES


def test_a_list_that_changed_retrains_by_an_event(site: Site) -> None:
    site.list.write_text(site.list.read_text() + "Namewrightosaurus\n")
    looked = site.ended(site.start("watch"))
    assert (looked["state_name"], looked["state"]["message"]) == ("Changed", "changed: dinosaurs")

    (event, *_) = site.wait(lambda: site.events("namewright.corpus.changed"))
    (change,) = event["payload"]["changes"]
    assert (change["source"], change["path"]) == ("dinosaurs", str(site.list))

    (run,) = site.wait(lambda: begun_by_automation(site))
    assert site.ended(run["id"])["state_type"] == "COMPLETED"
    assert site.stages(run["id"])["corpus dinosaurs"] == "Completed"


def begun_by_automation(site: Site) -> list[Any]:
    return [run for run in site.runs("retrain") if run["created_by"]["type"] == "AUTOMATION"]


def test_a_scheduled_run_that_is_killed_crashes_and_is_begun_once_more(site: Site) -> None:
    long = {
        "sources": [{"name": "dinosaurs", "path": str(site.list)}],
        "training": {"hidden_size": 512, "epochs": 100_000, "patience": 100_000},
    }
    known = {run["id"] for run in begun_by_automation(site)}
    killed = site.start("retrain", parameters={"config": long}, tags=["auto-scheduled"])
    site.wait(lambda: site.run(killed)["state_type"] == "RUNNING")
    os.kill(site.wait(lambda: process_of(killed)), signal.SIGKILL)
    assert site.ended(killed)["state_type"] == "CRASHED"

    (again,) = site.wait(lambda: [run for run in begun_by_automation(site) if run["id"] not in known])
    assert site.ended(again["id"])["state_type"] == "COMPLETED"
    told = site.wait(lambda: site.events("namewright.run.failed"))
    assert [(event["payload"]["flow_run"], event["payload"]["state"]) for event in told] == [
        (killed, "Crashed")
    ]


def test_a_run_that_died_with_its_worker_does_not_stay_running(site: Site) -> None:
    from prefect.client.orchestration import SyncPrefectClient

    from tasks.automations import died_silently

    with SyncPrefectClient(site.url) as client:
        client.create_automation(died_silently(["silent"], within_seconds=10.0))
    code = "import time; from prefect import flow; flow(name='silent')(lambda: time.sleep(600))()"
    with subprocess.Popen([sys.executable, "-c", code], env=site.environment) as process:
        (run,) = site.wait(lambda: site.runs("silent", "RUNNING"))
        beats = {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "any_resource": {"id": [f"prefect.flow-run.{run['id']}"]},
        }
        site.wait(lambda: site.ask("events/filter", {"filter": beats})["events"])
        process.kill()
    crashed = site.ended(run["id"])
    assert crashed["state_type"] == "CRASHED"
    assert crashed["state"]["message"].startswith("It died without a word.")


def test_an_error_of_ours_is_an_event_with_its_code(site: Site) -> None:
    code = "from flows.watch import watch; watch()"
    environment = {**site.environment, "NAMEWRIGHT_SOURCE": "towns=not-there.txt"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 1

    def told() -> list[Any]:
        return [event for event in site.events("namewright.run.failed") if "code" in event["payload"]]

    (event,) = site.wait(told)
    assert (event["payload"]["flow"], event["payload"]["code"]) == ("watch", "corpus.unreadable")


def test_prefects_own_command_takes_the_file_as_it_stands(site: Site) -> None:
    site.command(PREFECT, "--no-prompt", "deploy", "--all")
    assert [each["name"] for each in site.ask("deployments/filter", {"sort": "NAME_ASC"})] == [
        "generate",
        "maintain",
        "retrain",
        "watch",
    ]
    site.namewright("deploy")
    assert set(outcomes(site.namewright("deploy")).values()) == {"unchanged"}
