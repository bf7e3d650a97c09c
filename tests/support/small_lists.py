"""What tests share that generate lists of names, with a model that was hardly trained."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from small_runs import CORPORA

from artifacts.manifest import Manifest
from flows.generation import generation
from flows.pipeline import pipeline
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks.config.generate import GenerateConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.core.events import Event
from tasks.engines.executors import WorkerPool
from tasks.engines.plain import stage_runner
from tasks.generate import dataset

SHORT = ["Al", "An", "Ed", "El", "Lu", "Ma", "Mo", "Ana", "Ema", "Leo"]  # a model comes upon such names
TRAINING_LIST = (CORPORA / "argentine.txt").read_text().splitlines()[:200] + SHORT


def trained(folder: Path) -> Path:
    """A store with a model in it, which learnt from TRAINING_LIST for a moment."""
    path = folder / "names.txt"
    path.write_text("\n".join(TRAINING_LIST) + "\n")
    config = RetrainConfig(
        sources=(Source("people", str(path)),),
        training=TrainingConfig(cell="elman", hidden_size=8, epochs=2),
        evaluation=EvaluationConfig(sample_names=0),
        sampling=SamplingConfig(count=1),
    )
    with stage_runner(Settings(store=folder / "store"), lambda _event: None) as run:
        pipeline(config, run)
    return folder / "store"


def asked(**knobs: Any) -> GenerateConfig:
    """A list of short names in small shards, with these knobs, of sampling or of the list.

    Names are cut off: the model has few short ones, and these tests are about lists.
    """
    ours = {"max_length": 6, "truncate": True, "shard_size": NAMES_PER_BLOCK, **knobs}
    of_sampling = {field.name for field in fields(SamplingConfig)}
    sampling = SamplingConfig(**{name: ours.pop(name) for name in of_sampling & set(ours)})
    return GenerateConfig(sampling=sampling, **ours)


def make_list(
    config: GenerateConfig, settings: ListSettings, tell: Callable[[Event], None] = lambda _event: None
) -> bool:
    """Without Prefect. Whether it was there already."""
    return dataset.generate(
        dataset.prepare(config, settings),
        settings,
        generation,
        lambda of_stages: stage_runner(of_stages, tell, settings.workers),
        tell,
        {"engine": "plain"},
    )


def manifest_of(folder: Path) -> Manifest:
    return Manifest.from_json((folder / "__namewright__" / "manifest.json").read_bytes())


def rows_of(folder: Path) -> pa.Table:
    """Of a list in Parquet, all in one piece."""
    return pq.read_table(folder).combine_chunks()


def always(hired: WorkerPool) -> Callable[[WorkerSettings], Any]:
    """Workers that have been started, in the place of new ones for every list."""

    @contextlib.contextmanager
    def there(_wanted: WorkerSettings) -> Iterator[WorkerPool]:
        yield hired

    return there


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every shard that is complete, and of its manifest: what was made again has others."""
    found = {}
    for path in (folder / "__namewright__" / "shards").glob("*.json"):
        for each in (path, *(folder / name for name in Manifest.from_json(path.read_bytes()).files)):
            stat = os.stat(each)  # noqa: PTH116
            found[str(each)] = (stat.st_ino, stat.st_mtime_ns)
    return found
