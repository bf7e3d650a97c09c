"""The training within a run: its workers, and what is left when it fails."""

import numpy as np
from small_runs import files_of

from flows.pipeline import pipeline
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train import processes
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source
from tasks.core.events import Finished
from tasks.engines.plain import stage_runner
from tasks.process.cores import cores

BLOWS_UP = [
    *("--training.learning-rate", "1000", "--training.weight-decay", "1", "--training.schedule", "constant"),
    *("--training.warmup", "0", "--training.clip-norm", "0"),
]


def test_a_training_that_blows_up_is_one_clear_error_and_its_last_checkpoint_stays(
    namewright, quick, tmp_path
):
    outcome = namewright("run", "--engine", "plain", *quick, *BLOWS_UP, "--checkpoint-seconds", "0")
    assert outcome.returncode == 5
    assert outcome.stderr.startswith("error[training.diverged]: ")
    for told in ("step ", "learning rate 1e+03", "lower learning_rate"):
        assert told in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list((tmp_path / "store" / "model").glob("*/manifest.json"))
    (checkpoint,) = (tmp_path / "store").glob("checkpoints/*/*.npz")
    kept = np.load(checkpoint, allow_pickle=False)
    assert kept["step"] > 0
    assert np.isfinite(kept["parameters"]).all()


def test_the_number_of_workers_changes_no_byte_and_no_key(lists, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "WORTH_STARTING", 0)
    config = RetrainConfig(
        sources=tuple(Source(path.stem, str(path)) for path in lists),
        training=TrainingConfig(cell="elman", hidden_size=8, epochs=2, shards=3),
        evaluation=EvaluationConfig(sample_names=30),
        sampling=SamplingConfig(count=5),
    )

    def run(store, workers):
        finished = []
        settings = Settings(store=tmp_path / store, workers=workers)
        with stage_runner(settings, lambda event: finished.append(event)) as make:
            pipeline(config, make)
        return [event.reused for event in finished if isinstance(event, Finished)]

    run("one", 1)
    run("three", 3)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "three")
    assert all(run("one", 2))


def test_no_worker_at_all_is_one_clear_error(namewright):
    outcome = namewright("run", "--workers", "0")
    assert outcome.returncode == 2
    assert "workers" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_as_many_cores_are_used_as_a_container_allows(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(8)), raising=False)

    def in_groups(groups, **limits):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(groups)
        for folder, (name, text) in limits.values():
            (root / "sys/fs/cgroup" / folder).mkdir(parents=True, exist_ok=True)
            (root / "sys/fs/cgroup" / folder / name).write_text(text)
        return cores(root)

    assert cores(tmp_path / "no such folder") == 8
    assert in_groups("0::/\n") == 8
    assert in_groups("0::/\n", own=(".", ("cpu.max", "350000 100000\n"))) == 3
    assert in_groups("0::/\n", own=(".", ("cpu.max", "50000 100000\n"))) == 1
    assert (
        in_groups(
            "0::/a/b\n", own=("a/b", ("cpu.max", "max 100000\n")), above=("a", ("cpu.max", "200000 100000\n"))
        )
        == 2
    )
    old = "cpu,cpuacct/docker/1"
    quota, period = (old, ("cpu.cfs_quota_us", "400000")), (old, ("cpu.cfs_period_us", "100000"))
    assert in_groups("4:cpu,cpuacct:/docker/1\n1:memory:/\n", quota=quota, period=period) == 4
    assert in_groups("4:cpu,cpuacct:/docker/1\n", quota=(old, ("cpu.cfs_quota_us", "-1")), period=period) == 8
