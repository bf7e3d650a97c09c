"""Ten million names from a file to examples, beside Arrow's reading and writing of the same file.

    python -m benchmarks.corpora [--names 10_000_000] [--distinct 0.6] [--rounds 5]

The baseline is `pyarrow.csv.read_csv` and a Parquet file of what it read. Each stage is made by a process of
its own, so that its peak memory is its own; its time is that of the stage itself, without imports, and with
its sha256 and its fsync. Medians over the rounds, which are interleaved.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from artifacts.store import Artifact
from benchmarks.tables import line, rule
from data.config import ExamplesConfig, MergingConfig, ValidationConfig
from tasks import stages
from tasks.config.settings import Settings
from tasks.config.sources import Source
from tasks.core.events import Event, Finished
from tasks.core.stage import EmptyConfig
from tasks.engines.plain import SequentialRunner

BASELINE = "read_csv and write_table"
STAGES = ("corpus", "merged", "validated", "vocabulary", "examples")
COMPARED = STAGES[:3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--names", type=int, default=10_000_000)
    parser.add_argument("--distinct", type=float, default=0.6, help="share of the names that are different")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(cost(arguments.only, arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "names.txt")
        # In a process of its own: the peak memory of this one would be handed on to all that it starts.
        with ProcessPoolExecutor(1, get_context("spawn")) as other:
            other.submit(write_names, path, arguments.names, arguments.distinct).result()
        print(f"{arguments.names:,} names, {path.stat().st_size / 1e6:,.0f} MB\n", flush=True)
        rounds = [measured(Path(folder), number) for number in range(arguments.rounds)]
    seconds = {what: statistics.median(each[what][0] for each in rounds) for what in rounds[0]}
    peak = {what: max(each[what][1] for each in rounds) for what in rounds[0]}
    print(line("", "seconds", "peak memory"), rule(3), sep="\n")
    for what in (BASELINE, *STAGES):
        print(line(what, f"{seconds[what]:.2f}", f"{peak[what]:,.0f} MB"))
    together = sum(seconds[stage] for stage in COMPARED)
    print(f"\n{', '.join(COMPARED)}: {together:.2f} s, {together / seconds[BASELINE]:.1f} times the baseline")


def write_names(path: Path, count: int, distinct: float) -> None:
    """Names of 6 to 22 letters, drawn with repeats from so many different ones; the same every time."""
    rng = np.random.default_rng(0)
    syllables = np.array([a + b for a in "bcdfghjklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "el")])
    parts = [pa.array(syllables).take(pa.array(rng.integers(len(syllables), size=count))) for _ in range(7)]
    first = pc.utf8_capitalize(pc.binary_join_element_wise(*parts[:3], ""))
    last = pc.utf8_capitalize(pc.binary_join_element_wise(*parts[3:], ""))
    names = pc.binary_join_element_wise(first, last, " ")
    drawn = names.take(pa.array(rng.integers(int(count * distinct), size=count)))
    with pa.OSFile(str(path), "wb") as file:
        pyarrow.csv.write_csv(
            pa.table({"name": drawn}),
            file,
            pyarrow.csv.WriteOptions(include_header=False, quoting_style="none"),
        )


def measured(folder: Path, number: int) -> dict[str, tuple[float, float]]:
    """Seconds and megabytes, of the baseline and of every stage, in a store that is empty before."""
    store = folder / f"store-{number}"
    results = {}
    for what in (BASELINE, *STAGES):
        command = [sys.executable, "-m", "benchmarks.corpora", "--only", what, "--folder", str(store)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results[what] = tuple(json.loads(done.stdout))
    return results


def cost(what: str, store: Path) -> tuple[float, float]:
    path = store.parent / "names.txt"
    seconds = (
        baseline(path, store.parent / "baseline.parquet")
        if what == BASELINE
        else stage_seconds(what, path, store)
    )
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux


def baseline(path: Path, written: Path) -> float:
    began = time.perf_counter()
    read = pyarrow.csv.ReadOptions(column_names=["name"])
    pq.write_table(pyarrow.csv.read_csv(path, read), written)
    return time.perf_counter() - began


def stage_seconds(target: str, path: Path, store: Path) -> float:
    """The seconds of one stage; those before it are in the store already."""
    # What a stage imports is not what it costs, nor what pandera does when it first sees a table.
    import tasks.stages.corpora
    import tasks.stages.splitting  # noqa: F401
    from data import schemas

    schemas.conform(schemas.ACCEPTED, pa.table({"row": pa.array([], pa.int32())}))
    seconds: dict[str, float] = {}

    def hear(event: Event) -> None:
        if isinstance(event, Finished):
            seconds[event.stage] = event.seconds

    for stage, _ in zip(STAGES, in_order(SequentialRunner(Settings(store=store), hear), path), strict=False):
        if stage == target:
            break
    return seconds[target]


def in_order(run: SequentialRunner, path: Path) -> Iterator[Artifact]:
    source = Source("names", str(path))
    corpora = [run(stages.corpus, source.reading, file=source.files)]
    yield corpora[0]
    merged = run(stages.merged, MergingConfig(), corpora=corpora)
    yield merged
    validated = run(stages.validated, ValidationConfig(), merged=merged, corpora=corpora)
    yield validated
    vocabulary = run(stages.vocabulary, EmptyConfig(), validated=validated)
    yield vocabulary
    yield run(stages.examples, ExamplesConfig(), validated=validated, vocabulary=vocabulary)


if __name__ == "__main__":
    main()
