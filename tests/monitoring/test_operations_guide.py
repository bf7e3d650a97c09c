"""docs/operations.md shows commands that do what it says."""

import re
import shlex
import signal

import pytest
from deployed_site import ROOT, Site

pytestmark = pytest.mark.timeout(900)  # several servers' and workers' work
GUIDE = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```(.*)\n((?:.*\n)*?)```", GUIDE)
COMMANDS = [line for info, block in BLOCKS if info == "sh" for line in block.splitlines()]
RUN_ON = {  # until somebody ends them, and what they say once they are up
    "prefect worker start --type process --pool namewright": "started!",
    "namewright serve": "Your deployments are being served",
}


def test_every_block_of_the_guide_is_run_or_marked_as_not_run() -> None:
    assert {info for info, _ in BLOCKS} <= {"sh", "sh not-run", "ini"}
    assert set(RUN_ON) <= set(COMMANDS)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in RUN_ON])
def test_every_command_of_the_guide_works(command: str, site: Site) -> None:
    (site.checkout / "pipeline.toml").unlink(missing_ok=True)
    assert site.command(*shlex.split(command))


@pytest.mark.parametrize("command", RUN_ON)
def test_what_runs_on_is_ended_by_ctrl_c(command: str, site: Site) -> None:
    with site.running(*shlex.split(command)) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if RUN_ON[command] in line:
                break
        process.send_signal(signal.SIGINT)
        said += process.stdout.read()
    assert process.returncode == 0, said
    assert "Traceback" not in said
