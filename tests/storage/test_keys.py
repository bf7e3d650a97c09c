import math
from dataclasses import dataclass, replace

import pytest

from artifacts.keys import Recipe
from rnn_core.sample.sampler import SamplingConfig
from tasks.config.generate import GenerateConfig
from tasks.stages import names, shard


@dataclass(frozen=True)
class Knobs:
    learning_rate: float = 0.01
    cell: str = "elman"
    sizes: tuple[int, ...] = (64, 32)


RECIPE = Recipe.for_stage("model", 1, Knobs(), {"examples": "a" * 64})


def test_the_key_of_a_known_run_never_changes_by_accident():
    assert RECIPE.key == "15ddf1448ffc50c67ba2aa7e10aa0d99"


@pytest.mark.parametrize(
    "other",
    [
        Recipe.for_stage("models", 1, Knobs(), {"examples": "a" * 64}),
        Recipe.for_stage("model", 2, Knobs(), {"examples": "a" * 64}),
        Recipe.for_stage("model", 1, Knobs(learning_rate=0.02), {"examples": "a" * 64}),
        Recipe.for_stage("model", 1, Knobs(sizes=(32, 64)), {"examples": "a" * 64}),
        Recipe.for_stage("model", 1, Knobs(), {"examples": "b" * 64}),
        Recipe.for_stage("model", 1, Knobs(), {"names": "a" * 64}),
        Recipe.for_stage("model", 1, Knobs(), {"examples": "a" * 64, "vocabulary": "a" * 64}),
    ],
    ids=["stage", "version", "number", "order", "input", "role", "another input"],
)
def test_a_change_of_any_part_changes_the_key(other):
    assert other.key != RECIPE.key


def test_one_and_one_point_nought_and_true_and_a_text_are_four_keys():
    keys = {Recipe.for_stage("model", 1, Knobs(learning_rate=value), {}).key for value in (1, 1.0, True, "1")}
    assert len(keys) == 4


def test_a_value_that_json_cannot_say_is_refused_instead_of_hashed():
    with pytest.raises(TypeError):
        Recipe.for_stage("model", 1, Knobs(cell=object()), {})
    with pytest.raises(ValueError):
        Recipe.for_stage("model", 1, Knobs(learning_rate=math.nan), {})


def test_the_order_in_which_options_are_named_is_no_part_of_the_key():
    assert replace(RECIPE, config=dict(reversed(RECIPE.config.items()))).key == RECIPE.key


def test_what_changes_names_with_wishes_alone_moves_no_other_key():
    def version(**options):
        return names.recipe(SamplingConfig(**options), {}).version

    assert version() == version(prefix="El", max_length=6, truncate=True) == names.version
    wished = {version(suffix="a"), version(contains="a"), version(like="Ana"), version(matching="A.*")}
    assert wished == {names.version + 1}
    listed = GenerateConfig(columns=("name",)), GenerateConfig(columns=("name",), exclude="taken.txt")
    assert [shard.recipe(next(config.shards()), {}).version - shard.version for config in listed] == [0, 1]


def test_an_option_added_later_moves_no_key_where_it_means_what_the_stage_did_before():
    def key(**options):
        sampling = SamplingConfig(**{"drawn_from": "network", **options})
        return Recipe.for_stage("names", 2, sampling, {"mixture": "a" * 64}).key

    before = {
        key(): "f07502c81e412f197d8166d0b8a85afd",
        key(max_length=6, truncate=True): "6ebad73bd677e66defe97dad0c9a216b",
        key(min_length=4, prefix="El", truncate=True): "43da9e9208950ac00d8995d6e4bf9659",
    }
    assert key(temperature=0.8, count=5) == "27460e36756e341329f493d22290faae"
    assert list(before) == list(before.values())
    assert key(drawn_from=None) not in before  # that is the mixture now
    assert len({*before, key(truncate=True), key(max_length=6), key(min_length=4, prefix="El")}) == 6
