"""Dask's workers on machines that share a bucket with us, and no folder."""

from pathlib import Path

import pytest
from distributed import LocalCluster
from s3_server import BUCKET, s3_environment
from small_lists import TRAINING_LIST, asked, make_list
from small_runs import files_of

from artifacts.bucket.address import mirror
from artifacts.bucket.objects import Objects
from flows.pipeline import pipeline
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.engines.plain import stage_runner

COUNT = 2 * NAMES_PER_BLOCK


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prefect_url")
def test_a_cluster_that_shares_only_a_bucket_trains_and_generates_the_same_bytes(
    s3_endpoint, tmp_path, monkeypatch
):
    from prefect import flow

    from flows.generate import generate
    from tasks.engines import prefect

    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "here"))
    address = f"s3://{BUCKET}/{tmp_path.name}"
    Objects(address).overwrite("names.txt", ("\n".join(TRAINING_LIST) + "\n").encode())
    config = RetrainConfig(
        sources=(Source("people", f"{address}/names.txt"),),
        training=TrainingConfig(cell="elman", hidden_size=8, epochs=2),
        evaluation=EvaluationConfig(sample_names=0),
        sampling=SamplingConfig(count=1),
    )

    @flow(name="trained by Dask elsewhere")
    def train(workers: WorkerSettings) -> None:
        with prefect.stage_runner(Settings(mirror(f"{address}/store")), workers) as run:
            pipeline(config, run)

    there = tmp_path / "there"
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        env={"NAMEWRIGHT_CACHE": str(there), "OPENBLAS_NUM_THREADS": "1"},
    ) as cluster:
        workers = WorkerSettings("dask", 2, cluster.scheduler_address)
        train(workers)
        names = ListSettings(
            store=mirror(f"{address}/store"), output=Path(f"{address}/list"), workers=workers
        )
        generate(asked(count=COUNT), names)

    alone = tmp_path / "alone"
    with stage_runner(Settings(alone), lambda _event: None) as run:
        pipeline(config, run)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(there))
    assert files_of(mirror(f"{address}/store")) == files_of(alone)
    monkeypatch.setenv("NAMEWRIGHT_CACHE", str(tmp_path / "here"))
    make_list(asked(count=COUNT), ListSettings(store=alone, output=tmp_path / "list"))
    bucket = Objects(f"{address}/list")
    parts = sorted(path.name for path in (tmp_path / "list").glob("part-*"))
    assert len(parts) == 2
    for part in parts:
        assert bucket.read(part, 1 << 30).body == (tmp_path / "list" / part).read_bytes()
