"""One generated list, and what it cost, as JSON.

    python -m benchmarks.one_list STORE COUNT THREADS [unique]

A process of its own, so that its peak memory is that of the list.
"""

import functools
import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from artifacts import exports
from flows.generation import generation
from rnn_core.sample.sampler import SamplingConfig
from tasks.config.generate import GenerateConfig
from tasks.config.settings import ListSettings, WorkerSettings
from tasks.engines.plain import RUN_CONTEXT, stage_runner
from tasks.generate import dataset


class Clock:
    """Processor seconds that a function takes, in whichever threads."""

    def __init__(self, function: Any) -> None:
        self.seconds = 0.0
        self._function = function
        self._lock = threading.Lock()
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        started = time.thread_time()
        try:
            return self._function(*arguments)
        finally:
            with self._lock:
                self.seconds += time.thread_time() - started


def main(store: Path, count: int, threads: int, unique: bool) -> None:
    exports.write = writing = Clock(exports.write)
    config = GenerateConfig(sampling=SamplingConfig(count=count), unique=unique)
    with tempfile.TemporaryDirectory(dir=store) as output:
        settings = ListSettings(store=store, output=Path(output), workers=WorkerSettings("threads", threads))
        wall, processor = time.perf_counter(), time.process_time()
        dataset.generate(
            dataset.prepare(config, settings),
            settings,
            generation,
            lambda of_stages: stage_runner(of_stages, _silent, settings.workers),
            _silent,
            RUN_CONTEXT,
        )
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        size = sum(path.stat().st_size for path in Path(output).glob("part-*"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux
    print(
        json.dumps(
            {
                "names_per_second": count / wall,
                "writing": writing.seconds / processor,
                "peak_mb": peak,
                "bytes_per_name": size / count,
            }
        )
    )


def _silent(_event: object) -> None:
    """Nothing is shown."""


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), "unique" in sys.argv[4:])
