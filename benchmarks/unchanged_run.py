"""The cost of a run that reuses everything: `python -m benchmarks.unchanged_run [ROUNDS]`.

Whole processes, interleaved in one run; medians of wall-clock seconds. The imports that such a run cannot do
without stand beside it. It makes its own store and its own Prefect home in a temporary folder.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMEWRIGHT = str(Path(sys.executable).with_name("namewright"))
ROUNDS = 9


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment = {**own, "PREFECT_HOME": f"{folder}/prefect"}
        run = [NAMEWRIGHT, "run", "--training.epochs", "1", "--store", f"{folder}/store"]
        plain, run = [*run, "--engine", "plain"], [*run, "--engine", "prefect"]
        subprocess.run(plain, env=environment, check=True, stdout=subprocess.DEVNULL)
        alone = {
            "import numpy, pyarrow.parquet": [sys.executable, "-c", "import numpy, pyarrow.parquet"],
            "run --engine plain": plain,
            "import prefect.flows": [sys.executable, "-c", "import prefect.flows"],
            "run, Prefect's embedded server": run,
        }
        seconds = interleaved(alone, environment, rounds)
        subprocess.run([NAMEWRIGHT, "server", "start", "--port", free_port()], env=environment, check=True)
        try:
            seconds |= interleaved({"run, Prefect's server running": run}, environment, rounds)
        finally:
            subprocess.run([NAMEWRIGHT, "server", "stop"], env=environment, check=True)
    for what, median in seconds.items():
        print(f"{what:<32} {median:6.2f} s")
    ratio = seconds["run --engine plain"] / seconds["import numpy, pyarrow.parquet"]
    extra = seconds["run, Prefect's server running"] - seconds["import prefect.flows"]
    print(f"plain engine: {ratio:.2f} times its imports; with a server: its import and {extra:.2f} s")


def interleaved(commands: dict[str, list[str]], environment: dict[str, str], rounds: int) -> dict[str, float]:
    """Median seconds of each, after one round that counts for nothing."""
    spent: dict[str, list[float]] = {what: [] for what in commands}
    for _ in range(rounds + 1):
        for what, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            spent[what].append(time.perf_counter() - began)
    return {what: statistics.median(each[1:]) for what, each in spent.items()}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
