"""The stage `evaluation`, over what a small training leaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from data.config import CorpusConfig, EvaluationStageConfig, ExamplesConfig, MergingConfig, ValidationConfig
from rnn_core.errors import ConfigError
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.settings import Settings
from tasks.core.events import Event, Progress
from tasks.core.stage import AnyStage, EmptyConfig
from tasks.stages import evaluating

SYLLABLES = ("ba", "do", "ri", "Lu", "men", "to", "al", "sor", "qui", "Ga")
Rows = dict[tuple[str, str, str, str], tuple[float, int]]


class Pipeline:
    """As far as evaluation, each stage in turn, on names of three syllables each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.progress: list[Progress] = []

    def on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress.append(event)

    def made(self, stage: AnyStage, config: Any, **inputs: Any) -> Artifact:
        settings = Settings(store=self.folder / "store")
        return stage.produce(settings, config, self.on_event, {"engine": "test"}, **inputs)[0]

    def evaluated(
        self,
        config: EvaluationConfig,
        splitting: ExamplesConfig,
        shouted: bool = False,
        accepted: ValidationConfig = ValidationConfig(),
    ) -> tuple[Rows, Artifact]:
        """shouted: whether every name is in the list once more, in capitals. accepted: of the names drawn."""
        names = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES[:3]]
        path = self.folder / "names.txt"
        path.write_text("\n".join([*names, *(name.upper() for name in names if shouted)]))
        corpus = self.made(stages.corpus, CorpusConfig("syllables"), file=SourceFile(path))
        merged = self.made(stages.merged, MergingConfig(), corpora=[corpus])
        validated = self.made(stages.validated, ValidationConfig(), merged=merged)
        letters = self.made(stages.vocabulary, EmptyConfig(), validated=validated)
        examples = self.made(stages.examples, splitting, validated=validated, vocabulary=letters)
        training = TrainingConfig(hidden_size=8, epochs=2)
        model = self.made(stages.model, training, examples=examples, vocabulary=letters)
        mixture = self.made(stages.mixture, NgramConfig(order=3), model=model, examples=examples)
        judging = EvaluationStageConfig(config, accepted)
        artifact = self.made(
            stages.evaluation, judging, mixture=mixture, examples=examples, vocabulary=letters
        )
        return dict(by_name(artifact)), artifact


def by_name(artifact: Artifact) -> Iterator[tuple[tuple[str, str, str, str], tuple[float, int]]]:
    for row in artifact.table("metrics.parquet").to_pylist():
        yield (
            (row["model"], row["split"], row["source"], row["metric"]),
            (row["value"], row["names"]),
        )


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Of names a quarter of which was held out, for tests that only read."""
    pipeline = Pipeline(tmp_path_factory.mktemp("evaluation"))
    config = EvaluationConfig(sample_names=150)
    return pipeline.evaluated(config, ExamplesConfig(validation_share=0.15, test_share=0.1), shouted=True)[0]


def test_network_mixture_and_baseline_are_scored_on_every_split_whole_and_by_source(evaluated):
    for model in ("rnn", "mixture", "kneser-ney 3-gram"):
        for split in ("train", "validation", "test"):
            for source in ("all", "syllables"):
                bits, names = evaluated[model, split, source, "bits_per_character"]
                nats, _ = evaluated[model, split, source, "nats_per_character"]
                perplexity, _ = evaluated[model, split, source, "perplexity"]
                assert names > 0
                assert 2**bits == pytest.approx(perplexity)
                assert bits > nats > 0


def test_no_held_out_name_is_another_spelling_of_a_training_name_so_all_count_as_never_seen(evaluated):
    for split in ("validation", "test"):
        value, names = evaluated["rnn", f"{split}_unseen", "all", "nats_per_character"]
        assert (value, names) == evaluated["rnn", split, "all", "nats_per_character"]
        assert value > 0
        assert names > 0
    assert ("rnn", "train_unseen", "all", "nats_per_character") not in evaluated


def test_a_sample_of_every_model_is_measured_beside_held_out_names(evaluated):
    shares = ("uniqueness", "novelty", "word_novelty", "ngram_divergence_1", "ngram_divergence_3")
    for model in ("rnn", "mixture", "held-out"):
        for metric in shares:
            value, names = evaluated[model, "sample", "all", metric]
            assert 0 <= value <= 1
            assert 0 < names <= 150
        assert evaluated[model, "sample", "all", "edit_distance_to_training"][0] >= 0
        assert evaluated[model, "sample", "all", "length_distance"][0] >= 0
    for model in ("rnn", "mixture"):
        ratio = evaluated[model, "sample", "all", "edit_distance_ratio"][0]
        distances = (
            evaluated[of, "sample", "all", "edit_distance_to_training"][0] for of in (model, "held-out")
        )
        assert ratio == pytest.approx(next(distances) / next(distances))
        validity, names = evaluated[model, "sample", "all", "validity"]
        assert 0.5 < validity <= 1
        assert names == 150


def test_every_model_split_and_metric_is_defined_in_the_docs(evaluated):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    for model, split, _, metric in evaluated:
        assert f"`{model.replace('3-gram', '8-gram')}`" in page
        assert f"`{split}`" in page
        assert f"`{metric}`" in page or f"`{metric[-2:]}`" in page


def test_names_of_a_length_that_is_not_accepted_are_not_valid(tmp_path):
    pipeline = Pipeline(tmp_path)
    shares = []
    for shortest, longest in ((1, 49), (1, 6), (7, 49)):
        accepted = ValidationConfig(min_length=shortest, max_length=longest)
        rows, _ = pipeline.evaluated(EvaluationConfig(sample_names=40), ExamplesConfig(), accepted=accepted)
        shares.append(rows["rnn", "sample", "all", "validity"][0])
    assert 0 < shares[1] < 1
    assert 0 < shares[2] < 1
    assert shares[1] + shares[2] == pytest.approx(shares[0])


def test_without_held_out_names_there_is_no_mixture_and_nothing_to_compare_a_sample_with(tmp_path):
    everything = ExamplesConfig(validation_share=0.0, test_share=0.0)
    rows, _ = Pipeline(tmp_path).evaluated(EvaluationConfig(sample_names=30), everything)
    assert {model for model, *_ in rows} == {"rnn", "kneser-ney 3-gram"}
    measured = {metric for _, split, _, metric in rows if split == "sample"}
    assert measured == {"validity", "uniqueness", "novelty", "word_novelty", "edit_distance_to_training"}


def test_no_sample_is_drawn_if_none_is_asked_for(tmp_path):
    rows, _ = Pipeline(tmp_path).evaluated(EvaluationConfig(sample_names=0), ExamplesConfig())
    assert {split for _, split, _, _ in rows} == {
        "train",
        "validation",
        "test",
        "validation_unseen",
        "test_unseen",
    }


def test_another_seed_draws_other_names_and_scores_the_given_ones_alike(tmp_path):
    pipeline = Pipeline(tmp_path)
    one, other = (
        pipeline.evaluated(EvaluationConfig(sample_names=30, seed=seed), ExamplesConfig())[0]
        for seed in (0, 1)
    )
    assert one.keys() == other.keys()
    changed = {key[1] for key in one if one[key] != other[key]}
    assert changed == {"sample"}


@pytest.mark.parametrize(
    "wrong",
    [{"sample_names": -1}, {"sample_names": 1.5}, {"seed": -1}],
)
def test_a_knob_of_evaluation_that_is_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"EvaluationConfig\."):
        EvaluationConfig(**wrong)


def test_a_split_with_very_many_names_is_scored_on_a_sample_and_progress_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "MAX_SCORED", 60)
    pipeline = Pipeline(tmp_path)
    splitting = ExamplesConfig(validation_share=0.15, test_share=0.1)
    rows, _ = pipeline.evaluated(EvaluationConfig(sample_names=0), splitting)
    names = {split: rows["rnn", split, "all", "perplexity"][1] for split in ("train", "validation", "test")}
    assert names["train"] == 60
    assert 0 < names["test"] < names["validation"] <= 60, "what is not too large is scored whole"
    scored = [event for event in pipeline.progress if event.stage == "evaluation"]
    assert scored[-1].done == scored[-1].total == 3 * sum(names.values())
    assert {event.note for event in scored} == {"names scored, once by each model"}
