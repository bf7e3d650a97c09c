"""Whole lists, from the model to Parquet files on the disk: speed, memory, and the share that writing takes.

    python -m benchmarks.lists NAMEWRIGHT [--names first] [--count 10_000_000] [--unique 20_000_000]

NAMEWRIGHT is the Python that has it installed. The model is an Elman network of 64 units, the quickest to
draw from, so that the share of all else is greatest. Speed is by the clock on the wall, starting the process
left out; the share of writing is of processor time; memory is the most that the process ever had.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.names import names
from benchmarks.tables import line, rule

MODEL = [
    *("--training.cell", "elman", "--training.hidden-size", "64", "--training.layers", "1"),
    *("--training.max-steps", "1500", "--evaluation.sample-names", "0", "--sampling.count", "1"),
]
COLUMNS = ["list", "threads", "names per second", "writing Parquet", "peak memory", "bytes per name"]


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        store = trained(arguments.python, names(arguments.names), Path(folder))
        print(line(*COLUMNS), rule(len(COLUMNS)), sep="\n", flush=True)
        for count, kind in ((arguments.count, "any"), (arguments.unique, "unique")):
            for threads in (1, 2):
                cost = list_cost(arguments.python, store, count, threads, kind)
                print(
                    line(
                        f"{count:,} {'' if kind == 'any' else kind} names".replace("  ", " "),
                        threads,
                        f"{cost['names_per_second']:,.0f}",
                        f"{cost['writing']:.1%}",
                        f"{cost['peak_mb']:,.0f} MB",
                        f"{cost['bytes_per_name']:.1f}",
                    ),
                    flush=True,
                )


def trained(python: Path, chosen: list[str], folder: Path) -> Path:
    (folder / "names.txt").write_text("\n".join(chosen) + "\n", encoding="utf-8")
    store = folder / "store"
    source = ["--source", f"names={folder / 'names.txt'}", "--store", str(store)]
    run = [python.with_name("namewright"), "run", "--engine", "plain", *source, *MODEL]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, env=own_environment())
    return store


def list_cost(python: Path, store: Path, count: int, threads: int, kind: str) -> dict[str, Any]:
    command = [python, "-m", "benchmarks.one_list", str(store), str(count), str(threads), kind]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=own_environment())
    cost: dict[str, Any] = json.loads(done.stdout)
    return cost


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("NAMEWRIGHT_")}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("python", type=Path, help="a Python that has namewright installed")
    parser.add_argument("--names", default="first", help="first, bundled, or a file, one name a line")
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--unique", type=int, default=20_000_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
