"""A trained model, found and opened, without a pipeline around it."""

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_runs import CORPORA
from threadpoolctl import threadpool_info, threadpool_limits

from artifacts import formats
from artifacts.manifest import Manifest
from artifacts.store import Store
from data.text.strings import to_strings
from flows import hints
from flows.pipeline import pipeline
from rnn_core.errors import ConfigError, DataError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.sample.sampler import SamplingConfig, sample
from rnn_core.text.vocabulary import UnknownCharacter
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.promotion import PromotionConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings
from tasks.config.sources import Source
from tasks.engines.plain import stage_runner
from tasks.models.champion import promote_by_hand
from tasks.models.load import find_model, load_model, open_model
from tasks.process import blas

NAMES = (CORPORA / "argentine.txt").read_text().splitlines()[:200]
KNOBS = {"count": 60, "seed": 5, "temperature": 0.8}


def run_pipeline(store, names, **changes):
    path = store.parent / "names.txt"
    path.write_text("\n".join(names) + "\n")
    config = RetrainConfig(
        sources=(Source("names", str(path)),),
        training=TrainingConfig(hidden_size=8, epochs=2),
        evaluation=EvaluationConfig(sample_names=0),
        **changes,
    )
    with stage_runner(Settings(store=store), lambda _event: None) as run:
        pipeline(config, run)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with one model and two lists of names: what the network made, and what the mixture made."""
    store = tmp_path_factory.mktemp("trained") / "store"
    for drawn_from in ("network", "mixture"):
        run_pipeline(store, NAMES, sampling=SamplingConfig(**KNOBS, drawn_from=drawn_from))
    return store


@pytest.fixture
def store(trained, tmp_path):
    """The same, for tests that change something."""
    return shutil.copytree(trained, tmp_path / "store")


def folder_of(store, stage):
    (folder,) = (store / stage).iterdir()
    return folder


def names_made(store, drawn_from):
    """The table that the stage `names` left."""
    for folder in (store / "names").iterdir():
        made = Manifest.from_json((folder / "manifest.json").read_bytes())
        if made.recipe.config["drawn_from"] == drawn_from:
            return pq.read_table(folder / "names.parquet")
    raise AssertionError(drawn_from)


def refused(code, *saying):
    def told(error):
        shown = hints.message(error, "generate")
        return error.code == code and error.exit_code == 3 and all(text in shown for text in saying)

    return pytest.raises(DataError, check=told)


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def another_mixture(store):
    """Of the same network, with n-grams of another order; it was not promoted."""
    before = set((store / "mixture").iterdir())
    run_pipeline(
        store,
        NAMES,
        ngrams=NgramConfig(order=2),
        sampling=SamplingConfig(count=1),
        promotion=PromotionConfig(mode="manual"),
    )
    (folder,) = set((store / "mixture").iterdir()) - before
    return folder


@pytest.mark.parametrize("drawn_from", ["network", "mixture"])
def test_the_champion_draws_the_names_that_the_pipeline_drew_and_finds_them_as_probable(trained, drawn_from):
    model = open_model(store=trained)
    names = model.draw(**KNOBS, drawn_from=drawn_from)
    table = names_made(trained, drawn_from)
    assert isinstance(names, pa.StringArray)
    assert names.to_pylist() == table["name"].to_pylist()
    scored = model.log_probabilities(names, drawn_from)
    assert scored.dtype == np.float64
    assert scored == pytest.approx(table["log_probability"].to_numpy(), abs=1e-3)
    assert (model.log_probabilities(names.to_pylist(), drawn_from) == scored).all()


def test_by_default_the_mixture_draws_and_scores_and_of_an_older_model_the_network(trained, tmp_path):
    model = open_model(store=trained)
    assert model.draw(**KNOBS) == model.draw(**KNOBS, drawn_from="mixture")
    assert (model.log_probabilities(["Ana"]) == model.log_probabilities(["Ana"], "mixture")).all()
    arrays = formats.read_arrays(folder_of(trained, "mixture") / "model.npz")
    linear = {name: array for name, array in arrays.items() if not name.startswith("mixture.")}
    linear["mixture.weight"] = np.array(0.5)
    formats.write_arrays(tmp_path / "model.npz", linear)
    older = open_model(tmp_path / "model.npz")
    names = older.draw(**KNOBS, drawn_from="network")
    assert older.draw(**KNOBS) == names
    assert older.draw(**KNOBS, drawn_from="mixture") != names
    assert (older.log_probabilities(["Ana"]) == older.log_probabilities(["Ana"], "network")).all()


def test_a_path_a_key_and_its_first_digits_name_one_model(trained, tmp_path):
    folder = folder_of(trained, "mixture")
    champion = find_model("champion", trained)
    link = tmp_path / "best.npz"
    link.symlink_to(folder / "model.npz")
    named = (folder.name, folder.name[:6], folder.name[:9].upper(), f"mixture/{folder.name[:7]}")
    for file in [find_model(name, trained) for name in named] + [
        find_model(path, tmp_path / "elsewhere") for path in (folder / "model.npz", str(link))
    ]:
        assert (file.origin, file.digest) == (f"mixture/{folder.name}", champion.digest)
        assert file.training == champion.training
    assert champion.training.folder.samefile(folder_of(trained, "validated"))
    assert champion.training.table("names.parquet", ["name", "source"]).num_rows == 200


def test_the_network_before_its_mixture_is_a_model_too_but_draws_from_no_mixture(trained):
    alone = open_model(f"model/{folder_of(trained, 'model').name}", trained)
    assert alone.draw(**KNOBS) == open_model(store=trained).draw(**KNOBS, drawn_from="network")
    assert find_model(folder_of(trained, "model") / "model.npz", trained).training
    with refused("mixture.not_there"):
        alone.draw(**KNOBS, drawn_from="mixture")
    with refused("mixture.not_there"):
        alone.log_probabilities(["Ana"], "mixture")


def test_a_copy_of_the_file_alone_draws_the_same_names_and_knows_of_no_training_list(trained, tmp_path):
    copy = shutil.copy(folder_of(trained, "mixture") / "model.npz", tmp_path / "mine.npz")
    file = find_model(copy, tmp_path / "no store")
    assert (file.origin, file.training) == (str(copy), None)
    assert load_model(file).draw(**KNOBS) == open_model(store=trained).draw(**KNOBS)
    assert open_model(copy).draw(**KNOBS, drawn_from="mixture").to_pylist() == (
        names_made(trained, "mixture")["name"].to_pylist()
    )


def test_the_store_is_the_one_of_the_current_folder_or_of_the_environment(trained, tmp_path, monkeypatch):
    monkeypatch.delenv("NAMEWRIGHT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    with refused("model.none", "artifacts/store", "namewright run", "--store", "--model"):
        open_model()
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "store").symlink_to(trained)
    here = open_model()
    assert here.draw(5) == open_model(store=str(trained)).draw(5)
    assert here.origin == f"mixture/{folder_of(trained, 'mixture').name}"
    monkeypatch.chdir("/")
    monkeypatch.setenv("NAMEWRIGHT_STORE", str(trained))
    assert open_model().origin == here.origin


def test_the_champion_is_the_model_that_was_promoted_and_not_the_one_made_last(store):
    first = folder_of(store, "mixture")
    second = another_mixture(store)
    assert find_model("champion", store).artifact.folder == first
    promote_by_hand(Store(store), find_model(second.name, store).artifact, {}, on_wait=lambda: None)
    assert find_model("champion", store).artifact.folder == second


def test_where_no_model_was_promoted_it_is_told_how_and_which_there_are(store):
    shutil.rmtree(store / "registry")
    with refused("champion.none", "namewright models promote", "--model", folder_of(store, "mixture").name):
        open_model(store=store)


def test_a_champion_that_is_gone_or_has_other_content_by_now_is_refused_with_what_to_do(store):
    manifest = folder_of(store, "mixture") / "manifest.json"
    made = Manifest.from_json(manifest.read_bytes())
    other = replace(
        made, files={"model.npz": made.files["model.npz"], "another.npz": made.files["model.npz"]}
    )
    shutil.copy(manifest.parent / "model.npz", manifest.parent / "another.npz")
    manifest.write_bytes(other.to_json())
    with refused("champion.damaged", "its content has changed", "namewright models rollback"):
        open_model(store=store)
    shutil.rmtree(manifest.parent)
    with refused("champion.missing", str(manifest.parent), "namewright models rollback"):
        open_model(store=store)


def test_a_model_is_one_input_of_a_stage_whatever_it_was_named_by(trained, tmp_path):
    copy = shutil.copy(folder_of(trained, "mixture") / "model.npz", tmp_path / "mine.npz")
    keys = {
        stages.names.recipe(SamplingConfig(), {"model": file}).key
        for file in (
            find_model("champion", trained),
            find_model(copy, trained),
            find_model(str(copy), trained),
        )
    }
    assert len(keys) == 1
    file = find_model("champion", trained)
    assert file.digest
    again = pickle.loads(pickle.dumps(file))  # as to a worker elsewhere
    assert (again, again.training) == (file, file.training)


def test_any_number_of_threads_draws_the_same_names(trained):
    model = open_model(store=trained)
    one, two = (model.draw(70_000, max_length=6, threads=threads) for threads in (1, 2))
    assert one == two
    assert one[:100] == model.draw(100, max_length=6)


def test_the_probabilities_of_all_short_names_are_the_share_of_them_that_is_drawn(trained):
    model = open_model(store=trained)
    letters = model.vocabulary.characters[1:]
    short = ["", *letters, *(a + b for a in letters for b in letters)]
    for drawn_from in ("network", "mixture"):
        expected = np.exp(model.log_probabilities(short, drawn_from)[1:]).sum()
        empty = np.exp(model.log_probabilities([""], drawn_from)).sum()
        # All lengths count, and names that break a rule of the list too: these are the model's own shares.
        config = SamplingConfig(count=20_000, trimmed=False, truncate=True)
        drawn = sample(model.models.select(drawn_from), model.vocabulary, config)
        names = to_strings(drawn.names, model.vocabulary)
        share = np.mean(pc.utf8_length(names).to_numpy() <= 2)  # no drawn name is empty
        assert share == pytest.approx(expected / (1 - empty), abs=4 * np.sqrt(0.25 / 20_000))


def test_no_names_and_no_probabilities_of_none(trained):
    model = open_model(store=trained)
    assert model.draw(0).to_pylist() == []
    assert model.log_probabilities([]).shape == (0,)
    assert model.log_probabilities([], "mixture").shape == (0,)
    assert model.log_probabilities(pa.chunked_array([], pa.string())).shape == (0,)


def test_a_name_with_a_character_that_the_model_never_saw_is_refused(trained):
    with pytest.raises(UnknownCharacter) as caught:
        open_model(store=trained).log_probabilities(["Ana", "Bea☃"])
    assert (caught.value.name, caught.value.character) == ("Bea☃", "☃")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "names",
    ["Ana", ["Ana", None], pa.array(["Ana", None]), [1]],
    ids=["a text", "a null", "an Arrow null", "a number"],
)
def test_what_is_no_list_of_names_is_refused(trained, names):
    with pytest.raises(TypeError, match="list of names"):
        open_model(store=trained).log_probabilities(names)


@pytest.mark.parametrize("knobs", [{"top_k": 0}, {"count": -1}, {"threads": 0}, {"prefix": "☃"}], ids=repr)
def test_a_knob_out_of_range_is_refused(trained, knobs):
    with pytest.raises(ConfigError):
        open_model(store=trained).draw(**knobs)


def test_a_list_too_short_for_validation_names_leaves_a_model_without_a_mixture(tmp_path):
    run_pipeline(tmp_path / "store", ["Bern", "Basel", "Biel"], sampling=SamplingConfig(count=1))
    model = open_model(store=tmp_path / "store")
    assert len(model.draw(7)) == 7
    with refused("mixture.no_validation"):
        model.draw(7, drawn_from="mixture")


def test_a_key_that_there_is_not_is_told_with_what_there_is_and_when_it_was_made(trained, tmp_path):
    there = [f"{stage}/{folder_of(trained, stage).name}, made 2" for stage in ("mixture", "model")]
    for named in ("abcdef" * 5, "12345", "mixtrue", "", "mixture/000000", "a" * 5_000):
        with refused("model.unknown", str(trained), *there):
            find_model(named, trained)
    with refused("model.unknown", "the store holds none"):
        find_model("abcdef", tmp_path / "nowhere")


def test_a_beginning_of_two_keys_is_refused_and_the_stage_tells_them_apart(store):
    folder = folder_of(store, "mixture")
    shutil.copytree(folder, store / "model" / (folder.name[:8] + "f" * 24))
    with refused("model.ambiguous", f"mixture/{folder.name}, made 2", f"model/{folder.name[:8]}ffff"):
        find_model(folder.name[:8], store)
    assert find_model(f"mixture/{folder.name[:8]}", store).artifact.folder == folder
    assert find_model(folder.name, store).artifact.folder == folder


@pytest.mark.parametrize("file", ["model.npz", "manifest.json"])
def test_a_damaged_artifact_is_refused_however_it_was_named(store, file):
    folder = folder_of(store, "mixture")
    damage(folder / file)
    for named, code in (("champion", "champion"), (folder.name, "model"), (folder / "model.npz", "model")):
        with refused(f"{code}.damaged", str(folder), file):
            find_model(named, store)


def test_a_damaged_training_list_is_an_error_where_its_rules_are_needed_and_a_removed_one_is_unknown(store):
    validated = folder_of(store, "validated")
    damage(validated / "names.parquet")
    file = find_model("champion", store)
    assert load_model(file).log_probabilities(["Ana"]) < 0
    for needs_it in (lambda: load_model(file).draw(3), lambda: file.training):
        with refused("model.damaged", str(validated), "names.parquet"):
            needs_it()
    shutil.rmtree(validated)
    file = find_model("champion", store)
    assert file.training is None
    assert len(load_model(file).draw(3)) == 3


def arrays_of(store, stage="mixture"):
    return formats.read_arrays(folder_of(store, stage) / "model.npz")


def without_characters(arrays, path):
    del arrays["characters"]
    formats.write_arrays(path, arrays)


def with_characters(changed):
    return lambda arrays, path: formats.write_arrays(
        path, {**arrays, "characters": changed(arrays["characters"])}
    )


BROKEN = {
    "an empty file": lambda _, path: path.write_bytes(b""),
    "a text": lambda _, path: path.write_text("Ana\nBea\n"),
    "a folder": lambda _, path: path.mkdir(),
    "a FIFO": lambda _, path: os.mkfifo(path),
    "half a file": lambda arrays, path: path.write_bytes(formats.arrays_as_bytes(arrays)[:-2000]),
    "pickled objects": lambda arrays, path: np.savez(path, **{**arrays, "b_y": np.array([{}], dtype=object)}),
    "a pickle": lambda arrays, path: path.write_bytes(pickle.dumps(arrays)),
    "one array": lambda arrays, path: np.save(path.open("wb"), arrays["b_y"]),
    "somebody else's arrays": lambda _, path: np.savez(path, weights=np.zeros(3)),
    "an empty npz": lambda _, path: np.savez(path),
    "a zip of texts": lambda _, path: zipfile.ZipFile(path, "w").writestr("W_hy", "Ana"),
    "the n-grams half": lambda arrays, path: formats.write_arrays(
        path, {name: array for name, array in arrays.items() if name != "ngrams.2.codes"}
    ),
    "a weight and no n-grams": lambda arrays, path: formats.write_arrays(
        path, {name: array for name, array in arrays.items() if not name.startswith("ngrams.")}
    ),
    "no characters": without_characters,
    "characters as strings": with_characters(lambda points: points.astype(str)),
    "a character too few": with_characters(lambda points: points[:-1]),
    "characters in disorder": with_characters(lambda points: points[::-1]),
    "a surrogate": with_characters(lambda points: np.append(points[:-1], np.uint32(0xD800))),
    "no code point": with_characters(lambda points: np.append(points[:-1], np.uint32(0x110000))),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_whole_model_is_refused_with_its_path(trained, tmp_path, kind):
    path = tmp_path / "broken.npz"
    BROKEN[kind](arrays_of(trained), path)
    with refused("model.unreadable", str(path)):
        open_model(path)


@pytest.mark.parametrize(
    "named", ["no/such/file", "missing.npz", "./champion", "~nobody-here/a.npz", "a\0.npz"]
)
def test_a_file_that_is_not_there_is_refused(trained, tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    with refused("model.unreadable", "could not be read"):
        find_model(named, trained)


def test_a_file_that_changes_after_its_digest_was_taken_is_refused(trained, tmp_path):
    copy = shutil.copy(folder_of(trained, "mixture") / "model.npz", tmp_path / "mine.npz")
    file = find_model(copy, trained)
    shutil.copy(folder_of(trained, "model") / "model.npz", copy)
    with refused("model.unreadable", "changed"):
        load_model(file)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), end=st.floats(0, 1))
def test_a_damaged_copy_is_refused_or_draws_the_same_names(trained, tmp_path, place, bit, end):
    whole = (folder_of(trained, "mixture") / "model.npz").read_bytes()
    flipped = bytearray(whole)
    flipped[int(place * len(whole))] ^= 1 << bit
    for content in (bytes(flipped), whole[: int(end * len(whole))]):
        (tmp_path / "mine.npz").write_bytes(content)
        with contextlib.suppress(DataError):
            assert open_model(tmp_path / "mine.npz").draw(3) == open_model(store=trained).draw(3)


def test_who_draws_keeps_the_threads_of_his_own_products(trained):
    script = f"""
        from threadpoolctl import threadpool_info, threadpool_limits
        from tasks.models import open_model
        threadpool_limits(2, user_api="blas")
        model = open_model(store={str(trained)!r})
        model.log_probabilities(model.draw(5))
        assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"] == [2]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


def test_the_limit_of_threads_is_lifted_when_the_last_one_leaves_it():
    limit = blas._OneThread()
    with threadpool_limits(2, user_api="blas"):
        with limit:
            with limit:
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
