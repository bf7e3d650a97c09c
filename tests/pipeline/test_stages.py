"""Stages, called without an engine."""

import errno
import importlib
import inspect
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest
from threadpoolctl import threadpool_info

from artifacts import formats
from artifacts.errors import StoreError
from artifacts.source_file import SourceFile
from data.config import CorpusConfig, MergingConfig
from rnn_core.errors import ConfigError, DataError, Interrupted
from tasks import stages
from tasks.config.settings import Settings
from tasks.core.stage import StageContext
from tasks.process import signals


@pytest.fixture
def produced(tmp_path):
    def produce(stage, config, **inputs):
        heard = []
        settings = Settings(store=tmp_path / "store")
        artifact, reused = stage.produce(settings, config, heard.append, {"engine": "test"}, **inputs)
        return artifact, reused, heard

    return produce


@pytest.fixture
def towns(tmp_path):
    path = tmp_path / "towns.txt"
    path.write_text("Bern\nBasel\n")
    return path


def test_every_stage_is_found_where_its_function_is_written_in_any_process():
    for stage in (*stages.ALL, *stages.OF_A_LIST):
        module = importlib.import_module(stage.function.__module__)
        assert getattr(module, stage.function.__name__) is stage
        assert inspect.getsourcefile(stage.function) == module.__file__
        assert pickle.loads(pickle.dumps(stage)) is stage


def test_every_stage_says_in_one_sentence_what_it_leaves():
    for stage in (*stages.ALL, *stages.OF_A_LIST):
        assert inspect.getdoc(stage.function).partition("\n")[0].endswith(".")


def test_the_names_and_versions_of_the_stages_never_change_by_accident():
    assert {stage.name: stage.version for stage in (*stages.ALL, *stages.OF_A_LIST)} == {
        **{"corpus": 5, "merged": 4, "validated": 4, "profile": 1, "gate": 1},
        **{"vocabulary": 1, "examples": 4, "model": 5, "mixture": 5, "evaluation": 4, "names": 2},
        **{"decision": 2, "report": 6},
        **{"shard": 3, "candidates": 3, "let_in": 3, "gathered": 3},
    }


def test_importing_every_stage_and_the_command_imports_nothing_that_is_slow_to_import():
    code = "import sys, flows.cli, tasks.stages; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"pandas", "pandera", "matplotlib", "prefect", "regex", "scipy"}.isdisjoint(done.stdout.split())


def test_the_manifest_tells_from_what_and_by_whom_an_artifact_was_made(produced, towns):
    artifact, reused, _ = produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    manifest = artifact.manifest()
    assert not reused
    assert manifest.origins == {"file": str(towns)}
    assert manifest.run == {"engine": "test"}
    assert manifest.rows == 2
    assert manifest.metadata == {"rejected": {}}


def test_the_path_of_a_file_is_no_part_of_the_key(produced, towns, tmp_path):
    elsewhere = towns.rename(tmp_path / "elsewhere.txt")
    towns.write_bytes(elsewhere.read_bytes())
    first, _, _ = produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    second, reused, _ = produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(elsewhere))
    assert reused
    assert second == first


def test_a_list_that_is_refused_when_half_of_it_is_written_leaves_nothing_behind(produced, towns, tmp_path):
    towns.write_bytes(b"Bern\n" * 600_000 + b"\xff\n")
    with pytest.raises(DataError, match=r"corpus\.encoding"):
        produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    assert list((tmp_path / "store" / "scratch").iterdir()) == []


@pytest.mark.parametrize("name", ["names.parquet", "rejected.parquet"])
def test_of_two_tables_written_side_by_side_either_may_fail(produced, towns, monkeypatch, name):
    corpus, *_ = produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    write_parts = formats.write_parts

    def failing(path, parts):
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_parts(path, parts)

    monkeypatch.setattr(formats, "write_parts", failing)
    with pytest.raises(StoreError, match=r"store\.full") as caught:
        produced(stages.merged, MergingConfig(), corpora=[corpus])
    assert caught.value.where.endswith(name)


def test_a_file_that_changes_after_its_digest_was_taken_is_refused(produced, towns):
    file = SourceFile(towns)
    assert file.digest
    towns.write_text("Bern\nBasel\nBiel\n")
    with pytest.raises(DataError, match=r"corpus\.changed"):
        produced(stages.corpus, CorpusConfig("towns"), file=file)
    _, reused, _ = produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    assert not reused


def test_a_stage_computes_with_one_blas_thread(produced, towns):
    produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_a_stage_does_not_begin_once_someone_asked_to_stop_and_the_next_run_is_not_concerned(produced, towns):
    before = signal.getsignal(signal.SIGINT)
    with signals.graceful_shutdown():
        with signals.graceful_shutdown():  # as in a flow, which sets its handlers within ours
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted) as stopped:
            produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))
    assert stopped.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before
    with signals.graceful_shutdown():
        produced(stages.corpus, CorpusConfig("towns"), file=SourceFile(towns))


def test_a_name_that_is_no_stage_is_refused():
    with pytest.raises(ConfigError, match="modle"):
        stages.check_names(["model", "modle"])


def test_progress_tells_the_time_that_is_left_once_it_can_be_known(monkeypatch):
    events, now = [], 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    context = StageContext("model", "model", None, None, None, events.append)
    for now, done in ((0.0, 100), (1.0, 110), (10.0, 200)):  # noqa: B007  # resumed at 100; 10 a second
        context.progress(done, 1000, "steps")
    assert [event.seconds_left for event in events] == [None, None, 80]
    assert str(events[-1]) == "model: 200 of 1,000  steps, 0:01:20 left"
