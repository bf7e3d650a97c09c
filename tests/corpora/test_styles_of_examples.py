"""Which lists of the examples are styles, and how probable each is."""

import numpy as np
import pyarrow as pa
import pytest

from data.styles import style_column, style_numbers, styles_of_examples
from rnn_core.errors import ConfigError, DataError
from rnn_core.text.names import EncodedNames
from rnn_core.text.styles import MOST_STYLES, Styles, check_layout


def examples(sources, weights=None, training=None):
    count = len(sources)
    return (
        pa.chunked_array([pa.array(sources, pa.string()).dictionary_encode()]),
        pa.chunked_array([pa.array(weights or [1.0] * count)]),
        pa.chunked_array([pa.array([True] * count if training is None else training)]),
    )


def test_a_style_is_as_probable_as_the_weights_of_its_training_names():
    styles = styles_of_examples(
        *examples(["b", "a", "b", "a"], [1.0, 2.0, 3.0, 10.0], [True, True, True, False])
    )
    assert styles == Styles(("b", "a"), (4 / 6, 2 / 6))
    source, _, _ = examples(["a", "b", "a"])
    assert style_numbers(source, styles).tolist() == [1, 0, 1]


def test_names_of_one_list_have_no_styles():
    assert styles_of_examples(*examples(["a", "a"])) is None


def test_more_lists_than_a_network_may_know_are_one_clear_error():
    with pytest.raises(ConfigError, match="at most"):
        styles_of_examples(*examples([f"list {n}" for n in range(MOST_STYLES + 1)]))


def test_the_column_of_styles_names_each_or_the_blend():
    styles = Styles(("a", "b"), (0.5, 0.5))
    names = EncodedNames.from_lists([[1], [2], [1]])
    told = style_column(names.with_styles(np.array([1, 0, 1]), 9), 9, styles, "")
    assert told.to_pylist() == ["b", "a", "b"]
    assert style_column(names, 9, styles, "a=1,b=1").to_pylist() == ["a=1,b=1"] * 3


def test_styles_come_back_from_their_arrays():
    styles = Styles.from_weights(["rivers", "ölberg/F", "a,b=c"], [1, 2, 5])
    assert Styles.from_arrays(styles.to_arrays()) == styles
    assert styles.weights("a,b=c") == {2: 1.0}
    assert styles.weights("rivers=1, ölberg/F=3") == {0: 0.25, 1: 0.75}
    assert Styles.from_arrays({}) is None


DAMAGES = {
    "no names": lambda arrays: arrays.pop("styles.names"),
    "an unknown array": lambda arrays: arrays.update({"styles.x": np.zeros(2)}),
    "shares of another type": lambda arrays: arrays.update({"styles.shares": np.ones(2, np.float32) / 2}),
    "one share": lambda arrays: arrays.update({"styles.shares": np.ones(1)}),
    "three shares": lambda arrays: arrays.update({"styles.shares": np.ones(3) / 3}),
    "a sum above 1": lambda arrays: arrays.update({"styles.shares": np.ones(2)}),
    "a negative share": lambda arrays: arrays.update({"styles.shares": np.array([-1.0, 2.0])}),
    "a share that is no number": lambda arrays: arrays.update({"styles.shares": np.array([np.nan, 1.0])}),
    "two equal names": lambda arrays: arrays["styles.names"].__setitem__(slice(None), [97, 10, 97]),
    "a name of nothing": lambda arrays: arrays["styles.names"].__setitem__(slice(None), [97, 98, 10]),
    "no code points": lambda arrays: arrays["styles.names"].__setitem__(0, 0x7FFFFFFF),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_arrays_that_are_no_styles_are_refused(damage):
    arrays = {name: array.copy() for name, array in Styles(("a", "b"), (0.5, 0.5)).to_arrays().items()}
    damage(arrays)
    with pytest.raises(DataError):
        Styles.from_arrays(arrays)


def test_styles_and_network_have_to_agree_in_number():
    arrays = Styles(("a", "b"), (0.5, 0.5)).to_arrays()
    check_layout(arrays, 2)
    for count in (0, 3):
        with pytest.raises(DataError, match="differ in number"):
            check_layout(arrays, count)
    with pytest.raises(DataError, match="differ in number"):
        check_layout({}, 2)
