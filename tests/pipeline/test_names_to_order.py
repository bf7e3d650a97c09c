"""Lists of names with wishes: what is in them, what identifies them, and what is said of rare ones."""

import gzip
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_lists import asked, make_list, manifest_of, rows_of, stamps

from artifacts.errors import StoreError
from flows.pipeline import pipeline
from rnn_core.errors import ConfigError, DataError, TrainingError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.spelling import spelling_key
from rnn_core.train.config import TrainingConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import ListSettings, Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.core.events import Finished
from tasks.engines.plain import stage_runner
from tasks.models import open_model, trial

WISHES = {"suffix": "a", "contains": "n", "max_length": 6, "truncate": True}


@pytest.fixture
def made(learnt, tmp_path):
    """Makes a list in a folder of that name; the folder."""

    def make(name="list", tell=lambda _event: None, workers=1, patience=60.0, **knobs):
        settings = ListSettings(
            store=learnt,
            output=tmp_path / name,
            patience=patience,
            workers=WorkerSettings("threads", workers),
        )
        make_list(asked(**knobs), settings, tell)
        return tmp_path / name

    return make


def names_of(folder):
    return rows_of(folder)["name"].to_pylist()


def test_a_list_has_the_names_that_the_model_draws_with_the_same_wishes(learnt, made, tmp_path):
    known = open_model(store=learnt).draw(40, **WISHES).to_pylist()
    excluded = tmp_path / "taken.txt"
    excluded.write_text("\n".join(name.upper() for name in known[:5]))
    drawn = open_model(store=learnt).draw(300, **WISHES, exclude=excluded, exclude_containing=["NA"])
    listed = names_of(
        made(count=300, exclude=str(excluded), exclude_containing=blocklist(tmp_path), **WISHES)
    )
    assert listed == drawn.to_pylist()
    assert len(set(listed)) > 20
    taken = set(map(spelling_key, known[:5]))
    for name in listed:
        assert name.endswith("a")
        assert "n" in name
        assert spelling_key(name) not in taken
        assert "na" not in name.lower()


def test_the_names_of_a_run_are_as_wished_and_no_other_key_moves(learnt, tmp_path):
    shutil.copytree(learnt, tmp_path / "store")
    wishes = {"suffix": "a", "matching": "[A-Z].*", "max_length": 12}
    finished = {}

    def listen(event):
        if isinstance(event, Finished):
            finished[event.stage] = event

    config = RetrainConfig(
        sources=(Source("people", str(learnt.parent / "names.txt")),),
        training=TrainingConfig(cell="elman", hidden_size=8, epochs=2),
        evaluation=EvaluationConfig(sample_names=0),
        sampling=SamplingConfig(count=30, **wishes),
    )
    with stage_runner(Settings(store=tmp_path / "store"), listen) as run:
        pipeline(config, run)
    names = finished["names"].artifact.table("names.parquet")["name"].to_pylist()
    assert len(names) == 30
    assert all(re.fullmatch("[A-Z].*a", name) for name in names)
    assert names == open_model(store=learnt).draw(30, **wishes).to_pylist()
    assert {stage for stage, event in finished.items() if not event.reused} <= {"names", "report"}


def blocklist(folder):
    (folder / "words.txt").write_text("na\n")
    return str(folder / "words.txt")


def test_a_list_with_wishes_is_the_same_by_any_workers_and_shards(made, tmp_path):
    count = NAMES_PER_BLOCK + 500
    wishes = {"exclude_containing": blocklist(tmp_path), "max_length": 3, "truncate": True}
    one = made("one", count=count, workers=1, **wishes)
    other = made("other", count=count, workers=3, shard_size=4 * NAMES_PER_BLOCK, **wishes)
    few = made("few", count=70, **wishes)
    assert names_of(one) == names_of(other)
    assert names_of(few) == names_of(one)[:70]
    assert not any("na" in name.lower() for name in names_of(one))


def test_the_content_of_a_file_identifies_the_list_and_its_path_does_not(made, tmp_path):
    file, moved = tmp_path / "taken.txt", tmp_path / "moved.txt"
    file.write_text("Ana\nEma\n")
    moved.write_text("Ana\nEma\n")
    options = {"count": 50, "suffix": "a"}
    folder = made(exclude=str(file), **options)
    before = stamps(folder)
    assert made(exclude=str(moved), **options) == folder
    assert stamps(folder) == before
    assert str(tmp_path) not in str(manifest_of(folder).recipe)
    moved.write_text("Ana\nEma\nLeo\n")
    with pytest.raises(StoreError, match=r"list\.another"):
        made(exclude=str(moved), **options)


def test_a_file_is_read_as_a_source_is(learnt, tmp_path):
    names = ["Ana", "José", "Lu"]
    files = {
        "plain.txt": "\n".join(names).encode(),
        "wide.txt": "\n".join(names).encode("utf-16"),
        "packed.txt.gz": gzip.compress("\n".join(names).encode()),
        "table.csv": ("name,count\n" + "".join(f"{name},1\n" for name in names)).encode(),
        "other.csv,column=who": ("id,who\n" + "".join(f"1,{name}\n" for name in names)).encode(),
        "latin.txt,encoding=latin-1": "\n".join(names).encode("latin-1"),
    }
    model = open_model(store=learnt)
    expected = model.draw(30, exclude=names, max_length=4)
    for spec, content in files.items():
        (tmp_path / spec.partition(",")[0]).write_bytes(content)
        assert model.draw(30, exclude=f"{tmp_path}/{spec}", max_length=4).equals(expected), spec
    pq.write_table(pa.table({"name": names}), tmp_path / "names.parquet")
    assert model.draw(30, exclude=tmp_path / "names.parquet", max_length=4).equals(expected)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, r"corpus\.unreadable"),
        (b"", r"wishes\.empty"),
        (b"\n \n", r"wishes\.empty"),
        (b"Jos\xe9\n", r"corpus\.encoding"),
        (b"%PDF-1.4", r"corpus\.format"),
        (b"\xcc\x81\n", r"wishes\.empty_word"),
    ],
)
def test_a_file_that_is_no_list_is_one_clear_error(content, code, made, tmp_path):
    if content is not None:
        (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(DataError, match=code):
        made(count=10, exclude_containing=str(tmp_path / "words.txt"))
    assert not (tmp_path / "list").exists()


def test_an_option_that_a_source_has_not_and_an_invalid_pattern_are_errors_at_once(made):
    with pytest.raises(ConfigError, match=r"config\.source"):
        made(count=10, exclude="words.txt,colum=2")
    with pytest.raises(ConfigError, match=r"config\.matching"):
        made(count=10, matching="a(")


def test_different_names_as_wished_come_in_small_rounds(made):
    names = names_of(made(count=40, unique=True, novel=True, matching="[A-Z].*a", max_length=5))
    assert len(set(names)) == 40
    assert all(re.fullmatch("[A-Z].*a", name) for name in names)
    few = {"count": 5_000, "unique": True, "like": "Ana", "within": 1}
    with pytest.raises(TrainingError, match=r"sampling\.too_few"):
        made("few", **few)
    names = names_of(made("few", fewer=True, **few))
    assert len(set(names)) == len(names) > 10


def test_a_list_that_would_take_too_long_is_refused_with_an_estimate_unless_that_is_allowed(
    made, tmp_path, monkeypatch
):
    monkeypatch.setattr(trial, "_SECONDS", 0.2)
    monkeypatch.setattr(trial, "_MORE_SECONDS", 0.3)
    rare = {"count": 1 << 34, "contains": "ann"}
    with pytest.raises(TrainingError, match=r"sampling\.too_rare") as caught:
        made(**rare)
    assert re.search(r"name.* as wished, so the list (takes about|may take) [\d,.]+ hours", caught.value.saw)
    assert "raise patience to" in caught.value.fix
    assert not (tmp_path / "list").exists()
    with pytest.raises(TrainingError, match=r"longer than 30 seconds"):
        made(patience=0.5, **rare)


@pytest.mark.parametrize("max_length", [3, 5], ids=["all in the tree", "beyond it"])
def test_an_estimate_is_near_what_it_estimates(max_length, learnt):
    """By the rarity, which does not depend on the machine's load."""
    model = open_model(store=learnt)
    options = {"max_length": max_length, "truncate": True}
    free = model.draw(20_000, **options).to_pylist()
    share = sum(name.endswith("a") for name in free) / len(free)
    config = SamplingConfig(suffix="a", **options)
    sampler = Sampler(model.models.select(None, ""), model.vocabulary, config)
    expected = trial.estimate(sampler, 1 << 20, 1)
    assert expected.is_found
    assert 1 / expected.rarity == pytest.approx(share, rel=0.4)


def test_durations_are_told_in_units_that_suit_them():
    told = {0.4: "0.4 seconds", 1: "1 second", 90: "1.5 minutes", 3600: "1 hour", 360_000: "100 hours"}
    assert {seconds: trial.duration(seconds) for seconds in told} == told
