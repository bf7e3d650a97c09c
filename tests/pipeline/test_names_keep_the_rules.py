"""Sampled names keep the rules of their list, and are the same whoever samples them."""

import unicodedata

import pyarrow.parquet as pq
import pytest
from small_lists import asked, make_list, rows_of

from flows.pipeline import pipeline
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.engines.plain import stage_runner
from tasks.models import open_model

HINDI = ["आरव", "विवान", "आदित्य", "विहान", "अर्जुन", "साई", "अयान", "कृष्ण", "ईशान", "शौर्य", "अथर्व", "ध्रुव"]
HINDI += ["कबीर", "ऋत्विक", "राहुल", "रोहित", "अमित", "सुमित", "विकास", "विजय", "संजय", "मनोज", "सुनील", "अनिल"]
COUNT = 3_000


@pytest.fixture(scope="module")
def hindi(tmp_path_factory):
    """A store with a model of the list in it, and the names that its run sampled."""
    folder = tmp_path_factory.mktemp("hindi")
    (folder / "names.txt").write_text("\n".join(HINDI) + "\n", encoding="utf-8")
    config = RetrainConfig(
        sources=(Source("people", str(folder / "names.txt")),),
        training=TrainingConfig(cell="elman", hidden_size=8, epochs=2),
        evaluation=EvaluationConfig(sample_names=500),
        sampling=SamplingConfig(count=COUNT),
    )
    with stage_runner(Settings(store=folder / "store"), lambda _event: None) as run:
        pipeline(config, run)
    (names,) = (folder / "store" / "names").glob("*/names.parquet")
    (metrics,) = (folder / "store" / "evaluation").glob("*/metrics.parquet")
    rows = pq.read_table(metrics).to_pylist()
    sampled = {
        "names": pq.read_table(names)["name"].to_pylist(),
        "validity": [row["value"] for row in rows if row["metric"] == "validity"],
    }
    return folder / "store", sampled


def test_no_name_of_the_run_begins_with_a_mark_and_validity_counts_those_that_would(hindi):
    _, sampled = hindi
    names = sampled["names"]
    assert len(names) == COUNT
    assert not any(unicodedata.category(name[0]).startswith("M") for name in names)
    assert all(unicodedata.is_normalized("NFC", name) for name in names)
    assert sampled["validity"]
    assert all(0 < share < 1 for share in sampled["validity"])


def test_a_generated_list_and_an_open_model_give_the_names_of_the_run(hindi, tmp_path):
    store, sampled = hindi
    settings = ListSettings(store=store, output=tmp_path / "list", workers=WorkerSettings("threads", 1))
    make_list(asked(count=COUNT, max_length=50, truncate=False), settings)
    assert rows_of(tmp_path / "list")["name"].to_pylist() == sampled["names"]
    assert open_model(store=store).draw(COUNT).to_pylist() == sampled["names"]


def test_a_model_file_alone_gives_no_name_that_begins_with_a_mark(hindi, tmp_path):
    store, _ = hindi
    (file,) = store.glob("mixture/*/model.npz")
    (tmp_path / "model.npz").write_bytes(file.read_bytes())
    names = open_model(tmp_path / "model.npz").draw(COUNT).to_pylist()
    assert not any(unicodedata.category(name[0]).startswith("M") for name in names)
