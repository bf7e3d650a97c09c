"""docs/how-to/operations.md shows commands that do what it says."""

import re
import shlex
import signal
import subprocess
from typing import Any

import pytest
from deployed_site import PATIENCE_SECONDS, ROOT, Site

pytestmark = pytest.mark.timeout(900)  # several servers' and workers' work
GUIDE = (ROOT / "docs" / "how-to" / "operations.md").read_text()
BLOCKS = re.findall(r"```(.*)\n((?:.*\n)*?)```", GUIDE)
COMMANDS = [line for info, block in BLOCKS if info == "sh" for line in block.splitlines()]
WORKER, SERVE = RUN_ON = (  # until somebody ends them
    "prefect worker start --type process --pool namewright",
    "namewright serve",
)


def test_every_block_of_the_guide_is_run_or_marked_as_not_run() -> None:
    assert {info for info, _ in BLOCKS} <= {"sh", "sh not-run", "ini"}
    assert set(RUN_ON) <= set(COMMANDS)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in RUN_ON])
def test_every_command_of_the_guide_works(command: str, site: Site) -> None:
    (site.checkout / "pipeline.toml").unlink(missing_ok=True)
    assert site.command(*shlex.split(command))


def test_a_worker_is_ended_by_ctrl_c(site: Site) -> None:
    def online() -> list[Any]:
        workers = site.ask("work_pools/namewright/workers/filter", {})
        return [each for each in workers if each["status"] == "ONLINE"]

    before = len(online())
    with site.running(*shlex.split(WORKER)) as process:
        assert process.stdout
        assert any("started!" in line for line in process.stdout)
        # Not as it starts: a Ctrl-C among its first requests was once lost.
        site.wait(lambda: len(online()) > before)
        ended_by_ctrl_c(process)


def test_what_is_served_is_ended_by_ctrl_c_and_leaves_nothing_that_fires(site: Site) -> None:
    def there(kind: str) -> list[str]:
        return sorted(each["name"] for each in site.ask(f"{kind}/filter", {}))

    def served() -> Any:
        return site.ask("deployments/name/retrain/retrain-served")

    before = there("deployments"), there("automations")
    with site.running(*shlex.split(SERVE)) as process:
        assert process.stdout
        assert any("Your deployments are being served" in line for line in process.stdout)
        site.wait(lambda: served()["status"] == "READY")
        assert not served()["paused"]
        ended_by_ctrl_c(process)
    assert (there("deployments"), there("automations")) == before


def ended_by_ctrl_c(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()  # else a test that failed would wait for it
    assert process.returncode == 0, said
    assert "Traceback" not in said
