"""docs/how-to/operations.md shows commands that do what it says."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from deployed_site import PATIENCE_SECONDS, ROOT, Site, apply_file, process_of, remove_deployments

pytestmark = pytest.mark.timeout(900)  # several servers' and workers' work
GUIDE = (ROOT / "docs" / "how-to" / "operations.md").read_text()
BLOCKS = re.findall(r"```(.*)\n((?:.*\n)*?)```", GUIDE)
COMMANDS = [line for info, block in BLOCKS if info == "sh" for line in block.splitlines()]
WORKER, SERVE = RUN_ON = (  # until somebody ends them
    "prefect worker start --type process --pool namewright",
    "namewright serve",
)
PROFILE = "prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api"

EMIT = "prefect event emit namewright.corpus.changed --resource-id namewright.corpora"
PAUSE, WAIT, RESUME = STOPPING = (
    "prefect work-pool pause namewright",
    "prefect flow-run ls --state Running",
    "prefect work-pool resume namewright",
)
IN_TESTS_OF_THEIR_OWN = {*RUN_ON, *STOPPING, PROFILE, EMIT}


@pytest.fixture(scope="module")
def shell(site: Site) -> Site:
    """A fresh shell: no variable names the server, but for the port of this one."""
    kept = {name: value for name, value in site.environment.items() if name != "PREFECT_API_URL"}
    fresh = replace(site, environment={**kept, "PREFECT_PROFILES_PATH": str(site.folder / "profiles.toml")})
    fresh.command(*shlex.split(PROFILE.replace("http://127.0.0.1:4200/api", site.url)))
    return fresh


def test_every_block_of_the_guide_is_run_or_marked_as_not_run() -> None:
    assert {info for info, _ in BLOCKS} <= {"sh", "sh not-run", "ini", "yaml"}
    assert set(COMMANDS) >= IN_TESTS_OF_THEIR_OWN


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in IN_TESTS_OF_THEIR_OWN])
def test_every_command_of_the_guide_works_in_a_fresh_shell(command: str, shell: Site) -> None:
    (shell.checkout / "pipeline.toml").unlink(missing_ok=True)
    assert shell.command(*shlex.split(command))


def test_an_event_that_is_emitted_in_a_fresh_shell_reaches_the_server(site: Site, shell: Site) -> None:
    shell.command(*shlex.split(EMIT))  # it would report success for a server of its own, too
    assert site.wait(
        lambda: [event for event in site.events("namewright.corpus.changed") if not event["payload"]]
    )


def test_a_worker_is_started_in_a_fresh_shell_and_ended_by_ctrl_c(site: Site, shell: Site) -> None:
    def online() -> list[Any]:
        workers = site.ask("work_pools/namewright/workers/filter", {})
        return [each for each in workers if each["status"] == "ONLINE"]

    before = len(online())
    with shell.running(*shlex.split(WORKER)) as process:
        assert process.stdout
        assert any("started!" in line for line in process.stdout)
        # Not as it starts: a Ctrl-C among its first requests was once lost.
        site.wait(lambda: len(online()) > before)
        ended_by_ctrl_c(process)


def test_what_is_served_is_ended_by_ctrl_c_and_leaves_nothing_that_fires(site: Site) -> None:
    def there(kind: str) -> list[str]:
        return sorted(each["name"] for each in site.ask(f"{kind}/filter", {}))

    def served() -> Any:
        return site.ask("deployments/name/retrain/namewright-retrain-served")

    before = there("deployments"), there("automations")
    with site.running(*shlex.split(SERVE)) as process:
        assert process.stdout
        assert any("Your deployments are being served" in line for line in process.stdout)
        site.wait(lambda: served()["status"] == "READY")
        assert not served()["paused"]
        ended_by_ctrl_c(process)
    assert (there("deployments"), there("automations")) == before


def test_a_paused_pool_begins_nothing_until_it_is_resumed(site: Site, shell: Site) -> None:
    site.still()
    shell.command(*shlex.split(PAUSE))
    run = site.start("watch")
    shell.command(*shlex.split(WAIT))  # longer than the worker takes to look
    assert site.run(run)["state_type"] == "SCHEDULED"
    shell.command(*shlex.split(RESUME))
    assert site.ended(run)["state_type"] == "COMPLETED"


@pytest.fixture
def stopped(site: Site) -> Iterator[str]:
    """Where the API has the retraining of a site whose pool has no other worker."""
    from prefect.client.orchestration import SyncPrefectClient

    file = (ROOT / "prefect.yaml").read_text().replace("    name: namewright\n", "    name: stopped\n")
    retraining = file.partition('  - name: "{{ $NAMEWRIGHT_SITE }}-g')[0]
    try:
        apply_file(site, site.folder / "stopped", retraining, "stopped")
        yield "deployments/name/retrain/stopped-retrain"
    finally:
        remove_deployments(site, "stopped")
        with SyncPrefectClient(site.url) as client:
            client.delete_work_pool("stopped")


def test_systemctl_stop_ends_a_training_with_its_worker_and_frees_its_slot(site: Site, stopped: str) -> None:
    training = {"hidden_size": 64, "epochs": 100_000, "patience": 100_000}
    parameters = {"parameters": {"config": {"training": training}}}
    run = site.ask(f"deployments/{site.ask(stopped)['id']}/create_flow_run", parameters)["id"]

    def is_training() -> bool:
        tasks = site.ask("task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return any("64 units" in task["name"] and task["state_name"] == "Running" for task in tasks)

    with site.running(*shlex.split(WORKER.replace("namewright", "stopped"))) as worker:
        try:
            site.wait(is_training)
            for command in re.findall("ExecStop=-(.*)", GUIDE):  # as systemd does, one after another
                words = shlex.split(command.replace("$MAINPID", str(worker.pid)))
                subprocess.run(words, check=True, timeout=PATIENCE_SECONDS)
            worker.terminate()  # KillMode=mixed
            printed, _ = worker.communicate(timeout=PATIENCE_SECONDS)
        finally:
            worker.kill()  # else a test that failed would wait for it
    ended = site.run(run)
    assert ended["state_type"] == "CRASHED", (ended["state"], printed)
    assert ended["state"]["message"].startswith("error[run.interrupted]: stopped by SIGTERM")
    failures = "namewright.run.failed"
    site.wait(lambda: "run.interrupted" in {told["payload"].get("code") for told in site.events(failures)})
    assert not process_of(run)
    site.wait(lambda: site.ask(stopped)["global_concurrency_limit"]["active_slots"] == 0)
    assert list((site.store / "checkpoints" / "model").glob("*.npz"))


def ended_by_ctrl_c(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()  # else a test that failed would wait for it
    assert process.returncode == 0, said
    assert "Traceback" not in said
