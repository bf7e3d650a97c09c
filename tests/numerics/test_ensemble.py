"""Ensembles: the average of their members, character by character, and each trained as if it were alone."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from rnn_core.arrays import Workspace
from rnn_core.errors import DataError
from rnn_core.metrics import scoring
from rnn_core.nn import ensemble, network
from rnn_core.nn.ensemble import Ensemble
from rnn_core.sample.model import network_model
from rnn_core.text.names import EncodedNames
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train
from rnn_core.train.members import EnsembleTraining
from rnn_core.tree import leaves

TOKENS = 4
VOCABULARY_SIZE = 12


def made_up_names(seed, count):
    rng = np.random.default_rng(seed)
    return EncodedNames.from_lists(rng.integers(1, VOCABULARY_SIZE, rng.integers(1, 9)) for _ in range(count))


TRAINING, VALIDATION = made_up_names(1, 100), made_up_names(2, 20)


def small(**changes):
    settings = {"cell": "gru", "layers": 2, "hidden_size": 12, "batch_size": 25, "epochs": 2, "shards": 3}
    settings |= {"learning_rate": 2e-3, "dropout": 0.2, "recurrent_dropout": 0.2}
    return TrainingConfig(**{**settings, **changes}).resolve(TRAINING.count)


def a_network(seed, dtype=np.float64, layers=2):
    rng = np.random.default_rng(seed)
    parameters = network.init(rng, "gru", TOKENS, 5, dtype, layers)
    return parameters._replace(W_hy=rng.standard_normal((5, TOKENS)).astype(dtype))


def an_ensemble(count=3, **options):
    return Ensemble(tuple(a_network(seed, **options) for seed in range(count)))


def all_names(longest):
    lengths = range(longest + 1)
    names = itertools.chain(*(itertools.product(range(1, TOKENS), repeat=length) for length in lengths))
    return EncodedNames.from_lists([list(name) for name in names])


@pytest.mark.parametrize(("dtype", "precision"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_an_ensemble_is_the_average_of_its_members_character_by_character(dtype, precision):
    networks, names = an_ensemble(dtype=dtype), all_names(4)
    each = [scoring.character_log_probabilities(member, names) for member in networks.members]
    average = np.log(np.mean(np.exp(each), axis=0))
    of_characters = scoring.character_log_probabilities(networks, names)
    np.testing.assert_allclose(of_characters, average, rtol=precision)
    of_names = scoring.log_probabilities(networks, names)
    np.testing.assert_allclose(of_names, scoring.sum_per_name(average, names), rtol=precision)


def test_what_is_drawn_from_an_ensemble_has_the_probabilities_that_scoring_says():
    networks, names = an_ensemble(), all_names(3)
    model, workspace = network_model(networks), Workspace(np.float64)
    scores = scoring.log_probabilities(networks, names)
    for number in range(names.count):
        tokens = names.tokens[names.offsets[number] : names.offsets[number + 1]]
        state, log_p = model.initial_state(1), 0.0
        for read, follows in itertools.pairwise([0, *tokens.tolist(), 0]):
            logits = model.step(np.array([read]), state, workspace)[:, 0]
            log_p += logits[follows] - np.log(np.exp(logits).sum())
        assert log_p == pytest.approx(scores[number], abs=1e-10)


def test_the_model_in_double_precision_is_that_of_the_same_ensemble():
    single = network_model(an_ensemble(dtype=np.float32))
    doubled = single.double
    assert (single.dtype, doubled.dtype, doubled.double) == (np.float32, np.float64, None)
    logits = []
    for model in (single, doubled):
        logits.append(model.step(np.array([0, 2]), model.initial_state(2), Workspace(model.dtype)).copy())
    np.testing.assert_allclose(*logits, atol=1e-5)


def test_an_ensemble_of_equal_members_predicts_as_one_of_them():
    names, member = all_names(3), a_network(7)
    alone, both = (scoring.log_probabilities(each, names) for each in (member, Ensemble((member, member))))
    np.testing.assert_allclose(both, alone, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_ensemble_comes_back_from_its_arrays_and_one_network_has_the_arrays_it_always_had(count, dtype):
    networks = ensemble.join(an_ensemble(count, dtype=dtype).members)
    arrays = ensemble.to_arrays(networks)
    back = ensemble.from_arrays(arrays)
    assert type(back) is type(networks)
    assert len(ensemble.members_of(back)) == count
    for ours, theirs in zip(leaves(back), leaves(networks), strict=True):
        assert (ours.tobytes(), ours.dtype) == (theirs.tobytes(), theirs.dtype)
    if count == 1:
        assert set(arrays) == set(network.to_arrays(networks))


DAMAGES = {
    "a gap": lambda arrays: [arrays.pop(name) for name in list(arrays) if name.startswith("member.1.")],
    "no first": lambda arrays: [arrays.pop(name) for name in list(arrays) if name[:6] != "member"],
    "a number that is none": lambda arrays: arrays.update({"member.x.W_hy": arrays["W_hy"]}),
    "a zero": lambda arrays: arrays.update({"member.0.W_hy": arrays["W_hy"]}),
    "a number spelled otherwise": lambda arrays: arrays.update({"member.01.W_hy": arrays["W_hy"]}),
    "too high a number": lambda arrays: arrays.update({"member.999999999.W_hy": arrays["W_hy"]}),
    "an array is missing": lambda arrays: arrays.pop("member.2.W_hy"),
    "one too many": lambda arrays: arrays.update({"member.1.extra": arrays["W_hy"]}),
    "another shape": lambda arrays: arrays.update({"member.1.b_y": np.zeros(TOKENS + 1)}),
    "another type": lambda arrays: arrays.update({"member.2.b_y": np.zeros(TOKENS, np.float32)}),
    "not finite": lambda arrays: arrays.update({"member.2.b_y": np.full(TOKENS, np.nan)}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_arrays_that_are_not_an_ensemble_are_refused(damage):
    arrays = ensemble.to_arrays(an_ensemble())
    damage(arrays)
    with pytest.raises(DataError) as caught:
        ensemble.from_arrays(arrays)
    assert caught.value.code == "model.arrays"
    assert caught.value.saw


def training_of(config):
    return EnsembleTraining(config, VOCABULARY_SIZE)


def the_bytes(state):
    return {name: array.tobytes() for name, array in state.arrays().items()}


def trained(config, members=None, processes=1, stop=None):
    """The members, and the progress of every step."""
    members = members or training_of(config).start()
    run = training_of(config).run(TRAINING, VALIDATION, members, processes)
    progress = list(itertools.islice(run, stop))
    run.close()
    return members, progress


@pytest.mark.parametrize(
    ("processes", "beside"),
    [(1, [(1,), (2,), (3,)]), (2, [(1, 2), (3,)]), (4, [(1, 2, 3)])],
    ids=["one process", "more members than processes", "more processes than members"],
)
def test_every_member_is_what_its_own_training_gives_however_many_are_trained_beside_each_other(
    processes, beside
):
    config = small(members=3, seed=5, optimizer="muon")
    members, progress = trained(config, processes=processes)
    assert list(dict.fromkeys(now.numbers for now in progress)) == beside
    assert [now.step for now in progress] == sorted({now.step for now in progress})
    assert (progress[-1].step, progress[-1].steps_total, progress[-1].epoch) == (24, 24, 2)
    configs = training_of(config).member_configs
    for own, state in zip(configs, members.states, strict=True):
        *_, alone = train(own, VOCABULARY_SIZE, TRAINING, VALIDATION)
        assert the_bytes(state) == the_bytes(alone.state)
    assert configs[0] == small(seed=5, optimizer="muon")
    assert len({own.seed for own in configs}) == 3
    vectors = [state.vector for state in members.states]
    assert not any((left == right).all() for left, right in itertools.combinations(vectors, 2))


def test_a_member_that_validation_stops_does_not_stop_the_others():
    config = small(members=3, patience=1)

    def with_a_first_that_cannot_improve(processes):
        members = training_of(config).start()
        members.states[0].best_validation_loss = 0.0
        return trained(config, members, processes)[0]

    one_after_another, beside_each_other = map(with_a_first_that_cannot_improve, (1, 2))
    assert [state.epoch for state in beside_each_other.states] == [1, 2, 2]
    assert the_bytes(beside_each_other) == the_bytes(one_after_another)


def test_an_ensemble_predicts_held_out_names_better_than_its_members_do_on_average():
    members, _ = trained(small(members=2, epochs=4))
    losses = [
        scoring.cross_entropy_per_character(networks, VALIDATION)
        for networks in (members.networks, *members.networks.members)
    ]
    assert losses[0] < np.mean(losses[1:])


@pytest.mark.parametrize(
    ("before", "stop", "after"),
    [(1, 1, 2), (1, 8, 2), (1, 13, 2), (2, 3, 1)],
    ids=["first begun", "first finished", "second begun", "beside each other"],
)
def test_a_training_of_members_goes_on_from_any_step_with_any_number_of_processes(before, stop, after):
    config = small(members=2, epochs=2)
    whole, _ = trained(config)
    assert (whole.steps, whole.epochs) == (16, 2)
    half, _ = trained(config, processes=before, stop=stop)
    arrays = half.arrays()
    training_of(config).check_layout(arrays)
    resumed, _ = trained(config, training_of(config).from_arrays(arrays), processes=after)
    assert the_bytes(resumed) == the_bytes(whole)


def test_the_history_of_members_is_their_mean_as_far_as_each_went():
    members, _ = trained(small(members=2, epochs=3))
    first, second = (state.history_arrays for state in members.states)
    del members.states[1].history[2:]
    together = members.history_arrays
    assert together["epoch"].tolist() == [1, 2, 3]
    for name in ("training_loss", "validation_loss"):
        expected = [*(first[name][:2] + second[name][:2]) / 2, first[name][2]]
        np.testing.assert_allclose(together[name], expected, rtol=1e-12)


@pytest.mark.parametrize("members", [1, 3])
def test_a_checkpoint_of_another_number_of_members_is_refused(members):
    config = small(members=2)
    arrays = training_of(config).start().arrays()
    other = training_of(replace(config, members=members))
    for read in (other.check_layout, other.from_arrays):
        with pytest.raises(DataError) as caught:
            read(arrays)
        assert caught.value.code == "training.checkpoint"


def test_a_checkpoint_of_one_member_is_that_of_a_network():
    config = small()
    members, progress = trained(config, stop=3)
    assert set(members.arrays()) == set(members.states[0].arrays())
    assert [now.numbers for now in progress] == [(1,), (1,), (1,)]
