"""Names that network and n-grams make together."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from artifacts.formats import read_arrays
from artifacts.model_file import model_contents
from rnn_core.sample.sampler import SamplingConfig, sample
from rnn_core.text.vocabulary import Vocabulary


@pytest.fixture
def made(namewright, quick, tmp_path):
    """Runs the small pipeline; the folders that a stage left, in the order in which they were made."""

    def run(stage, *arguments):
        outcome = namewright("run", "--engine", "plain", *quick, *arguments)
        assert outcome.returncode == 0, outcome.stderr
        return sorted((tmp_path / "store" / stage).iterdir(), key=lambda folder: folder.stat().st_mtime_ns)

    return run


def names_in(folder):
    return pq.read_table(folder / "names.parquet")["name"].to_pylist()


def drawn_from(folder):
    return json.loads((folder / "manifest.json").read_text())["facts"]["drawn_from"]


def test_the_mixture_draws_names_of_its_own_and_its_file_is_all_that_they_need(made, tmp_path):
    (of_mixture,) = made("names")  # by default
    _, of_network = made("names", "--sampling.drawn-from", "network")
    _, _, chosen = made("names", "--sampling.drawn-from", "mixture")
    assert names_in(of_mixture) == names_in(chosen) != names_in(of_network)
    assert [drawn_from(folder) for folder in (of_mixture, of_network, chosen)] == [
        *("mixture", "network", "mixture")
    ]

    (folder,) = (tmp_path / "store" / "mixture").iterdir()  # the same for both
    arrays = read_arrays(folder / "model.npz")
    characters = [chr(point) for point in arrays["characters"]]
    contents = model_contents(arrays)
    model, rule = contents.select("mixture"), contents.mixture.rule
    drawn, _ = sample(model, Vocabulary(tuple(characters)), SamplingConfig(count=25))
    names = [
        "".join(characters[token] for token in name) for name in np.split(drawn.tokens, drawn.offsets[1:-1])
    ]
    assert names == names_in(of_mixture)

    card = json.loads((folder / "manifest.json").read_text())["facts"]["model_card"]
    assert card["character_exponents"] == pytest.approx(rule.characters, abs=1e-4)
    assert card["end_exponents"] == pytest.approx(rule.ends, abs=1e-4)
    assert card["ngrams"] == contents.ngrams.counts
    assert len(card["ngrams"]) == card["order"] == 8


@pytest.mark.usefixtures("stored")
def test_another_order_of_the_ngrams_trains_no_network(plain):
    again = plain("--ngrams.order", "3")
    assert again["model 8 units"] == "cached"
    assert again["mixture"] == "computed"


@pytest.mark.parametrize(
    "knobs", [("--recipe", "notebook"), ("--examples.validation-share", "0")], ids=lambda knobs: knobs[0]
)
def test_a_mixture_without_validation_names_is_refused_before_anything_is_made(namewright, tmp_path, knobs):
    outcome = namewright(
        "run", "--engine", "plain", "--sampling.drawn-from", "mixture", *knobs, "--store", "store"
    )
    assert outcome.returncode == 2
    assert "error[config.mixture]" in outcome.stderr
    assert not (tmp_path / "store").exists()


def test_a_list_too_short_for_validation_names_has_no_mixture_but_a_network(namewright, tmp_path):
    (tmp_path / "towns.txt").write_text("Bern\nBasel\nBiel\n")
    run = ("run", "--engine", "plain", "--source", "towns=towns.txt", "--store", "store")
    run = (*run, "--training.hidden-size", "4", "--training.epochs", "1", "--sampling.count", "5")
    first = namewright(*run)
    assert first.returncode == 0, first.stderr
    assert "trained today; names drawn from its network\n" in first.stdout
    (folder,) = (tmp_path / "store" / "mixture").iterdir()
    assert "mixture.exponents" not in read_arrays(folder / "model.npz")
    (of_network,) = (tmp_path / "store" / "names").iterdir()
    assert drawn_from(of_network) == "network"  # all that there is
    outcome = namewright(*run, "--sampling.drawn-from", "mixture")
    assert outcome.returncode == 3
    assert "error[mixture.no_validation]" in outcome.stderr


def test_the_notebooks_network_has_ngrams_beside_it_and_no_exponents(namewright, lists, tmp_path):
    run = ("run", "--engine", "plain", "--source", f"names={lists[0]}", "--store", "store")
    assert namewright(*run, "--recipe", "notebook", "--notebook.iterations", "3").returncode == 0
    (folder,) = (tmp_path / "store" / "mixture").iterdir()
    arrays = read_arrays(folder / "model.npz")
    assert "ngrams.8.codes" in arrays
    assert "mixture.exponents" not in arrays
