"""An ensemble in a run: one artifact, which everything after it takes as it takes a network."""

from dataclasses import replace

import numpy as np
import pytest
from runs_to_decision import NAMES, Runs
from small_runs import files_of

from artifacts.model_file import MODEL, check_layout, model_contents
from rnn_core.metrics import scoring
from rnn_core.nn.ensemble import members_of
from rnn_core.train import processes
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.core.events import Progress
from tasks.models.load import load_model
from tasks.models.model_input import ModelFile

TWO = {"cell": "elman", "members": 2}


class EnsembleRuns(Runs):
    def model(self):
        """The network of the champion, as an artifact."""
        mixture, _ = self.store.resolve(self.champion)
        model, _ = self.store.resolve(mixture.input("model"))
        return model

    def networks(self, model=None):
        return model_contents((model or self.model()).arrays(MODEL, check_layout)).network


@pytest.fixture
def runs(tmp_path):
    return EnsembleRuns(tmp_path)


def test_its_members_are_one_artifact_and_everything_after_it_scores_and_draws_their_average(runs):
    runs.run(runs.config(3, training=TWO))
    members = members_of(runs.networks())
    assert len(members) == 2
    card = runs.model().manifest().metadata["model_card"]
    assert (card["members"], card["epochs_done"]) == (2, 3)
    assert card["parameters"] == 2 * sum(leaf.size for leaf in (*members[0].layers[0], *members[0][1:]))
    mixture, _ = runs.store.resolve(runs.champion)
    loaded = load_model(ModelFile(mixture.folder / MODEL, mixture))
    each = [scoring.character_log_probabilities(m, loaded.vocabulary.encode(["bado"])) for m in members]
    (log_p,) = loaded.log_probabilities(["bado"], "network")
    assert log_p == pytest.approx(np.log(np.mean(np.exp(each), axis=0)).sum(), rel=1e-5)
    assert len(set(loaded.draw(20, drawn_from="network").to_pylist())) > 1
    assert len(set(loaded.draw(20, drawn_from="mixture").to_pylist())) > 1


def test_its_first_member_is_the_network_of_a_run_without_others(runs, tmp_path):
    runs.run(runs.config(2, training=TWO))
    (tmp_path / "alone").mkdir()
    alone = EnsembleRuns(tmp_path / "alone")
    alone.run(alone.config(2, training={**TWO, "members": 1}))
    first, second = members_of(runs.networks())
    (only,) = members_of(alone.networks())
    assert (first.W_hy == only.W_hy).all()
    assert not (second.W_hy == only.W_hy).any()
    assert "members" not in alone.model().manifest().metadata["model_card"]


def test_one_member_is_the_default_and_part_of_no_key():
    recipes = [stages.model.recipe(TrainingConfig(members=count), inputs={}) for count in (1, 2)]
    assert "members" not in recipes[0].config
    assert recipes[1].differences(recipes[0]) == {"config.members": (None, 2)}


@pytest.mark.parametrize(
    ("workers", "stop", "noted"),
    [(1, 40, "member 2 of 2, "), (2, 5, "members 1, 2 of 2, ")],
    ids=["one after the other", "beside each other"],
)
def test_a_killed_training_of_members_goes_on_and_ends_with_the_same_bytes(
    runs, tmp_path, monkeypatch, workers, stop, noted
):
    monkeypatch.setattr(processes, "WORTH_STARTING", 0)
    config = runs.config(3, training={**TWO, "batch_size": 32})
    seen = []

    def kill(event):
        if isinstance(event, Progress) and event.stage == "model":
            seen.append(event)
            if len(seen) == stop:
                raise KeyboardInterrupt

    runs.settings = replace(runs.settings, checkpoint_seconds=0, workers=workers)
    with pytest.raises(KeyboardInterrupt):
        runs.run(config, kill)
    killed = seen[-1]
    runs.run(config, kill)
    assert killed.note.startswith(noted)
    assert killed.done - workers < seen[stop].done, "it went on from its checkpoint"
    assert (seen[-1].done, seen[-1].total) == (2 * 3 * 9, 2 * 3 * 9)
    (tmp_path / "whole").mkdir()
    whole = EnsembleRuns(tmp_path / "whole")
    whole.run(whole.config(3, training={**TWO, "batch_size": 32}))
    assert files_of(runs.store.root) == files_of(whole.store.root)


def test_each_member_starts_from_that_of_the_champion_and_another_number_of_members_from_scratch(runs):
    options = {**TWO, "start": "champion", "dropout": 0.0, "recurrent_dropout": 0.0}
    always = {"margin": 99.0, "min_gain": 99.0, "min_names": 1, "resamples": 100}
    still = {**options, "learning_rate": 1e-9, "weight_decay": 0.0}
    runs.run(runs.config(3, training=still, **always))
    before = members_of(runs.networks())
    started = runs.model()
    more = [*NAMES, "mentobari"]
    runs.run(runs.config(3, names=more, training=still, **always))
    model = next(
        made
        for key in runs.store.keys("model")
        if (made := runs.store.examine("model", key)[0]).reference != started.reference
    )
    assert model.manifest().recipe.inputs["champion"] == started.digest
    for now, then in zip(members_of(runs.networks(model)), before, strict=True):
        np.testing.assert_allclose(now.layers[0].W_hh, then.layers[0].W_hh, atol=1e-6)
    runs.run(runs.config(3, names=more, training={**still, "members": 3}, **always))
    cards = [
        runs.store.examine("model", key)[0].manifest().metadata["model_card"]
        for key in runs.store.keys("model")
    ]
    (reason,) = (card["start"] for card in cards if card["members"] == 3)
    assert reason == "scratch: the champion has other options: training.members"
