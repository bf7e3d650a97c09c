import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_corpora import merge, read_text

from data import schemas
from data.config import CorpusConfig, ExamplesConfig, MergingConfig, ValidationConfig
from data.examples import SPLITS, arrange, from_token_lists, token_lists
from data.validation import validate
from rnn_core.errors import ConfigError, DataError
from rnn_core.text.names import EncodedNames
from rnn_core.text.spelling import spelling_key

TABLES = {name: schema for name, schema in vars(schemas).items() if name[0] != "_" and name.isupper()}


def corpus(source, *names):
    return read_text("\n".join(names).encode(), CorpusConfig(source, is_format_given=True)).names


def test_every_column_of_every_table_says_what_it_means():
    assert len(TABLES) == 16
    for schema in TABLES.values():
        assert all(column.description for column in schema.columns.values())


def test_the_descriptions_travel_in_the_fields_of_the_table():
    table = schemas.conform(schemas.CORPUS, corpus("towns", "Bern"))
    assert table.schema.field("line").metadata == {b"description": b"Line in that file, counted from 1."}


@pytest.mark.parametrize(
    "wrong",
    [
        pa.table({"name": ["Ana"]}),
        pa.table({"name": ["Ana"], "source": ["towns"], "line": [1]}),
        corpus("towns", "Bern").append_column("more", pa.array([1])),
        corpus("towns", "Bern").set_column(3, "line", pa.array([0])),
    ],
    ids=["columns missing", "wrong type", "a column too many", "line nought"],
)
def test_a_table_that_is_not_as_declared_is_never_written(wrong):
    with pytest.raises(DataError):
        schemas.conform(schemas.CORPUS, wrong)


def test_merging_keeps_the_stated_order_of_sources_and_lines():
    merged, rejected, _ = merge(
        [corpus("b", "Zoe", "Ana"), corpus("a", "Ana", "Bea")], MergingConfig(duplicates="keep")
    )
    assert merged["name"].to_pylist() == ["Zoe", "Ana", "Ana", "Bea"]
    assert merged["source"].to_pylist() == ["b", "b", "a", "a"]
    assert len(rejected) == 0


def test_of_equal_names_the_first_is_kept_and_the_others_are_listed():
    merged, rejected, _ = merge(
        [corpus("b", "Zoe", "Ana", "Zoe"), corpus("a", "Ana", "Bea")], MergingConfig(duplicates="drop")
    )
    assert merged["name"].to_pylist() == ["Zoe", "Ana", "Bea"]
    assert [(row["source"], row["line"], row["name"]) for row in rejected.to_pylist()] == [
        ("b", 3, "Zoe"),
        ("a", 1, "Ana"),
    ]


def test_every_rule_that_a_name_breaks_is_reported():
    names = corpus("x", "Ana", "B\u200bea", "C" * 60, "\u202e" * 60, "Bo")
    accepted, rejected = validate(names, ValidationConfig(min_length=3))
    assert accepted["name"].to_pylist() == ["Ana"]
    reasons = [(row["line"], row["reason"]) for row in rejected.to_pylist()]
    length, unseen = (
        "shorter than 3 or longer than 49 characters",
        "holds a control or an invisible character",
    )
    assert reasons == [(2, unseen), (3, length), (4, unseen), (4, length), (5, length)]


def test_one_name_in_two_spellings_becomes_one_spelling():
    corpora = [corpus("x", "José", "Jose\u0301")]
    names, rejected, _ = merge(corpora, MergingConfig())
    assert names["name"].to_pylist() == ["José"]
    assert rejected["line"].to_pylist() == [2]
    as_they_stand, *_ = merge(corpora, MergingConfig(normalisation="none"))
    assert as_they_stand["name"].to_pylist() == ["José", "Jose\u0301"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=60)


@given(st.lists(TEXT, min_size=1))
def test_names_accepted_and_names_rejected_are_the_names_given(texts):
    names = corpus("x", *texts)
    accepted, rejected = validate(names, ValidationConfig())
    lines = set(accepted["line"].to_pylist()), set(rejected["line"].to_pylist())
    assert not lines[0] & lines[1]
    assert lines[0] | lines[1] == set(names["line"].to_pylist())


@given(
    st.lists(st.sampled_from(["Ana", "Bea", "Cleo", "Diego", "Eva", "Fer", "Gil"]), min_size=1),
    st.integers(0, 99),
)
def test_equal_names_never_stand_on_both_sides_of_the_split(names, seed):
    order, split, _ = arrange(pa.chunked_array([names]), ExamplesConfig(0.3, 0.3, seed))
    assert sorted(order) == list(range(len(names)))
    sides = {}
    for row, side in zip(order, split, strict=True):
        assert sides.setdefault(names[row], side) == side


def test_the_split_has_the_shares_asked_for_and_another_seed_another_order():
    names = pa.chunked_array([[f"name {number}" for number in range(1000)]])
    order, split, _ = arrange(names, ExamplesConfig(0.2, 0.1, seed=1))
    assert [int((split == SPLITS.index(side)).sum()) for side in SPLITS] == [700, 200, 100]
    assert (arrange(names, ExamplesConfig(0.2, 0.1, seed=1)).order == order).all()
    assert not (arrange(names, ExamplesConfig(0.2, 0.1, seed=2)).order == order).all()


def sides(names, config):
    """The side of every distinct name."""
    order, split, _ = arrange(pa.chunked_array([names], pa.string()), config)
    return {names[row]: SPLITS[side] for row, side in zip(order, split, strict=True)}


def numbered(start, stop):
    return [f"name {number}" for number in range(start, stop)]


@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.1, 0.25, 0.5]),
    st.sampled_from([0.0, 0.1, 0.33]),
)
def test_the_split_has_exactly_its_shares_of_the_distinct_names(names, validation, test):
    split = sides(names, ExamplesConfig(validation, test, seed=3))
    side_of = {spelling_key(name): side for name, side in split.items()}
    assert split == {name: side_of[spelling_key(name)] for name in names}
    assert list(side_of.values()).count("validation") == round(validation * len(side_of))
    assert list(side_of.values()).count("test") == round(test * len(side_of))


@given(st.integers(0, 999), st.text(max_size=8), st.booleans())
@settings(max_examples=50)
def test_a_name_more_or_less_moves_at_most_one_other_across_each_border(seed, name, is_more):
    config = ExamplesConfig(0.1, 0.1, seed)
    names = numbered(0, 1000)
    before = sides(names, config)
    after = sides([*names, name] if is_more else names[:seed] + names[seed + 1 :], config)
    moved = [each for each in before.keys() & after.keys() if before[each] != after[each]]
    assert len(moved) <= 2
    assert len({(before[each], after[each]) for each in moved}) == len(moved)
    assert all("train" in (before[each], after[each]) for each in moved)


def test_a_list_that_grows_keeps_what_is_held_out_but_for_what_its_shares_ask_for():
    config = ExamplesConfig(0.1, 0.1, seed=7)
    before, after = sides(numbered(0, 1000), config), sides(numbered(0, 1100), config)
    held_out_before = {name for name, side in before.items() if side != "train"}
    moved = [name for name in held_out_before if after[name] != before[name]]
    learnt_before = [name for name, side in after.items() if side != "train" and before.get(name) == "train"]
    assert len(moved) + len(learnt_before) < 20


def test_where_a_name_stands_in_the_list_and_how_often_does_not_move_it():
    names = numbered(0, 300)
    config = ExamplesConfig(0.2, 0.1, seed=5)
    assert sides(names, config) == sides([*names[::-1], *names[:50]], config)


def test_another_share_for_validation_moves_no_name_into_or_out_of_test_nor_the_other_way_round():
    names = numbered(0, 500)

    def held_out(validation, test):
        split = sides(names, ExamplesConfig(validation, test))
        return [{name for name in names if split[name] == side} for side in ("validation", "test")]

    validation, test = held_out(0.1, 0.1)
    more_validation, same_test = held_out(0.3, 0.1)
    same_validation, more_test = held_out(0.1, 0.3)
    assert (same_validation, same_test) == (validation, test)
    assert validation < more_validation
    assert test < more_test


def test_what_is_held_out_is_the_same_for_ever():
    split = sides(["Ana", "Bea", "Cleo", "Diego", "Eva", "José", "김", "Ἀθηνᾶ"], ExamplesConfig(0.25, 0.25))
    assert {name for name, side in split.items() if side == "test"} == {"Bea", "José"}
    assert {name for name, side in split.items() if side == "validation"} == {"Ana", "Ἀθηνᾶ"}


def test_another_seed_holds_out_other_names():
    names = numbered(0, 1000)
    one, other = (sides(names, ExamplesConfig(0.1, 0.1, seed)) for seed in (1, 2))
    both = [name for name in names if one[name] == other[name] == "test"]
    assert 2 <= len(both) <= 25


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(ConfigError):
        ExamplesConfig(0.5, 0.5)


@given(st.lists(st.lists(st.integers(1, 60), max_size=5), max_size=8), st.integers(0, 3))
def test_encoded_names_come_back_from_a_list_column_also_from_a_part_of_one(lists, start):
    column = pa.chunked_array([token_lists(EncodedNames.from_lists(lists))]).slice(start)
    back = from_token_lists(column)
    parts = [back.tokens[a:b].tolist() for a, b in zip(back.offsets, back.offsets[1:], strict=False)]
    assert parts == lists[start:]
