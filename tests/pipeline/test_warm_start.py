"""A training that starts from the champion: when it does, what it keeps, and that it can be repeated."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from runs_to_decision import NAMES, Runs, as_far_as_the_decision, as_far_as_the_vocabulary
from small_runs import files_of

from artifacts.model_file import MODEL, check_layout, model_contents, stored_vocabulary
from artifacts.store import Artifact
from data.config import ExamplesConfig, MergingConfig
from rnn_core.errors import DataError
from rnn_core.metrics.evaluation import EvaluationConfig
from tasks import stages
from tasks.config.retrain import RetrainConfig
from tasks.core.events import Finished, Notice, Progress
from tasks.core.plan import Plan
from tasks.engines.plain import stage_runner
from tasks.models import champion
from tasks.models.warm_start import Start, choose_start
from tasks.report.outcome import outcome_sections

EPOCHS = 40
MORE = [*NAMES, "zamen"]  # one name, and one character
EASY = {
    "margin": 99.0,
    "min_gain": 99.0,
    "min_names": 1,
    "resamples": 100,
}  # what is new is promoted on another list alone


class WarmRuns(Runs):
    """Runs with a small network whose training starts from the champion."""

    def warm(self, names=NAMES, **training) -> RetrainConfig:
        options = {"cell": "elman", "start": "champion", "dropout": 0.0, **training}
        config = self.config(EPOCHS, names=names, training=options, **EASY)
        return replace(config, evaluation=EvaluationConfig(sample_names=0))

    def model_of(self, config: RetrainConfig) -> tuple[Artifact, list[str], bool]:
        """The network of a run, the lines of its log, and whether anything was computed."""
        events = []
        computed, _ = self.run(config, events.append)
        (model,) = (
            event.artifact for event in events if isinstance(event, Finished) and event.stage == "model"
        )
        lines = [event.text for event in events if isinstance(event, Notice) and event.stage == "model"]
        return model, lines, any(computed.values())

    def choice(self, config: RetrainConfig) -> Start:
        """What a training would start from now."""
        with stage_runner(self.settings, lambda _event: None) as run:
            validated, vocabulary = as_far_as_the_vocabulary(config, run)
        recipe = stages.examples.recipe(
            config.examples_config, {"validated": validated, "vocabulary": vocabulary}
        )
        return choose_start(self.store, config.model_config, recipe, validated)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A store whose champion was trained from scratch, for tests that copy it."""
    runs = WarmRuns(tmp_path_factory.mktemp("warm"))
    runs.run(runs.warm())
    return runs


@pytest.fixture
def runs(first, tmp_path):
    shutil.copytree(first.store.root, tmp_path / "store")
    return WarmRuns(tmp_path)


def champion_network(runs) -> Artifact:
    mixture, _ = runs.store.resolve(runs.champion)
    network, _ = runs.store.resolve(mixture.input("model"))
    return network


def test_without_a_champion_it_is_the_training_from_scratch_to_the_byte(runs, tmp_path):
    model, _, is_computed = runs.model_of(runs.warm(start="scratch"))
    assert not is_computed, "the key is that of a training from scratch"
    card = model.manifest().metadata["model_card"]
    assert card["start"] == "scratch: no model of these lists was promoted yet"
    (tmp_path / "other").mkdir()
    other = WarmRuns(tmp_path / "other")
    again, lines, _ = other.model_of(other.warm(start="scratch"))
    assert again.reference == model.reference
    assert not any("starts from" in line for line in lines)
    assert "start" not in again.manifest().metadata["model_card"]


def test_a_changed_list_starts_from_the_champion_with_a_short_training_and_says_so(runs):
    before = champion_network(runs)
    model, lines, _ = runs.model_of(runs.warm(MORE))
    started = f"the champion model/{before.key[:12]}: 0.29% of its names changed"
    assert f"the training starts from {started}" in lines
    manifest = model.manifest()
    assert manifest.metadata["model_card"]["start"] == started
    assert manifest.recipe.inputs["champion"] == before.digest
    assert manifest.origins["champion"] == before.origin
    steps_before, steps = (each.manifest().metadata["model_card"]["steps_done"] for each in (before, model))
    assert steps == pytest.approx(0.15 * steps_before, abs=1)
    rates = [each.table("history.parquet")["learning_rate"].to_numpy().max() for each in (before, model)]
    assert rates[1] < rates[0]
    page = " ".join(section.lead for section in outcome_sections([model], None))
    assert page == f"Its training started from {started}."


def test_after_a_promotion_an_unchanged_run_computes_nothing_even_without_what_it_started_from(runs):
    ancestor, config = champion_network(runs), runs.warm(MORE)
    model, *_ = runs.model_of(config)
    assert champion_network(runs) == model != ancestor
    plan = Plan(runs.settings)
    as_far_as_the_decision(config, plan)
    assert not any(stage.reason for stage in plan.stages)
    for _ in range(2):
        again, _, is_computed = runs.model_of(config)
        assert (again, is_computed) == (model, False)
        shutil.rmtree(ancestor.folder, ignore_errors=True)


def test_a_killed_training_goes_on_from_its_champion_though_another_was_promoted_meanwhile(runs, tmp_path):
    undisturbed = WarmRuns(tmp_path / "undisturbed")
    shutil.copytree(runs.store.root, undisturbed.store.root)
    other = champion_network(runs)
    runs.run(runs.warm(seed=1, start="scratch"))  # same list: it is not promoted
    (key,) = (key for key in runs.store.keys("mixture") if key != runs.champion.key)
    steps = []

    def kill(event):
        if isinstance(event, Progress) and event.stage == "model":
            steps.append(event.done)
            if len(steps) == 20:
                raise KeyboardInterrupt

    runs.settings = replace(runs.settings, checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        runs.run(runs.warm(MORE), kill)
    champion.promote_by_hand(runs.store, runs.store.examine("mixture", key)[0], {}, on_wait=lambda: None)
    assert champion_network(runs) != other
    model, lines, _ = runs.model_of(runs.warm(MORE))
    assert f"the training starts from the champion model/{other.key[:12]}: as it began" in lines
    assert any(line.startswith("going on from the checkpoint") for line in lines)
    expected, *_ = undisturbed.model_of(undisturbed.warm(MORE))
    assert model.reference == expected.reference
    resumed, whole = (files_of(each.store.root) for each in (runs, undisturbed))
    assert {name: resumed[name] for name in whole if name.startswith(("model/", "examples/"))} == {
        name: content for name, content in whole.items() if name.startswith(("model/", "examples/"))
    }


def test_after_as_many_as_allowed_in_a_row_a_training_starts_from_scratch_and_counts_anew(runs):
    starts = []
    for number in range(3):
        names = [*NAMES, *("mentobari", "torilu", "alda")[: number + 1]]
        starts.append(runs.model_of(runs.warm(names, max_warm_starts=1))[0].manifest().metadata)
    reasons = [metadata["model_card"]["start"].partition(" model/")[0] for metadata in starts]
    in_a_row = "scratch: 1 training in a row started from a champion (max_warm_starts)"
    assert reasons == ["the champion", in_a_row, "the champion"]
    assert [metadata["warm_starts"] for metadata in starts] == [1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training": {"cell": "gru"}}, "the champion has other options: training.cell"),
        ({"training": {"hidden_size": 9, "seed": 3}}, "training.hidden_size, training.seed"),
        ({"training": {"learning_rate": None}}, "training.learning_rate"),
        (
            {"training": {"max_list_change": 0.002}},
            "0.29% of its names changed, more than 0.20% (max_list_change)",
        ),
        ({"training": {"max_warm_starts": 1}}, "0.29% of its names changed"),
        ({"merging": MergingConfig(normalisation="none")}, "merging.normalisation"),
        ({"examples": ExamplesConfig(seed=1)}, "examples.seed"),
    ],
)
def test_options_and_limits_decide_what_a_training_starts_from(runs, changes, reason):
    training = changes.pop("training", {})
    start = runs.choice(replace(runs.warm(MORE, **training), **changes))
    assert start.reason.endswith(reason)
    assert bool(start.champion) is (reason == "0.29% of its names changed")


@pytest.mark.parametrize("stage", ["mixture", "model", "examples"])
def test_a_champion_that_is_not_whole_is_nothing_to_start_from(runs, stage):
    (key,) = runs.store.keys(stage)
    shutil.rmtree(runs.store.folder(stage, key))
    start = runs.choice(runs.warm(MORE))
    assert not start.inputs
    assert start.reason == "the champion or what it was trained on is not in the store, or damaged"


def test_a_training_whose_champion_is_removed_before_it_began_is_one_clear_error(runs):
    model, *_ = runs.model_of(runs.warm(MORE))
    start, _ = runs.store.resolve(model.input("champion"))
    shutil.rmtree(start.folder)
    runs.settings = replace(runs.settings, refresh=("model",))
    with pytest.raises(DataError) as caught:
        runs.run(runs.warm(MORE))
    assert caught.value.code == "champion.missing"
    assert "--training.start scratch" in caught.value.fix


def test_held_out_names_stay_held_out_and_no_name_trained_on_before_is_held_out(runs):
    splits = []
    for number in range(4):
        # Spellings of names that are there, which would change the hash that decides.
        names = [*NAMES[number:], *(name.upper() for name in NAMES[20 : 20 + 8 * number])]
        model, *_ = runs.model_of(runs.warm(names))
        table = runs.store.resolve(model.input("examples"))[0].table("examples.parquet", ["name", "split"])
        splits.append({row["name"]: row["split"] for row in table.to_pylist()})
    assert model.manifest().metadata["warm_starts"] == 3
    assert all(len(set(split.values())) == 3 for split in splits)
    for before in splits[:-1]:
        assert all(split == before.get(name, split) for name, split in splits[-1].items())
        assert all(
            splits[-1][name] == before[name.lower()]
            for name in splits[-1]
            if name.isupper() and name.lower() in before
        )


def test_characters_that_both_have_keep_their_rows_and_a_new_one_starts_as_from_scratch(runs):
    """At a learning rate of nearly nothing, the parameters are those that it started from."""
    before = champion_network(runs).arrays(MODEL, check_layout)
    runs.run(runs.warm(learning_rate=1e-9, weight_decay=0.0, seed=5))
    key = next(k for k in runs.store.keys("mixture") if k != runs.champion.key)
    champion.promote_by_hand(runs.store, runs.store.examine("mixture", key)[0], {}, on_wait=lambda: None)
    start = champion_network(runs).arrays(MODEL, check_layout)
    model, *_ = runs.model_of(runs.warm(MORE, learning_rate=1e-9, weight_decay=0.0, seed=5))
    after = model.arrays(MODEL, check_layout)
    assert set(stored_vocabulary(after).characters) - set(stored_vocabulary(before).characters) == {"z"}
    old, new = (stored_vocabulary(arrays).characters for arrays in (start, after))
    rows = [new.index(character) for character in old]
    ours, theirs = (model_contents(arrays).network for arrays in (after, start))
    for now, then in (
        (ours.layers[0].W_xh[rows], theirs.layers[0].W_xh),
        (ours.layers[0].W_hh, theirs.layers[0].W_hh),
        (ours.W_hy[:, rows], theirs.W_hy),
        (ours.b_y[rows], theirs.b_y),
    ):
        np.testing.assert_allclose(now, then, atol=1e-6)
    place = new.index("z")
    np.testing.assert_allclose(ours.W_hy[:, place], 0.0, atol=1e-6)
    assert np.abs(ours.layers[0].W_xh[place]).max() > 0.1
