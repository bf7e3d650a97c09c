"""The arithmetic of one batch, against measured slopes and against plain loops."""

import collections
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnn_core.arrays import Workspace
from rnn_core.batching.batch import Targets
from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import alphabetical_ranks, longest_first, shuffled_batches, sort_by_key
from rnn_core.nn import cells, network
from rnn_core.nn.dropout import DropoutMasks, dropout_mask
from rnn_core.nn.loss import cross_entropy, target_log_probabilities
from rnn_core.text.names import EncodedNames
from rnn_core.text.vocabulary import END_TOKEN
from rnn_core.tree import leaves, tree_map

SEEDS = st.integers(0, 2**32 - 1)
every_kind = pytest.mark.parametrize("kind", ["packed", "shared"])
every_cell = pytest.mark.parametrize("cell", sorted(cells.CELLS))


def some_names(rng, vocabulary_size, lengths):
    return EncodedNames.from_lists(rng.integers(1, vocabulary_size, length) for length in lengths)


def one_batch(names, kind="packed"):
    stream, every_name = BatchStream.from_names(names), np.arange(names.count)
    if kind == "shared":
        return next(stream.shared_batches([sort_by_key(alphabetical_ranks(names), every_name)]))
    return next(stream.packed_batches([longest_first(stream.rows, every_name)]))


def random_network(rng, cell, vocabulary_size, hidden_size, layers=1):
    """Larger weights than a training starts from, so that every nonlinearity is bent."""
    untrained = network.init(rng, cell, vocabulary_size, hidden_size, np.float64, layers)
    return tree_map(lambda leaf: leaf + 0.5 * rng.standard_normal(leaf.shape), untrained)


def inner_product(left, right):
    return sum(float((a * b).sum()) for a, b in zip(leaves(left), leaves(right), strict=True))


def derivative_at_0(function):
    """The derivative and an estimate of its error, from whichever steps agree best."""
    return min((ridders(function, largest_step) for largest_step in (1e-3, 1e-4)), key=lambda pair: pair[1])


def ridders(function, largest_step, shrink=1.4, columns=10):
    """The derivative at 0 and an estimate of its error, from central differences of shrinking steps.

    Each entry of a row removes one more even power of the step. The one is taken that differs least from the
    two it was made of, so the step is neither too coarse nor so fine that rounding spoils it.

    Source: C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in Engineering
    Software 4 (1982).
    """
    best, error, coarser_row = math.nan, math.inf, []
    for column in range(columns):
        step = largest_step / shrink**column
        row = [(function(step) - function(-step)) / (2 * step)]
        for power, coarser in enumerate(coarser_row, start=1):
            factor = shrink ** (2 * power)
            row.append((factor * row[-1] - coarser) / (factor - 1))
            difference = max(abs(row[-1] - row[-2]), abs(row[-1] - coarser))
            if difference < error:
                best, error = row[-1], difference
        coarser_row = row
    return best, error


def test_the_measured_slope_is_sound_where_a_function_bends_sharply():
    for sharpness in (1.0, 30.0, 100.0):
        slope, error = derivative_at_0(lambda x, s=sharpness: math.sin(s * x) + math.cosh(x))
        assert abs(slope - sharpness) <= max(error, 1e-9 * sharpness) <= 1e-7 * sharpness


@every_kind
@every_cell
@settings(max_examples=30, deadline=None)
@example(
    seed=1,
    vocabulary_size=20,
    hidden_size=12,
    lengths=[1, 7, 9],
    layers=1,
    dropout=True,
).via("a step of 1e-4 was too coarse here")
@given(
    seed=SEEDS,
    vocabulary_size=st.integers(2, 20),
    hidden_size=st.integers(1, 12),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    layers=st.integers(1, 3),
    dropout=st.booleans(),
)
def test_gradient_equals_the_measured_slope_in_a_random_direction(
    cell, kind, seed, vocabulary_size, hidden_size, lengths, layers, dropout
):
    rng = np.random.default_rng(seed)
    parameters = random_network(rng, cell, vocabulary_size, hidden_size, layers)
    batch = one_batch(some_names(rng, vocabulary_size, lengths), kind)
    left_out = []
    if dropout:
        left_out = [
            DropoutMasks(
                dropout_mask(rng, 0.4, Workspace(np.float64), "output", batch.size, hidden_size),
                dropout_mask(rng, 0.3, Workspace(np.float64), "recurrent", *layer.W_hh.shape),
            )
            for layer in parameters.layers
        ]
    _, gradient = network.loss_and_gradient(parameters, batch, masks=left_out)
    # Half along the gradient: a slope near zero could not be measured to six digits.
    norm = math.sqrt(inner_product(gradient, gradient))
    direction = tree_map(
        lambda leaf: leaf / norm + 0.3 * rng.standard_normal(leaf.shape) / math.sqrt(leaf.size), gradient
    )

    def loss_at(distance):
        moved = tree_map(lambda leaf, way: leaf + distance * way, parameters, direction)
        return network.loss_and_gradient(moved, batch, masks=left_out)[0]

    measured, error = derivative_at_0(loss_at)
    assert error <= 1e-7 * abs(measured) + 1e-10
    assert inner_product(gradient, direction) == pytest.approx(measured, rel=1e-6, abs=1e-9)


@every_cell
@pytest.mark.parametrize("vocabulary_size", [2, 54, 100])
def test_an_untrained_model_is_as_unsure_as_a_fair_die(cell, vocabulary_size):
    rng = np.random.default_rng(0)
    parameters = network.init(rng, cell, vocabulary_size, hidden_size=20, dtype=np.float64)
    batch = one_batch(some_names(rng, vocabulary_size, [1, 5, 3]))
    loss, _ = network.loss_and_gradient(parameters, batch)
    assert loss == pytest.approx(math.log(vocabulary_size), rel=1e-12)


def test_a_packed_batch_computes_what_a_loop_over_names_and_characters_computes():
    rng = np.random.default_rng(3)
    names = some_names(rng, 9, [4, 1, 7, 4, 2])
    parameters = random_network(rng, "elman", 9, 6)
    ((W_xh, W_hh, b_h),), W_hy, b_y = parameters
    nats = 0.0
    for row in range(names.count):
        word = names.tokens[names.offsets[row] : names.offsets[row + 1]].tolist()
        h = np.zeros(6)
        for token, target in zip([0, *word], [*word, 0], strict=True):
            h = np.tanh(W_xh[token] + h @ W_hh + b_h)
            logits = h @ W_hy + b_y
            nats -= logits[target] - math.log(np.exp(logits).sum())
    loss, _ = network.loss_and_gradient(parameters, one_batch(names))
    assert loss == pytest.approx(nats / (names.lengths + 1).sum(), rel=1e-12)


@every_cell
@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    vocabulary_size=st.integers(2, 5),  # few letters: names share much, and some are the same
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=40),
)
def test_computing_shared_prefixes_once_changes_neither_loss_nor_gradient(
    cell, seed, vocabulary_size, lengths
):
    rng = np.random.default_rng(seed)
    names = some_names(rng, vocabulary_size, lengths)
    parameters = random_network(rng, cell, vocabulary_size, 6)
    packed, shared = one_batch(names, "packed"), one_batch(names, "shared")
    assert shared.size <= packed.size
    loss, gradient = network.loss_and_gradient(parameters, packed)
    shared_loss, shared_gradient = network.loss_and_gradient(parameters, shared)
    assert shared_loss == pytest.approx(loss, rel=1e-12)
    for ours, theirs in zip(leaves(shared_gradient), leaves(gradient), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-13)


@every_cell
def test_a_batch_costs_what_its_names_cost_one_by_one(cell):
    rng = np.random.default_rng(4)
    names = some_names(rng, 12, [1, 6, 6, 3, 11])
    parameters = random_network(rng, cell, 12, 7)
    loss, gradient = network.loss_and_gradient(parameters, one_batch(names))
    shares = (names.lengths + 1) / (names.lengths + 1).sum()
    alone = [
        network.loss_and_gradient(parameters, one_batch(names.take(np.array([row]))))
        for row in range(names.count)
    ]
    assert loss == pytest.approx(sum(s * part for s, (part, _) in zip(shares, alone, strict=True)), rel=1e-12)
    summed = tree_map(
        lambda *parts: sum(s * part for s, part in zip(shares, parts, strict=True)), *(g for _, g in alone)
    )
    for ours, theirs in zip(leaves(gradient), leaves(summed), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)


@every_cell
@pytest.mark.parametrize("layers", [1, 3])
def test_reading_step_by_step_gives_the_probabilities_of_the_whole_sequence(cell, layers):
    rng = np.random.default_rng(5)
    parameters = random_network(rng, cell, 8, 5, layers)
    words = rng.integers(1, 8, (3, 6))
    batch = one_batch(EncodedNames.from_lists(words))
    log_p = network.target_log_probabilities(parameters, batch, Workspace(np.float64))
    ends = np.zeros((1, 3), dtype=int)
    state = network.initial_state(parameters, 3)
    found = []
    for read, targets in zip(np.vstack([ends, words.T]), np.vstack([words.T, ends]), strict=True):
        hidden = network.step(parameters, read, state, Workspace(np.float64))
        logits = hidden @ parameters.W_hy + parameters.b_y
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        found += logits[np.arange(3), targets].tolist()
    np.testing.assert_allclose(found, log_p[batch.target_of_character], rtol=1e-12, atol=1e-15)


@every_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_the_state_before_the_first_character_is_learned(cell, layers):
    """It depends on a row of W_xh that is read there and nowhere else."""
    rng = np.random.default_rng(10)
    parameters = random_network(rng, cell, 8, 5, layers)
    names = some_names(rng, 8, [3, 6])
    _, gradient = network.loss_and_gradient(parameters, one_batch(names))
    of_units = np.abs(gradient.layers[0].W_xh[..., END_TOKEN, :]).reshape(-1, 5)
    assert of_units.max(axis=0).min() > 0
    assert END_TOKEN not in one_batch(names).tokens[2:]


@every_cell
def test_characters_added_to_fill_up_the_vocabulary_change_nothing(cell):
    rng = np.random.default_rng(6)
    parameters = random_network(rng, cell, 11, 5)
    batch = one_batch(some_names(rng, 11, [3, 8, 1]))
    wider = network.pad_vocabulary(parameters)
    assert wider.vocabulary_size == 16
    loss, gradient = network.loss_and_gradient(parameters, batch)
    wider_loss, wider_gradient = network.loss_and_gradient(wider, batch)
    assert wider_loss == pytest.approx(loss, rel=1e-13)
    assert not wider_gradient.b_y[11:].any()
    assert not wider_gradient.W_hy[:, 11:].any()
    back = network.trim_vocabulary(wider_gradient, 11)
    for ours, theirs in zip(leaves(gradient), leaves(back), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-14)


def test_a_used_workspace_gives_the_bits_of_a_fresh_one():
    rng = np.random.default_rng(7)
    parameters = random_network(rng, "elman", 16, 8)
    batches = [one_batch(some_names(rng, 16, rng.integers(1, 9, 5))) for _ in range(4)]
    used = Workspace(np.float64)
    for batch in batches:
        loss, gradient = network.loss_and_gradient(parameters, batch, used)
        fresh_loss, fresh_gradient = network.loss_and_gradient(parameters, batch)
        assert loss == fresh_loss
        for ours, theirs in zip(leaves(gradient), leaves(fresh_gradient), strict=True):
            assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0.0, 1e3, -1e3])
def test_logits_of_any_size_give_the_same_loss(dtype, shift):
    rng = np.random.default_rng(8)
    logits = rng.integers(-8, 9, (7, 16)).astype(dtype)  # whole numbers: a shift loses no digit
    counts = rng.integers(1, 4, 7).astype(np.float64)
    targets = Targets(np.arange(7), rng.integers(0, 16, 7), counts, counts, int(counts.sum()))
    expected, d_expected = cross_entropy(logits.copy(), targets, Workspace(dtype))
    loss, d_logits = cross_entropy(logits + dtype(shift), targets, Workspace(dtype))
    assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(d_logits, d_expected, rtol=1e-4, atol=1e-7)
    log_p = target_log_probabilities(logits + dtype(shift), targets, Workspace(dtype))
    assert -(counts @ log_p) / counts.sum() == pytest.approx(expected, rel=1e-5)


def test_dropout_keeps_the_mean():
    rng = np.random.default_rng(9)
    for rate in (0.1, 0.5, 0.9):
        left_out = dropout_mask(rng, rate, Workspace(np.float32), "output", 400, 500)
        assert left_out is not None
        assert set(np.unique(left_out)) == {0.0, left_out.max()}
        assert left_out.max() == pytest.approx(1 / (1 - rate), rel=1e-4)
        assert (left_out == 0).mean() == pytest.approx(rate, abs=0.005)


def test_a_share_just_below_one_still_keeps_something():
    left_out = dropout_mask(np.random.default_rng(0), 1 - 1e-12, Workspace(np.float32), "output", 999, 999)
    assert np.isfinite(left_out).all()
    assert left_out.any()


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=9), seed=SEEDS)
def test_a_packed_batch_has_the_beginning_once_and_then_every_character(lengths, seed):
    rng = np.random.default_rng(seed)
    names = some_names(rng, 30, lengths)
    stream = BatchStream.from_names(names)
    order = longest_first(stream.rows, np.arange(names.count))
    (batch,) = stream.packed_batches([order])
    targets = batch.targets
    assert batch.size == 1 + sum(lengths)
    assert targets.total == sum(lengths) + len(lengths)
    assert targets.counts.tolist() == np.bincount(batch.target_of_character).tolist()
    assert targets.row_counts.tolist() == np.bincount(targets.rows, weights=targets.counts).tolist()
    words_read = {place: [] for place in range(len(lengths))}
    words_wanted = {place: [] for place in range(len(lengths))}
    for name, place in zip(batch.name_of_character.tolist(), batch.target_of_character, strict=True):
        words_read[name].append(int(batch.tokens[targets.rows[place]]))
        words_wanted[name].append(int(targets.tokens[place]))
    for place, row in enumerate(order):
        word = names.tokens[names.offsets[row] : names.offsets[row + 1]].tolist()
        assert words_read[place] == [0, *word]
        assert words_wanted[place] == [*word, 0]
    rows = np.arange(batch.size)
    before = [rows[step.previous] for step in batch.steps[1:]]
    assert np.concatenate([rows[:0], *before]).tolist() == batch.parent_rows.tolist()


def as_lists(batch):
    if isinstance(batch, tuple):
        return [as_lists(part) for part in batch]
    return batch.tolist() if isinstance(batch, np.ndarray) else batch


@every_kind
@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=40),
    batch_size=st.integers(1, 12),
    seed=SEEDS,
)
def test_batches_that_are_laid_out_together_are_those_laid_out_alone(kind, lengths, batch_size, seed):
    rng = np.random.default_rng(seed)
    names = some_names(rng, 4, lengths)
    stream = BatchStream.from_names(names)
    keys = alphabetical_ranks(names) if kind == "shared" else -stream.rows
    batches = shuffled_batches(keys, batch_size, rng)
    layout = stream.shared_batches if kind == "shared" else stream.packed_batches
    alone = [next(layout([chosen])) for chosen in batches]
    assert as_lists(tuple(layout(batches))) == as_lists(tuple(alone))


@every_kind
def test_laying_out_takes_no_memory_for_characters_that_do_not_come(kind):
    names = some_names(np.random.default_rng(11), 5_000, [1] * 3_000)
    layout = getattr(BatchStream.from_names(names), f"{kind}_batches")
    tracemalloc.start()
    batches = sum(1 for _ in layout([name] for name in np.arange(names.count)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batches == 3_000
    assert peak < 30e6


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=30),
    vocabulary_size=st.integers(2, 5),
    seed=SEEDS,
)
def test_a_shared_batch_has_every_prefix_once_and_counts_what_comes_after_it(lengths, vocabulary_size, seed):
    names = some_names(np.random.default_rng(seed), vocabulary_size, lengths)
    batch = one_batch(names, "shared")
    words = [
        names.tokens[begin:end].tolist() for begin, end in zip(names.offsets, names.offsets[1:], strict=False)
    ]
    expected = collections.Counter(
        (tuple(word[:length]), next_token) for word in words for length, next_token in enumerate([*word, 0])
    )
    prefixes = [()]
    for step in batch.steps[1:]:
        followed = prefixes[step.previous]
        parents = range(len(followed)) if step.branches is None else step.branches.parent_of
        prefixes += [
            (*followed[parent], int(token))
            for parent, token in zip(parents, batch.tokens[step.rows], strict=True)
        ]
    assert len(set(prefixes)) == len(prefixes) == batch.size
    targets = batch.targets
    found = {
        (prefixes[row], int(token)): int(count)
        for row, token, count in zip(targets.rows, targets.tokens, targets.counts, strict=True)
    }
    assert found == expected
    assert targets.row_counts.tolist() == np.bincount(targets.rows, weights=targets.counts).tolist()
