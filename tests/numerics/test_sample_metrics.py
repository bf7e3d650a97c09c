"""What a sample is like, beside held-out names."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.metrics import sample_metrics
from rnn_core.metrics.novelty import new_mask, novelty, spelling_keys, uniqueness, words
from rnn_core.metrics.sample_metrics import (
    DISTANCE_NAMES,
    NameList,
    TrainingNames,
    compare_samples,
    halves,
    measure_sample,
)
from rnn_core.text.spelling import spelling_key
from rnn_core.text.vocabulary import Vocabulary

REAL = ["Ana Ruiz", "Ana Sosa", "Ema Ruiz", "Eva Paz", "Iris Sosa", "Noa Paz", "Luz Diaz", "Sol Rey"]
LETTERS = Vocabulary.from_names(REAL)


def encoded(written):
    return NameList(written, LETTERS.encode(written))


def beside(sample, held_out, training):
    """The figures by name, of the held-out names and of the sample."""
    found = compare_samples(
        {"rnn": encoded(sample)}, encoded(held_out), encoded(training), np.random.default_rng(0)
    )
    return [{figure.metric: figure for figure in found[model]} for model in ("held-out", "rnn")]


def test_a_sample_that_copies_differs_from_one_that_invents():
    held_out, copied = beside(REAL[:4], REAL[4:], REAL[:4])
    assert copied["novelty"].value == copied["word_novelty"].value == 0.0
    assert copied["edit_distance_to_training"].value == copied["edit_distance_ratio"].value == 0.0
    assert held_out["novelty"].value == 1.0
    assert held_out["edit_distance_to_training"].value > 0.0
    _, repeated = beside(["Ana Paz"] * 4, REAL[4:], REAL[:4])
    assert repeated["uniqueness"].value == 0.25
    assert repeated["novelty"].value == 1.0
    assert repeated["word_novelty"].value == 0.0
    assert repeated["edit_distance_to_training"].value == 2.0


def test_held_out_names_that_a_model_has_drawn_are_as_near_as_held_out_names_are():
    rng = np.random.default_rng(1)
    names = ["".join(rng.choice(list("aeinorsu"), rng.integers(3, 9))) for _ in range(900)]
    letters = Vocabulary.from_names(names)
    training, held_out, drawn = (
        NameList(some, letters.encode(some)) for some in (names[:300], names[300:600], names[600:])
    )
    found = compare_samples({"rnn": drawn}, held_out, training, rng)
    real, sample = ({figure.metric: figure.value for figure in found[of]} for of in ("held-out", "rnn"))
    assert sample["edit_distance_ratio"] == pytest.approx(1.0, abs=0.1)
    for metric in ("ngram_divergence_1", "ngram_divergence_2", "ngram_divergence_3"):
        assert sample[metric] == pytest.approx(real[metric], rel=0.5)


def test_every_metric_says_how_many_names_were_measured():
    held_out, sample = beside(["Ana Paz", "Sol"] * 400, REAL[:6], REAL[6:])
    assert sample["novelty"].names == 800
    assert sample["edit_distance_to_training"].names == sample["edit_distance_ratio"].names == DISTANCE_NAMES
    assert {sample[metric].names for metric in ("length_distance", "ngram_divergence_3")} == {3}
    assert {figure.names for figure in held_out.values()} == {3}


def test_without_held_out_names_the_sample_is_measured_alone():
    held_out, sample = beside(["Ana Paz", "Sol"], [], REAL)
    assert held_out == {}
    assert set(sample) == {"uniqueness", "novelty", "word_novelty", "edit_distance_to_training"}


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=20), st.integers(0, 99))
def test_halves_share_no_name_and_leave_none_out(names, seed):
    first, second = halves(names, np.random.default_rng(seed))
    assert sorted([*first, *second]) == list(range(len(names)))
    parts = [{names[row] for row in rows} for rows in (first, second)]
    assert not parts[0] & parts[1]
    assert abs(len(parts[0]) - len(parts[1])) <= 1


@given(st.lists(st.text()), st.lists(st.text()))
def test_a_name_is_new_if_it_is_no_spelling_of_a_known_name(names, training):
    expected = [all(spelling_key(name) != spelling_key(known) for known in training) for name in names]
    is_new = new_mask(names, spelling_keys(training))
    assert is_new.tolist() == expected
    differs_in_case_alone = [any(name.casefold() == known.casefold() for known in training) for name in names]
    assert not np.any(is_new & np.array(differs_in_case_alone, bool))


def test_a_name_in_capitals_is_nothing_new():
    assert novelty(["MADRID", "Straße", "Bern"], spelling_keys(["Madrid", "STRASSE"])) == pytest.approx(1 / 3)


def test_words_stand_between_white_space():
    assert words(["Ana  Ruiz", "", "La Paz"]) == ["Ana", "Ruiz", "La", "Paz"]


def test_shares_of_no_names_are_nan():
    assert math.isnan(uniqueness([]))
    assert math.isnan(novelty([], frozenset()))


def test_equal_training_names_are_searched_once():
    once, often = (TrainingNames.from_names(encoded(training)) for training in (REAL, [*REAL, *REAL]))
    assert often.nearest.names.count == once.nearest.names.count == len(set(REAL))


def test_fewer_distances_are_measured_where_the_training_names_are_too_long_for_many(monkeypatch):
    sample, learned = encoded(REAL * 40), TrainingNames.from_names(encoded(REAL))
    monkeypatch.setattr(sample_metrics, "MAX_DISTANCE_ELEMENTS", 7 * learned.nearest.elements)
    paused = []
    found = measure_sample(sample, encoded(REAL).encoded, learned, lambda: paused.append(1))
    (distance,) = (figure for figure in found if figure.metric == "edit_distance_to_training")
    assert distance.names == len(paused) == 7
