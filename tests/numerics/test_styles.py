"""Names with styles in the network: each begins with the start token of its style."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import alphabetical_ranks, longest_first, shuffled_batches, sort_by_key
from rnn_core.errors import DataError
from rnn_core.metrics import scoring
from rnn_core.nn import cells, network
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import MOST_STYLES
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.train.config import TrainingConfig
from rnn_core.train.loop import train
from rnn_core.train.state import TrainingState
from rnn_core.tree import leaves, tree_map

V, S = 9, 3
SEEDS = st.integers(0, 2**32 - 1)
every_kind = pytest.mark.parametrize("kind", ["packed", "shared"])
every_cell = pytest.mark.parametrize("cell", sorted(cells.CELLS))


def some_names(rng, lengths, vocabulary_size=V):
    names = EncodedNames.from_lists(rng.integers(1, vocabulary_size, length) for length in lengths)
    return names.with_styles(rng.integers(0, S, len(lengths)), vocabulary_size)


def random_network(rng, cell, layers=1, vocabulary_size=V):
    untrained = network.init(rng, cell, vocabulary_size, 6, np.float64, layers, S)
    return tree_map(lambda leaf: leaf + 0.5 * rng.standard_normal(leaf.shape), untrained)


def one_batch(names, kind):
    stream, every_name = BatchStream.from_names(names), np.arange(names.count)
    if kind == "shared":
        return next(stream.shared_batches([sort_by_key(alphabetical_ranks(names), every_name)]))
    return next(stream.packed_batches([longest_first(stream.rows, every_name)]))


def of_one_style(parameters, style):
    """The network without styles whose names begin as those of this style do."""
    first, *others = parameters.layers
    W_xh = first.W_xh[..., : parameters.vocabulary_size, :].copy()
    W_xh[..., END_TOKEN, :] = first.W_xh[..., parameters.vocabulary_size + style, :]
    return parameters._replace(layers=(first._replace(W_xh=W_xh), *others))


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_a_style_is_the_learned_state_that_its_names_begin_with(cell, layers):
    rng = np.random.default_rng(1)
    names = some_names(rng, rng.integers(0, 8, 60))
    parameters = random_network(rng, cell, layers)
    scored = scoring.log_probabilities(parameters, names)
    by_character = scoring.character_log_probabilities(parameters, names)
    np.testing.assert_allclose(scoring.sum_per_name(by_character, names), scored, rtol=1e-12)
    for style in range(S):
        rows = np.flatnonzero(names.starts == V + style)
        alone = names.take(rows).without_styles()
        expected = scoring.log_probabilities(of_one_style(parameters, style), alone)
        np.testing.assert_allclose(scored[rows], expected, rtol=1e-12)


@every_kind
@every_cell
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, lengths=st.lists(st.integers(0, 7), min_size=1, max_size=12), layers=st.integers(1, 2))
def test_gradient_equals_the_measured_slope_with_styles_too(cell, kind, seed, lengths, layers):
    rng = np.random.default_rng(seed)
    parameters, batch = random_network(rng, cell, layers), one_batch(some_names(rng, lengths), kind)
    _, gradient = network.loss_and_gradient(parameters, batch)
    norm = np.sqrt(sum(float((leaf**2).sum()) for leaf in leaves(gradient)))
    direction = tree_map(
        lambda leaf: leaf / norm + 0.3 * rng.standard_normal(leaf.shape) / np.sqrt(leaf.size), gradient
    )

    def loss_at(distance):
        moved = tree_map(lambda leaf, way: leaf + distance * way, parameters, direction)
        return network.loss_and_gradient(moved, batch)[0]

    def slope(step):
        return (loss_at(step) - loss_at(-step)) / (2 * step)

    measured = (4 * slope(1e-4) - slope(2e-4)) / 3
    found = sum(float((a * b).sum()) for a, b in zip(leaves(gradient), leaves(direction), strict=True))
    assert found == pytest.approx(measured, rel=1e-5, abs=1e-8)


@every_cell
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, lengths=st.lists(st.integers(0, 7), min_size=1, max_size=40), letters=st.integers(2, 4))
def test_prefixes_are_shared_within_a_style_and_loss_and_gradient_stay(cell, seed, lengths, letters):
    rng = np.random.default_rng(seed)
    names = some_names(rng, lengths, letters)
    parameters = random_network(rng, cell, vocabulary_size=letters)
    packed, shared = one_batch(names, "packed"), one_batch(names, "shared")
    words = np.split(names.tokens, names.offsets[1:-1])
    prefixes = {
        (start, *word[:end].tolist())
        for start, word in zip(names.starts.tolist(), words, strict=True)
        for end in range(len(word) + 1)
    }
    assert packed.size == len(names.tokens) + names.count
    assert shared.size == len(prefixes)
    loss, gradient = network.loss_and_gradient(parameters, packed)
    shared_loss, shared_gradient = network.loss_and_gradient(parameters, shared)
    assert shared_loss == pytest.approx(loss, rel=1e-12)
    for ours, theirs in zip(leaves(shared_gradient), leaves(gradient), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-13)


def as_lists(batch):
    if isinstance(batch, tuple):
        return [as_lists(part) for part in batch]
    return batch.tolist() if isinstance(batch, np.ndarray) else batch


@every_kind
@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS, lengths=st.lists(st.integers(0, 7), min_size=1, max_size=40), batch_size=st.integers(1, 12)
)
def test_batches_with_styles_that_are_laid_out_together_are_those_laid_out_alone(
    kind, seed, lengths, batch_size
):
    rng = np.random.default_rng(seed)
    names = some_names(rng, lengths, 4)
    stream = BatchStream.from_names(names)
    keys = alphabetical_ranks(names) if kind == "shared" else -stream.rows
    batches = shuffled_batches(keys, batch_size, rng)
    layout = stream.shared_batches if kind == "shared" else stream.packed_batches
    alone = [next(layout([chosen])) for chosen in batches]
    assert as_lists(tuple(layout(batches))) == as_lists(tuple(alone))


@every_cell
def test_start_tokens_keep_their_rows_where_the_vocabulary_is_padded(cell):
    rng = np.random.default_rng(2)
    for vocabulary_size in (2, 13, 14, 16, 31):
        parameters = random_network(rng, cell, vocabulary_size=vocabulary_size)
        padded = network.pad_vocabulary(parameters)
        back = network.trim_vocabulary(padded, vocabulary_size, S)
        assert padded.vocabulary_size % 16 == padded.layers[0].W_xh.shape[-2] % 16 == 0
        for ours, theirs in zip(leaves(back), leaves(parameters), strict=True):
            assert ours.tobytes() == theirs.tobytes()
        batch = one_batch(some_names(rng, [3, 0, 5], vocabulary_size), "shared")
        loss = network.loss_and_gradient(parameters, batch)[0]
        assert network.loss_and_gradient(padded, batch)[0] == pytest.approx(loss, rel=1e-13)


@every_cell
def test_a_network_with_styles_comes_back_from_its_arrays(cell):
    parameters = random_network(np.random.default_rng(3), cell, layers=2)
    back = network.from_arrays(network.to_arrays(parameters))
    assert (back.vocabulary_size, back.style_count) == (V, S)
    for ours, theirs in zip(leaves(back), leaves(parameters), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("inputs", [V - 1, V + 1, V + MOST_STYLES + 1])
def test_a_network_with_one_style_or_too_many_is_no_network(inputs):
    arrays = network.to_arrays(random_network(np.random.default_rng(3), "elman"))
    arrays["elman.0.W_xh"] = np.zeros((inputs, 6))
    with pytest.raises(DataError, match="the shape must be"):
        network.from_arrays(arrays)


def test_a_transferred_network_keeps_the_start_of_each_style_that_both_have():
    rng = np.random.default_rng(4)
    trained, fresh = random_network(rng, "gru"), random_network(rng, "gru", vocabulary_size=V + 2)
    characters = np.arange(V)
    both = network.transfer(trained, characters, fresh, characters, styles=[(2, 0), (0, 1)])
    starts, trained_starts, fresh_starts = (
        parameters.layers[0].W_xh[..., parameters.vocabulary_size :, :]
        for parameters in (both, trained, fresh)
    )
    for ours, theirs in zip(
        [starts[..., s, :] for s in range(S)],
        [trained_starts[..., 2, :], trained_starts[..., 0, :], fresh_starts[..., 2, :]],
        strict=True,
    ):
        assert np.array_equal(ours, theirs)


# Names of the first style are of the letters 1 to 4, those of the second of 5 to 8.
LOW, HIGH = np.arange(1, 5), np.arange(5, 9)


def two_lists(seed, count):
    rng = np.random.default_rng(seed)
    styles = rng.integers(0, 2, count)
    return EncodedNames.from_lists(
        rng.choice(HIGH if style else LOW, rng.integers(1, 6)) for style in styles
    ).with_styles(styles, V)


TRAINING, VALIDATION = two_lists(1, 120), two_lists(2, 30)


def small(**changes):
    options = {"cell": "gru", "layers": 1, "hidden_size": 16, "batch_size": 16, "epochs": 12, "patience": 12}
    return TrainingConfig(**{"learning_rate": 1e-2, "dropout": 0.1, **options, **changes}).resolve(120)


def finished(config, state=None, processes=1):
    *_, last = train(config, V, TRAINING, VALIDATION, state, processes, style_count=2)
    return last.state


@pytest.mark.parametrize("batches", ["packed", "shared"])
def test_a_network_that_is_told_the_style_learns_what_each_is_like(batches):
    parameters = finished(small(batches=batches)).parameters
    told = scoring.cross_entropy_per_character(parameters, VALIDATION)
    wrong = 1 - (VALIDATION.starts - V)
    told_wrong = scoring.cross_entropy_per_character(parameters, VALIDATION.with_styles(wrong, V))
    assert parameters.style_count == 2
    assert told_wrong > told + 0.5


def test_a_training_with_styles_that_is_resumed_or_shared_by_processes_ends_with_the_same_bytes():
    config = small(epochs=2, shards=2, batches="shared")
    whole = finished(config).arrays()
    for count, progress in enumerate(train(config, V, TRAINING, VALIDATION, style_count=2), 1):
        if count == 5:
            kept = progress.state.arrays()
            break
    resumed = finished(config, TrainingState.from_arrays(config, V, kept, style_count=2)).arrays()
    together = finished(config, processes=2).arrays()
    for name, array in whole.items():
        assert resumed[name].tobytes() == together[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("names", "style_count"),
    [
        (VALIDATION.without_styles(), 2),
        (VALIDATION.with_styles(2, V), 2),
        (VALIDATION.with_styles(-1, V), 2),
        (VALIDATION, 0),
    ],
    ids=["names without styles", "an unknown style", "a token for a style", "a network without styles"],
)
def test_names_of_styles_that_a_network_does_not_know_are_refused(names, style_count):
    parameters = network.init(np.random.default_rng(0), "gru", V, 4, np.float64, style_count=style_count)
    with pytest.raises(DataError, match="style"):
        scoring.log_probabilities(parameters, names)
    with pytest.raises(DataError, match="style"):
        next(train(small(), V, TRAINING.with_styles(0, V), names, style_count=2 if style_count else 0))
