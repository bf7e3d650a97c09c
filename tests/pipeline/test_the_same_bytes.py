"""The same bytes, whoever makes them: any runner, any number of workers, any number of threads of BLAS."""

from pathlib import Path

import pyarrow as pa
from blas_threads import fresh_process
from small_lists import TRAINING_LIST, always, asked, make_list, rows_of
from small_runs import files_of

from artifacts.model_file import MODEL
from flows.pipeline import lists as input_lists
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.core.stage import EmptyConfig, StageRunner
from tasks.engines import executors
from tasks.engines.plain import stage_runner

# With two threads BLAS shares out products of each of these sizes, and other bits come out.
NETWORKS = [("elman", 8), ("gru", 24), ("lstm", 64)]
WAYS = [(2, "threads", 3), (2, "processes", 2)]


def config_of(cell: str, hidden_size: int, path: Path) -> RetrainConfig:
    return RetrainConfig(
        sources=(Source("people", str(path)),),
        training=TrainingConfig(cell=cell, hidden_size=hidden_size, max_steps=3),
        evaluation=EvaluationConfig(sample_names=0),
        sampling=SamplingConfig(count=20, temperature=0.25, drawn_from="mixture"),
    )


def computed(config: RetrainConfig, run: StageRunner) -> Path:
    """Every stage that computes, but for the report; the file of the mixture."""
    inputs = input_lists(config, run)
    vocabulary = run(stages.vocabulary, EmptyConfig(), validated=inputs.validated)
    examples = run(stages.examples, config.examples_config, validated=inputs.validated, vocabulary=vocabulary)
    model = run(stages.model, config.model_config, examples=examples, vocabulary=vocabulary)
    mixture = run(stages.mixture, config.ngrams, model=model, examples=examples)
    evaluation = run(
        stages.evaluation, config.evaluation_config, mixture=mixture, examples=examples, vocabulary=vocabulary
    )
    run(stages.names, config.names_config, mixture=mixture, vocabulary=vocabulary, validated=inputs.validated)
    run(stages.decision, config.decision_config, mixture=mixture, examples=examples, evaluation=evaluation)
    return run.wait([mixture])[0].folder / MODEL


def made(path: Path, folder: Path, workers: WorkerSettings) -> tuple[dict[str, bytes], list[pa.Table]]:
    """The files of every stage, and a list of names from each network, by these workers."""
    settings = Settings(store=folder / "store")
    with stage_runner(settings, lambda _event: None, workers) as run:
        models = [computed(config_of(*network, path), run) for network in NETWORKS]
    rows = []
    for number, model in enumerate(models):
        output = folder / f"list-{number}"
        of_list = ListSettings(store=settings.store, model=str(model), output=output, workers=workers)
        make_list(asked(count=200, max_length=12, prefix="ma"), of_list)
        rows.append(rows_of(output))
    return files_of(settings.store), rows


def test_every_stage_makes_the_same_bytes_by_any_runner_any_workers_and_any_number_of_blas_threads(
    tmp_path, monkeypatch
):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(sorted({name.lower() for name in TRAINING_LIST})) + "\n")
    with fresh_process(monkeypatch, 1):
        files, rows = made(path, tmp_path / "alone", WorkerSettings("threads", 1))
    for threads, runner, count in WAYS:
        workers = WorkerSettings(runner, count)
        with (
            fresh_process(monkeypatch, threads),
            executors.executor(workers) as hired,
            monkeypatch.context() as patch,
        ):
            patch.setattr(executors, "executor", always(hired))
            again, rows_again = made(path, tmp_path / f"{runner}-{count}-{threads}", workers)
        assert {name for name in files if files[name] != again.get(name)} == set()
        assert [left.equals(right) for left, right in zip(rows, rows_again, strict=True)] == [True] * 3
