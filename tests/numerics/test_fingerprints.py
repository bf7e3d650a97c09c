"""Fingerprints of sequences, and of what one change makes of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnn_core.metrics import fingerprints as module
from rnn_core.metrics.fingerprints import BLANK, Fingerprints, fingerprints, iter_fingerprints

NUMBERS = st.integers(0, 2**31 - 1) | st.integers(0, 2)
SEQUENCES = st.lists(st.lists(NUMBERS, max_size=6), max_size=8)


def flat(sequences):
    lengths = [len(sequence) for sequence in sequences]
    numbers = np.array([number for sequence in sequences for number in sequence], np.int64)
    return numbers, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def of(*sequences):
    return fingerprints(*flat(sequences)).tolist()


@given(SEQUENCES)
def test_sequences_have_one_fingerprint_if_and_only_if_they_are_equal(sequences):
    distinct = {tuple(sequence): word for sequence, word in zip(sequences, of(*sequences), strict=True)}
    assert of(*sequences) == [distinct[tuple(sequence)] for sequence in sequences]
    assert len(set(distinct.values())) == len(distinct)


@given(SEQUENCES)
def test_one_change_has_the_fingerprint_of_the_sequence_that_it_makes(sequences):
    changed, blank = Fingerprints(*flat(sequences)), int(BLANK)
    places = [(sequence, place) for sequence in sequences for place in range(len(sequence))]
    gaps = [(sequence, place) for sequence in sequences for place in range(len(sequence) + 1)]
    assert changed.whole.tolist() == of(*sequences)
    assert changed.deletions().tolist() == of(*(s[:k] + s[k + 1 :] for s, k in places))
    assert changed.substitutions().tolist() == of(*([*s[:k], blank, *s[k + 1 :]] for s, k in places))
    assert changed.insertions().tolist() == of(*([*s[:k], blank, *s[k:]] for s, k in gaps))


@given(SEQUENCES, st.data())
def test_a_part_of_a_list_has_its_part_of_the_fingerprints(sequences, data):
    numbers, offsets = flat(sequences)
    start = data.draw(st.integers(0, len(sequences)))
    stop = data.draw(st.integers(start, len(sequences)))
    assert fingerprints(numbers, offsets[start : stop + 1]).tolist() == of(*sequences)[start:stop]


def test_a_long_list_is_gone_through_in_pieces(monkeypatch):
    numbers, offsets = flat([[1, 2], [], [3], [1, 2], [4, 5, 6]])
    whole = fingerprints(numbers, offsets).tolist()
    monkeypatch.setattr(module, "AT_ONCE", 2)
    assert [len(some.whole) for some in iter_fingerprints(numbers, offsets)] == [2, 2, 1]
    assert fingerprints(numbers, offsets).tolist() == whole


def test_they_are_the_same_for_ever():
    words = of([], [0], [65, 110, 110, 97], [2**31 - 1])
    assert words == [0x0, 0xBEEB67EAF1FC5E61, 0x901E11AD83781FA0, 0x27C39B1515DF30E4]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
@pytest.mark.parametrize("offset_dtype", [np.int32, np.int64])
def test_they_do_not_depend_on_how_numbers_are_stored(dtype, offset_dtype):
    numbers, offsets = flat([[65, 110, 110, 97]])
    words = fingerprints(numbers.astype(dtype), offsets.astype(offset_dtype))
    assert words.tolist() == of([65, 110, 110, 97])


def test_short_words_over_few_letters_do_not_collide():
    # all words of 16 letters over two: sums over powers of one base would mix some of them up
    words = (np.arange(1 << 16)[:, np.newaxis] >> np.arange(16)) & 1
    made = fingerprints(words.ravel(), np.arange(0, 16 * len(words) + 1, 16))
    assert len(np.unique(made)) == len(words)


def test_every_bit_is_as_often_set_as_not():
    words = fingerprints(np.arange(40_000), np.arange(0, 40_001, 2))  # no two alike
    share = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(len(words))
