"""Ctrl-C outside of a run ends the command line with its exit code and nothing else."""

import subprocess
import sys

import pytest

INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"
MOMENTS = {
    "before anything is imported": f"from flows.__main__ import main; {INTERRUPT}; main()",
    "while the commands are imported": f"""
class Finder:
    def find_spec(self, name, *_):
        if name == "flows.cli": {INTERRUPT}
from flows.__main__ import main
sys.meta_path.insert(0, Finder())
main()""",
    "in a command": f"""
sys.modules["flows.cli"] = types.SimpleNamespace(main=lambda: {INTERRUPT})
from flows.__main__ import main
main()""",
    "after the command": f"""
sys.modules["flows.cli"] = types.SimpleNamespace(main=lambda: None)
from flows.__main__ import main
main()
{INTERRUPT}""",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_is_no_traceback(moment: str) -> None:
    default = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"import os, signal, sys, types; {default}\n{MOMENTS[moment]}"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (130, "", "")
