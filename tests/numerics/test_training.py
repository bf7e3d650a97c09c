"""The default recipe: what it learns, where it stops, and that it can be interrupted anywhere."""

import importlib.resources
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts.keys import sha256
from rnn_core.errors import ConfigError, DataError, TrainingError
from rnn_core.metrics import scoring
from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.nn import network
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import Vocabulary
from rnn_core.train.config import SIZE_DEFAULTS, TrainingConfig
from rnn_core.train.loop import train
from rnn_core.train.state import TrainingState
from rnn_core.tree import leaves
from tasks import stages
from tasks.config.options import descriptions

VOCABULARY_SIZE = 12
NO_NAMES = EncodedNames.from_lists([])


def made_up_names(seed, count):
    """Words of a few syllables: something that can be learned."""
    rng = np.random.default_rng(seed)
    syllables = np.random.default_rng(0).integers(1, VOCABULARY_SIZE, (8, 2)).tolist()
    return EncodedNames.from_lists(
        [letter for syllable in rng.integers(0, 8, rng.integers(1, 5)) for letter in syllables[syllable]]
        for _ in range(count)
    )


def small(**changes):
    settings = {
        **{"cell": "elman", "layers": 1, "hidden_size": 12, "batch_size": 16, "epochs": 4, "patience": 4},
        **{"learning_rate": 2e-3, "dropout": 0.2, "recurrent_dropout": 0.2},
    }
    return TrainingConfig(**{**settings, **changes}).resolve(100)


TRAINING, VALIDATION = made_up_names(1, 100), made_up_names(2, 20)


def finished(config, training=TRAINING, validation=VALIDATION, state=None):
    *_, last = train(config, VOCABULARY_SIZE, training, validation, state)
    return last


def the_bytes(arrays):
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def test_training_learns():
    last = finished(small(hidden_size=32, epochs=20), training=made_up_names(1, 400))
    expected_of_chance = math.log(VOCABULARY_SIZE)
    assert last.best_validation_loss < 0.75 * expected_of_chance
    history = last.state.history_arrays
    assert history["training_loss"][-1] < history["training_loss"][0]


def test_seconds_of_training_on_the_bundled_names_predict_better_than_trigrams():
    corpora = importlib.resources.files("data") / "corpora"
    text = "".join(
        (corpora / name).read_text(encoding="utf-8") for name in ("argentine.txt", "dinosaurs.txt")
    )
    names = list(dict.fromkeys(text.splitlines()))
    vocabulary = Vocabulary.from_names(names)
    encoded = vocabulary.encode(names)
    order = np.random.default_rng(0).permutation(encoded.count)
    training, held_out = encoded.take(order[300:]), encoded.take(order[:300])
    config = TrainingConfig(hidden_size=96, epochs=8).resolve(training.count)
    *_, last = train(config, vocabulary.size, training, held_out)
    trigrams = KneserNey.fit(training, vocabulary.size, order=3).log_probabilities(held_out)
    assert last.best_validation_loss < mean_nats_per_character(trigrams, held_out)


def test_without_dropout_shared_prefixes_train_the_same_network_to_rounding():
    options = {"dropout": 0.0, "recurrent_dropout": 0.0, "dtype": "float64", "epochs": 2}
    packed, shared = (finished(small(**options, batches=kind)).state.vector for kind in ("packed", "shared"))
    np.testing.assert_allclose(shared, packed, rtol=1e-6, atol=1e-9)


def test_prefixes_are_shared_where_it_is_quicker_and_by_the_configuration_alone():
    assert not small(hidden_size=64, batch_size=32).shares_prefixes
    assert small(hidden_size=256, batch_size=512).shares_prefixes
    assert not small(hidden_size=128, batch_size=32).shares_prefixes
    assert small(hidden_size=128, batch_size=32, cell="gru").shares_prefixes
    assert not small(hidden_size=256, batch_size=512, batches="packed").shares_prefixes
    assert small(hidden_size=64, batch_size=32, batches="shared").shares_prefixes


@pytest.mark.parametrize("row", SIZE_DEFAULTS)
def test_options_left_out_are_chosen_by_the_number_of_names_and_the_optimizer(row):
    last = 10**9 if math.isinf(row.below) else int(row.below) - 1
    filled = TrainingConfig(dropout=0.0, seed=7, optimizer=row.optimizer).resolve(last)
    assert {**filled.size_dependent, "below": row.below} == {**row._asdict(), "dropout": 0.0}
    assert filled.seed == 7
    assert filled.resolve(1) == filled


@pytest.mark.parametrize(
    ("count", "optimizer"),
    [(10, "adamw"), (999, "adamw"), (2_999, "adamw"), (3_000, "muon"), (10_000, "muon"), (10**6, "muon")],
)
def test_the_optimizer_left_out_is_that_of_the_first_row_that_fits(count, optimizer):
    assert TrainingConfig().resolve(count) == TrainingConfig(optimizer=optimizer).resolve(count)


def test_an_elman_cell_is_trained_by_adamw_unless_muon_is_asked_for():
    for count in (10, 5_000, 50_000):
        left_out, adamw, muon = (
            TrainingConfig(cell="elman", optimizer=optimizer) for optimizer in (None, "adamw", "muon")
        )
        assert left_out.resolve(count) == adamw.resolve(count)
        assert left_out.defaults(count)["optimizer"] == muon.defaults(count)["optimizer"] == "adamw"
        assert muon.resolve(count).optimizer == "muon"


@pytest.mark.parametrize("optimizer", ["momentum", "sgd"])
def test_other_optimizers_have_the_numbers_of_adamw(optimizer):
    for count in (10, 5_000, 50_000):
        adamw, other = (TrainingConfig(optimizer=each).resolve(count) for each in ("adamw", optimizer))
        assert other.size_dependent == {**adamw.size_dependent, "optimizer": optimizer}


def test_an_option_at_its_default_is_part_of_no_key_and_another_optimizer_is():
    for optimizer in (None, "adamw", "muon"):
        defaults = TrainingConfig(optimizer=optimizer).defaults(5_000)
        assert defaults["optimizer"] == "muon"
        of_row = {name: value for name, value in defaults.items() if name != "optimizer"}
        resolved = TrainingConfig(optimizer=optimizer).resolve(5_000)
        assert TrainingConfig(optimizer=optimizer, **of_row).resolve(5_000) == resolved


def test_every_row_of_the_defaults_stands_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "quality.md").read_text(encoding="utf-8")
    for row in SIZE_DEFAULTS:
        numbers = (row.optimizer, row.cell, row.layers, row.hidden_size, row.batch_size, row.learning_rate)
        later = (row.weight_decay, row.dropout, row.recurrent_dropout, row.epochs, f"{row.max_steps:,}")
        assert " | ".join(map(str, (*numbers, *later))) in page
        assert math.isinf(row.below) or f"below {row.below:,}" in page


def test_every_row_of_the_defaults_stands_in_the_help():
    help_texts = descriptions(TrainingConfig)
    for row in SIZE_DEFAULTS:
        for name, value in row._asdict().items():
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            assert name == "below" or shown in help_texts[name].replace("`", "")


def test_other_defaults_are_another_version_of_the_stage():
    """The key of a model does not hold them."""
    rows = repr(SIZE_DEFAULTS)
    assert (stages.model.version, sha256(rows.encode())[:8]) == (5, "a990e59d")


def test_names_longer_than_any_seen_can_be_held_out():
    longer = EncodedNames.from_lists([[1, 2, 3] * 40])
    assert math.isfinite(finished(small(epochs=1), validation=longer).best_validation_loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_result_is_the_parameters_that_did_best_on_held_out_names(dtype):
    last = finished(small(dtype=dtype, epochs=8))
    history = last.state.history_arrays
    assert last.best_validation_loss == history["validation_loss"].min()
    scored = scoring.cross_entropy_per_character(last.state.parameters, VALIDATION)
    assert scored == pytest.approx(last.best_validation_loss, rel=1e-6)
    assert last.state.parameters.dtype == np.dtype(dtype)


RUNS = {
    "validated": (small(), VALIDATION),
    "in float64, without dropout": (
        small(dtype="float64", dropout=0.0, recurrent_dropout=0.0, batch_size=33),
        VALIDATION,
    ),
    "nothing held out": (small(epochs=3), NO_NAMES),
    "gru": (small(cell="gru", epochs=3), VALIDATION),
    "lstm": (small(cell="lstm", epochs=3, batches="shared"), VALIDATION),
    "with shared prefixes": (small(batches="shared"), VALIDATION),
    "two layers in three shards": (small(layers=2, shards=3, epochs=2), VALIDATION),
    "momentum": (
        small(optimizer="momentum", schedule="constant", clip_value=0.1, clip_norm=0.0),
        VALIDATION,
    ),
    "cut short by its number of steps": (small(max_steps=17), VALIDATION),
    "stopped early": (small(learning_rate=0.3, epochs=30, patience=1), VALIDATION),
    "names with weights": (small(), VALIDATION.with_weights(1 + np.arange(20.0))),
}
LEARNT = {"names with weights": TRAINING.with_weights(1 + np.arange(100.0) % 7)}
UNDISTURBED = {}


@pytest.mark.parametrize("run", RUNS)
@settings(max_examples=5, deadline=None)
@given(stops=st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_a_resumed_training_ends_with_the_same_bytes(run, stops):
    config, validation = RUNS[run]
    training = LEARNT.get(run, TRAINING)
    if run not in UNDISTURBED:
        UNDISTURBED[run] = finished(config, training, validation).state
    kept = None
    for stop in stops:
        state = TrainingState.from_arrays(config, VOCABULARY_SIZE, kept) if kept else None
        for count, progress in enumerate(train(config, VOCABULARY_SIZE, training, validation, state), 1):
            kept = progress.state.arrays()
            if count == stop:
                break
    for array in kept.values():
        array.setflags(write=False)  # as from a file that is mapped
    state = finished(
        config, training, validation, TrainingState.from_arrays(config, VOCABULARY_SIZE, kept)
    ).state
    assert the_bytes(state.arrays()) == the_bytes(UNDISTURBED[run].arrays())
    ours, theirs = (network.to_arrays(each.parameters) for each in (state, UNDISTURBED[run]))
    assert the_bytes(ours) == the_bytes(theirs)


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_with_equal_weights_the_bytes_are_those_without_any(weight):
    weighted = (names.with_weights(np.full(names.count, weight)) for names in (TRAINING, VALIDATION))
    ours, theirs = finished(small(), *weighted), finished(small())
    assert the_bytes(ours.state.arrays()) == the_bytes(theirs.state.arrays())


@pytest.mark.parametrize("batches", ["packed", "shared"])
@pytest.mark.parametrize("batch_size", [16, 3])
def test_without_dropout_shards_train_the_same_network_to_rounding(batches, batch_size):
    options = {"dropout": 0.0, "recurrent_dropout": 0.0, "dtype": "float64", "epochs": 2}
    options |= {"batches": batches, "batch_size": batch_size}
    one, four = (finished(small(**options, shards=shards)).state for shards in (1, 4))
    np.testing.assert_allclose(four.vector, one.vector, rtol=1e-6, atol=1e-9)
    for ours, theirs in zip(four.history, one.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("options", [{"optimizer": "sgd"}, {"optimizer": "momentum"}, {"layers": 2}])
def test_every_way_of_training_learns(options):
    rate = 2e-3 if "layers" in options else 0.3
    config = small(hidden_size=32, epochs=20, learning_rate=rate, **options)
    last = finished(config, training=made_up_names(1, 400))
    assert last.best_validation_loss < 0.8 * math.log(VOCABULARY_SIZE)


def test_the_arrays_of_a_state_do_not_change_while_training_goes_on():
    run = train(small(), VOCABULARY_SIZE, TRAINING, VALIDATION)
    kept = next(run).state.arrays()
    before = the_bytes(kept)
    for _ in run:
        pass
    assert the_bytes(kept) == before


def test_progress_counts_steps_and_epochs():
    steps = list(train(small(), VOCABULARY_SIZE, TRAINING, VALIDATION))
    assert [progress.step for progress in steps] == list(range(1, 29))
    assert {progress.steps_total for progress in steps} == {28}
    assert [progress.epoch for progress in steps] == [epoch for epoch in (1, 2, 3, 4) for _ in range(7)]
    validated = [not math.isnan(progress.validation_loss) for progress in steps]
    assert validated == [step % 7 == 0 for step in range(1, 29)]
    history = steps[-1].state.history_arrays
    assert history["step"].tolist() == [7, 14, 21, 28]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["learning_rate"].tolist() == [progress.learning_rate for progress in steps[6::7]]
    assert max(progress.learning_rate for progress in steps) == pytest.approx(small().learning_rate)
    assert 0 < steps[-1].learning_rate < 0.05 * small().learning_rate


def test_a_bound_on_the_steps_cuts_the_last_epoch_short_and_lets_the_learning_rate_fall_by_then():
    steps = list(train(small(max_steps=17), VOCABULARY_SIZE, TRAINING, VALIDATION))
    assert (steps[-1].step, steps[-1].steps_total, steps[-1].epoch, steps[-1].epochs) == (17, 17, 3, 3)
    assert steps[-1].state.history_arrays["step"].tolist() == [7, 14, 17]
    assert steps[-1].learning_rate < 0.05 * small().learning_rate
    assert not math.isnan(steps[-1].validation_loss)


def test_training_stops_when_held_out_names_are_predicted_no_better():
    last = finished(small(epochs=500, patience=3, learning_rate=0.03, dropout=0.0, recurrent_dropout=0.0))
    losses = last.state.history_arrays["validation_loss"]
    assert last.epoch == len(losses) < 500
    assert len(losses) - 1 - int(losses.argmin()) == 3


def test_with_nothing_held_out_every_epoch_is_trained_and_the_last_parameters_kept():
    last = finished(small(patience=1), validation=NO_NAMES)
    assert last.epoch == 4
    assert math.isnan(last.best_validation_loss)
    current = network.trim_vocabulary(last.state.current, VOCABULARY_SIZE)
    for ours, theirs in zip(leaves(last.state.parameters), leaves(current), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_a_finished_training_is_yielded_once_as_it_is():
    done = finished(small())
    before = the_bytes(done.state.arrays())
    again = list(train(small(), VOCABULARY_SIZE, TRAINING, VALIDATION, done.state))
    assert len(again) == 1
    assert again[0].step == done.step
    assert the_bytes(again[0].state.arrays()) == before


def test_another_seed_gives_another_network():
    first, second = (finished(small(seed=seed, epochs=1)).state.vector.tobytes() for seed in (1, 2))
    assert first != second


def test_one_name_of_one_character_is_enough_to_train_on():
    last = finished(small(epochs=2), training=EncodedNames.from_lists([[3]]), validation=NO_NAMES)
    assert last.step == 2


@pytest.mark.parametrize("wrong", [{"learning_rate": 1e30}, {"learning_rate": 1e38, "clip_norm": 1e30}])
def test_a_training_that_blows_up_stops_and_says_where_and_what_to_change(wrong):
    config = small(**wrong, warmup=0.0, weight_decay=0.0, epochs=20)
    last = None
    with pytest.raises(TrainingError) as caught:
        for last in train(config, VOCABULARY_SIZE, TRAINING, VALIDATION):  # noqa: B007
            pass
    assert "step" in caught.value.where
    assert "learning rate" in caught.value.where
    assert "learning_rate" in caught.value.fix
    if last is not None:
        assert all(np.isfinite(leaf).all() for leaf in leaves(last.state.parameters))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cell", "transformer"),
        ("hidden_size", 0),
        ("hidden_size", 12.0),
        ("batch_size", 0),
        ("batch_size", True),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", "fast"),
        ("warmup", 1.0),
        ("warmup", -0.1),
        ("epochs", 0),
        ("patience", 0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("recurrent_dropout", math.nan),
        ("weight_decay", -1e-3),
        ("clip_norm", -1.0),
        ("clip_value", math.nan),
        ("momentum", 1.0),
        ("optimizer", "adagrad"),
        ("schedule", "linear"),
        ("layers", 0),
        ("shards", 0),
        ("dtype", "float16"),
        ("batches", "padded"),
        ("seed", -1),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_value(option, value):
    with pytest.raises(ConfigError) as caught:
        TrainingConfig(**{option: value})
    assert repr(value) in str(caught.value)


def test_there_must_be_a_name_to_train_on():
    with pytest.raises(DataError):
        finished(small(), training=NO_NAMES)


@pytest.mark.parametrize("token", [-1, 0, VOCABULARY_SIZE])
def test_a_token_outside_of_the_vocabulary_is_refused(token):
    wrong = EncodedNames.from_lists([[1, token]])
    for training, validation in ((wrong, VALIDATION), (TRAINING, wrong)):
        with pytest.raises(DataError):
            finished(small(), training=training, validation=validation)


def damaged_checkpoints():
    def without(name):
        return lambda arrays: arrays.pop(name)

    def replaced(name, value):
        return lambda arrays: arrays.update({name: value})

    yield "a missing array", without("best_parameters")
    yield "an unknown array", replaced("moments", np.zeros(3))
    yield "a wrong shape", replaced("parameters", np.zeros(3, np.float32))
    yield "a wrong type", replaced("optimizer.0", np.zeros(3))
    yield "an uneven history", replaced("history.step", np.zeros(9, np.int64))
    yield "a number that is none", lambda arrays: arrays["parameters"].fill(np.nan)
    yield "an epoch that is none", replaced("epoch", np.array(-1))


@pytest.mark.parametrize("damage", [pytest.param(d, id=name) for name, d in damaged_checkpoints()])
def test_arrays_that_are_not_a_checkpoint_are_refused(damage):
    arrays = next(train(small(), VOCABULARY_SIZE, TRAINING, VALIDATION)).state.arrays()
    damage(arrays)
    with pytest.raises(DataError):
        TrainingState.from_arrays(small(), VOCABULARY_SIZE, arrays)


@pytest.mark.parametrize("count", [16, 200])
def test_a_checkpoint_of_a_list_of_another_length_is_refused(count):
    *_, last = zip(train(small(), VOCABULARY_SIZE, TRAINING, VALIDATION), range(10), strict=False)
    arrays = last[0].state.arrays()
    state = TrainingState.from_arrays(small(), VOCABULARY_SIZE, arrays)
    with pytest.raises(DataError):
        finished(small(), training=made_up_names(1, count), state=state)


def test_a_checkpoint_of_another_configuration_is_refused():
    arrays = next(train(small(), VOCABULARY_SIZE, TRAINING, VALIDATION)).state.arrays()
    for config, vocabulary_size in (
        (small(hidden_size=13), VOCABULARY_SIZE),
        (small(dtype="float64"), VOCABULARY_SIZE),
        (small(), VOCABULARY_SIZE + 1),
    ):
        with pytest.raises(DataError):
            TrainingState.from_arrays(config, vocabulary_size, arrays)
