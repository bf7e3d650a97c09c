"""All of docs/reference/benchmarks.md: `make bench`, or some parts: `make bench ARGS="first-names"`.

Each part is a process of its own, since a process has one mode of threading, and prints Markdown.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMEWRIGHT = ROOT / ".venv" / "bin" / "python"  # where Prefect is
OWN = [sys.executable, "-m"]

PARTS = {
    "first-names": [*OWN, "benchmarks.training_speed", "--names", "first", "--plot", "one-core.svg"],
    "hidden-512": [
        *(*OWN, "benchmarks.training_speed", "--names", "first"),
        *("--cells", "elman", "--hidden", "512", "--batch", "128", "512"),
    ],
    "bundled": [
        *(*OWN, "benchmarks.training_speed", "--names", "bundled"),
        *("--cells", "elman", "--hidden", "64", "256", "--batch", "32", "128"),
    ],
    "all-lists": [*OWN, "benchmarks.all_lists"],
    "all-cores": [*OWN, "benchmarks.all_cores", "--names", "first"],
    "time-to-quality": [*OWN, "benchmarks.time_to_quality", "--names", "bundled"],
    "same-time": [*OWN, "benchmarks.same_time", "--names", "first"],
    "sampling": [*OWN, "benchmarks.sampling_speed", "--names", "first", "--plot", "sampling.svg"],
    "sampling-two-cores": [*OWN, "benchmarks.sampling_speed", "--names", "first"],
    "lists": [*OWN, "benchmarks.lists", str(NAMEWRIGHT), "--names", "first"],
    "corpora": [str(NAMEWRIGHT), "-m", "benchmarks.corpora"],
    "notebook": [*OWN, "benchmarks.notebook_loop"],
    "unchanged-run": [str(NAMEWRIGHT), "-m", "benchmarks.unchanged_run"],
}

ALL_CORES = ("all-cores", "time-to-quality", "unchanged-run", "corpora")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without one")
    parser.add_argument("--plots", type=Path, default=Path("benchmarks/results"), help="folder for the plots")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    arguments.plots.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts or PARTS:
        print(f"\n## {part}\n", flush=True)
        command = [str(arguments.plots / word) if word.endswith(".svg") else word for word in PARTS[part]]
        two_cores = part == "lists" or part.endswith("two-cores")
        cores = os.cpu_count() if part in ALL_CORES else 2 if two_cores else 1
        if two_cores and len(os.sched_getaffinity(0)) < cores:
            print("left out: this process has one core")
            continue
        subprocess.run(command, check=True, env={**os.environ, "BENCHMARK_CORES": str(cores)}, cwd=ROOT)


if __name__ == "__main__":
    main()
