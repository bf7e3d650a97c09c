import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpora import merge, read_text

from data import schemas
from data.config import CorpusConfig, MergingConfig
from data.merging import COUNTED, DROPPED
from rnn_core.errors import DataError


def corpus(source, *names, weights=None):
    table = read_text("\n".join(names).encode(), CorpusConfig(source, is_format_given=True)).names
    if weights:
        table = table.set_column(4, "weight", pa.array(weights, pa.float64()))
    return table


def names_of(corpora, **knobs):
    names, *_ = merge(corpora, MergingConfig(**knobs))
    return names["name"].to_pylist()


def rows(table, *columns):
    return list(zip(*(table[column].to_pylist() for column in columns), strict=True))


def test_a_duplicate_that_is_counted_gives_its_weight_to_the_first_and_stands_among_the_rejected():
    corpora = [corpus("b", "Zoe", "Ana", "Zoe", weights=[2, 1, 3]), corpus("a", "Ana", weights=[0.5])]
    names, rejected, sources = merge(corpora, MergingConfig(duplicates="count"))
    assert rows(names, "name", "weight") == [("Zoe", 5.0), ("Ana", 1.5)]
    assert rows(rejected, "source", "line", "name", "reason") == [
        ("b", 3, "Zoe", COUNTED),
        ("a", 1, "Ana", COUNTED),
    ]
    assert sources["b"]["weight_read"] + sources["a"]["weight_read"] == names["weight"].to_numpy().sum()


def test_more_than_2_gib_of_names_is_one_error():
    table = corpus("long", "a" * (1 << 20))
    with pytest.raises(DataError, match=r"names\.too_many"):
        merge([table] * 2048, MergingConfig())


def test_the_same_list_twice_is_taken_once_and_reported_as_duplicates_of_an_earlier_source():
    corpora = [corpus("once", "Ana", "Bea", "Ana"), corpus("again", "Ana", "Bea", "Ana")]
    names, rejected, sources = merge(corpora, MergingConfig())
    assert rows(names, "name", "source") == [("Ana", "once"), ("Bea", "once")]
    assert set(rejected["reason"].to_pylist()) == {DROPPED}
    assert sources == {
        "once": {
            "rows_read": 3, "rows": 2, "weight_read": 3.0, "weight": 2.0,
            "duplicates_within": 1, "duplicates_of_earlier_sources": 0,
        },
        "again": {
            "rows_read": 3, "rows": 0, "weight_read": 3.0, "weight": 0.0,
            "duplicates_within": 0, "duplicates_of_earlier_sources": 3,
        },
    }  # fmt: skip


def test_a_short_list_in_balance_weighs_as_much_as_a_long_one():
    corpora = [corpus("long", *(f"name {number}" for number in range(9))), corpus("short", "Ana")]
    names, _, sources = merge(corpora, MergingConfig(balance="equal"))
    assert sources["long"]["weight"] == pytest.approx(5.0)
    assert sources["short"]["weight"] == pytest.approx(5.0)
    assert rows(names, "name", "weight")[-1] == ("Ana", 5.0)
    assert sources["short"]["weight_read"] == 1.0


def test_balance_leaves_the_weights_within_a_source_as_they_are_to_each_other():
    corpora = [corpus("a", "Ana", "Bea", weights=[1, 3]), corpus("b", "Cleo", weights=[100])]
    names, *_ = merge(corpora, MergingConfig(balance="equal"))
    assert names["weight"].to_pylist() == pytest.approx([13.0, 39.0, 52.0])


def test_lists_of_equal_weight_are_not_touched_by_balance():
    corpora = [corpus("a", "Ana", "Bea"), corpus("b", "Cleo", "Dora")]
    names, *_ = merge(corpora, MergingConfig(balance="equal"))
    assert names["weight"].to_pylist() == [1.0] * 4


def test_white_space_within_a_name_is_folded_if_asked_for_and_kept_if_not():
    names = ["Ana  María", "Ana\u00a0María", "Ana\t María", "Ana María", "José", "Jean\u3000Luc", "5 \u20ac"]
    corpora = [corpus("x", *names)]
    kept = names_of(corpora, duplicates="keep")
    assert kept == names
    folded = names_of(corpora, white_space="fold")
    assert folded == ["Ana María", "José", "Jean Luc", "5 \u20ac"]


@pytest.mark.parametrize("name", ["NA", "null", "None", "=1+1", "nan", "-", "0"])
def test_what_looks_like_a_missing_value_or_a_formula_is_a_name(name):
    assert names_of([corpus("x", name)]) == [name]


def test_a_source_that_has_nothing_left_does_not_disturb_the_balance():
    corpora = [corpus("a", "Ana", "Bea"), corpus("b", "Ana"), corpus("c", "Cleo")]
    _, _, sources = merge(corpora, MergingConfig(balance="equal"))
    assert [sources[each]["weight"] for each in "abc"] == pytest.approx([1.5, 0.0, 1.5])


# What Python's Unicode does not know yet Arrow may compose already.
KNOWN = st.characters(exclude_categories=["Cs", "Cn"])
COMPOSING = st.sampled_from("eo\u0301\u0308\u0323\u1100\u1161\u11a8\uac00\u0f71\u0f72 \u212b")


@given(st.lists(st.text(KNOWN | COMPOSING, min_size=1, max_size=12), min_size=1))
def test_names_are_in_the_nfc_that_python_gives(texts):
    table = pa.table(
        {
            "name": pa.array(texts, pa.string()),
            "source": pa.array(["x"] * len(texts)).dictionary_encode(),
            "file": pa.array([1] * len(texts), pa.int32()),
            "line": pa.array(range(1, len(texts) + 1), pa.int64()),
            "weight": pa.array([1.0] * len(texts), pa.float64()),
        }
    )
    names = names_of([table], duplicates="keep")
    assert names == [unicodedata.normalize("NFC", text) for text in texts]


NAMES = st.lists(st.sampled_from(["Ana", "Bea", "José", "Jose\u0301", "Zoe  B", "Zoe B"]), max_size=8)
CONFIGS = st.builds(
    MergingConfig,
    st.sampled_from(["NFC", "none"]),
    st.sampled_from(["keep", "fold"]),
    st.sampled_from(["drop", "count", "keep"]),
    st.sampled_from(["none", "equal"]),
)


@given(st.lists(NAMES, min_size=1, max_size=4), CONFIGS)
def test_rows_merged_and_rows_rejected_are_the_rows_read(lists, config):
    corpora = [corpus(f"source {place}", *names) for place, names in enumerate(lists)]
    names, rejected, sources = merge(corpora, config)
    schemas.conform(schemas.CORPUS, names)
    schemas.conform(schemas.REJECTED, rejected)
    read = [key for one in corpora for key in rows(one, "source", "line")]
    assert sorted(rows(names, "source", "line") + rows(rejected, "source", "line")) == sorted(read)
    assert sum(each["rows_read"] for each in sources.values()) == len(read)
    assert sum(each["rows"] for each in sources.values()) == len(names)
    weights = sum(each["weight"] for each in sources.values())
    assert weights == pytest.approx(np.sum(names["weight"].to_numpy()))
    if config.duplicates != "keep":
        assert len(set(names["name"].to_pylist())) == len(names)
