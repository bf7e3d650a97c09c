"""N-grams of each style: what is read, scored and stored is that of a model of the style alone."""

import itertools

import numpy as np
import pytest

from rnn_core.batching.batches import BatchStream
from rnn_core.batching.ordering import alphabetical_ranks, longest_first, sort_by_key
from rnn_core.errors import DataError
from rnn_core.ngram import by_style
from rnn_core.ngram.by_style import StyleNgrams
from rnn_core.ngram.kneser_ney import KneserNey
from rnn_core.text.names import EncodedNames

V, S = 7, 3


def some_names(seed, count, longest=6):
    """Names of the second style are short, so that its model has fewer levels."""
    rng = np.random.default_rng(seed)
    styles = rng.integers(0, S, count)
    lengths = np.where(styles == 1, 2, rng.integers(1, longest + 1, count))
    names = EncodedNames.from_lists(
        rng.integers(1 + style, V, n) for style, n in zip(styles, lengths, strict=True)
    )
    return names.with_styles(styles, V)


def in_style(names, style):
    return np.flatnonzero(names.starts == V + style)


TRAINING, OTHERS = some_names(1, 90), some_names(2, 40, longest=8)
NGRAMS = StyleNgrams.fit(lambda names, _: KneserNey.fit(names, V, order=4), TRAINING, OTHERS, V, S)
ALONE = [
    KneserNey.fit(TRAINING.take(in_style(TRAINING, style)).without_styles(), V, order=4) for style in range(S)
]


def test_a_name_is_scored_by_the_model_of_its_style():
    scored = NGRAMS.log_probabilities(OTHERS)
    for style, model in enumerate(ALONE):
        rows = in_style(OTHERS, style)
        expected = model.log_probabilities(OTHERS.take(rows).without_styles())
        assert scored[rows].tolist() == expected.tolist()
    by_character = NGRAMS.character_log_probabilities(OTHERS)
    bounds = OTHERS.offsets + np.arange(OTHERS.count + 1)
    sums = [by_character[a:b].sum() for a, b in itertools.pairwise(bounds)]
    np.testing.assert_allclose(sums, scored, rtol=1e-12)


def test_reading_step_by_step_gives_the_probabilities_of_scoring():
    by_character = NGRAMS.character_log_probabilities(OTHERS)
    bounds = OTHERS.offsets + np.arange(OTHERS.count + 1)
    longest = int(OTHERS.lengths.max())
    padded = np.ones((OTHERS.count, longest + 1), np.int64)  # what is read after the end does not matter
    for row, (a, b) in enumerate(zip(OTHERS.offsets, OTHERS.offsets[1:], strict=False)):
        padded[row, : b - a] = OTHERS.tokens[a:b]
    contexts, read = NGRAMS.initial_state(OTHERS.count), OTHERS.starts
    for place in range(longest + 1):
        contexts = NGRAMS.advance(read, contexts)
        probabilities = NGRAMS.distributions(contexts, OTHERS.count)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
        going = np.flatnonzero(OTHERS.lengths >= place)
        targets = np.where(OTHERS.lengths[going] == place, 0, padded[going, place])
        expected = np.exp(by_character[bounds[going] + place])
        np.testing.assert_allclose(probabilities[going, targets], expected, rtol=1e-12)
        read = padded[:, place]


@pytest.mark.parametrize("kind", ["packed", "shared"])
def test_the_rows_of_a_batch_have_the_contexts_of_the_names_that_go_through_them(kind):
    stream, every_name = BatchStream.from_names(OTHERS), np.arange(OTHERS.count)
    if kind == "packed":
        (batch,) = stream.packed_batches([longest_first(stream.rows, every_name)])
    else:
        (batch,) = stream.shared_batches([sort_by_key(alphabetical_ranks(OTHERS), every_name)])
    probabilities = NGRAMS.distributions(NGRAMS.batch_contexts(batch), batch.size)
    log_p = np.log(probabilities[batch.targets.rows, batch.targets.tokens])
    expected = NGRAMS.log_probabilities(OTHERS).sum()
    assert log_p @ batch.targets.counts == pytest.approx(expected, rel=1e-9)


def test_the_models_come_back_from_their_arrays():
    back = StyleNgrams.from_arrays(NGRAMS.to_arrays())
    by_style.check_layout(NGRAMS.to_arrays(), V)
    assert len(by_style.ngrams_from_arrays(NGRAMS.to_arrays(), S).models) == S
    with pytest.raises(DataError, match="styles"):
        by_style.ngrams_from_arrays(NGRAMS.to_arrays(), S + 1)
    assert back.log_probabilities(OTHERS).tolist() == NGRAMS.log_probabilities(OTHERS).tolist()
    assert back.order == 4
    assert back.counts[0] == S * V


DAMAGES = {
    "a style is missing": lambda arrays: [arrays.pop(name) for name in list(arrays) if ".1.ngrams" in name],
    "a number that is none": lambda arrays: arrays.update({"style.x.ngrams.discount": np.array(0.5)}),
    "no codes": lambda arrays: arrays.pop("style.2.ngrams.1.codes"),
    "unsorted codes": lambda arrays: arrays["style.0.ngrams.2.codes"].__setitem__(0, 10**6),
    "two vocabularies": lambda arrays: arrays.update(
        {
            f"style.1.{name}": array
            for name, array in KneserNey.fit(EncodedNames.from_lists([[1]]), V + 1, order=1)
            .to_arrays()
            .items()
        }
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_arrays_that_are_no_ngrams_of_styles_are_refused(damage):
    arrays = NGRAMS.to_arrays()
    damage(arrays)
    with pytest.raises(DataError):
        StyleNgrams.from_arrays(arrays)


def test_names_of_other_styles_are_refused():
    with pytest.raises(DataError, match="style"):
        NGRAMS.log_probabilities(OTHERS.without_styles())
    with pytest.raises(DataError, match="style"):
        NGRAMS.log_probabilities(OTHERS.with_styles(S, V))
