"""Runs of the pipeline as far as the decision, on names of three syllables each, for tests of champions."""

from pathlib import Path
from typing import Any

from artifacts.registry import Reference, Registry
from artifacts.store import Store
from rnn_core.metrics.evaluation import EvaluationConfig
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.sample.sampler import SamplingConfig
from rnn_core.train.config import TrainingConfig
from tasks import stages
from tasks.config.promotion import PromotionConfig
from tasks.config.retrain import RetrainConfig
from tasks.config.settings import Settings, WorkerSettings
from tasks.config.sources import Source
from tasks.core.events import Finished, Notice
from tasks.core.stage import EmptyConfig
from tasks.engines.plain import stage_runner
from tasks.models import champion

SYLLABLES = ("ba", "do", "ri", "Lu", "men", "to", "al")
NAMES = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]


class Runs:
    """Of the pipeline as far as the decision, on names of three syllables each.

    Networks are compared, so that a training makes the difference: n-grams are as good after any.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.settings = Settings(store=self.store.root)
        self.workers: WorkerSettings | None = None

    def config(
        self,
        epochs: int,
        names=NAMES,
        source="syllables",
        training: Any = None,
        drawn_from: Any = "network",
        **promotion: Any,
    ) -> RetrainConfig:
        """training: further options of it."""
        path = self.folder / "names.txt"
        path.write_text("\n".join(names) + "\n")
        return RetrainConfig(
            sources=(Source(source, str(path)),),
            training=TrainingConfig(
                **{
                    "hidden_size": 8,
                    "epochs": epochs,
                    "patience": epochs,
                    "learning_rate": 0.01,
                    **(training or {}),
                }
            ),
            ngrams=NgramConfig(order=3),
            evaluation=EvaluationConfig(sample_names=60),
            promotion=PromotionConfig(**promotion),
            sampling=SamplingConfig(drawn_from=drawn_from),
        )

    def run(self, config: RetrainConfig, also=lambda _event: None) -> tuple[dict[str, bool], str]:
        """Whether each stage was computed; and what is told of the decision. also: hears every event."""
        computed: dict[str, bool] = {}
        told: list[str] = []

        def listen(event):
            also(event)
            if isinstance(event, Finished):
                computed[event.stage] = not event.reused
            if isinstance(event, Notice) and event.stage == "decision":
                told.append(event.text)

        with stage_runner(self.settings, listen, self.workers) as run:
            as_far_as_the_decision(config, run)
        return computed, told[-1]

    def decide(self, epochs: int, **changes) -> str:
        return self.run(self.config(epochs, **changes))[1]

    @property
    def champion(self) -> Reference:
        return self.registry().current().artifact

    def registry(self, source="syllables") -> Registry:
        return champion.champion_registry(self.store, (source,))

    def figures(self) -> tuple[dict[str, dict], dict]:
        """The rows by metric, and the facts, of the decision that was made last."""
        made = max(self.store.list("decision"), key=lambda made: self.folder_of(made).stat().st_mtime_ns)
        artifact, _ = self.store.examine("decision", made.recipe.key)
        return {row["metric"]: row for row in artifact.table("decision.parquet").to_pylist()}, made.metadata

    def folder_of(self, made) -> Path:
        return self.store.folder(made.recipe.stage, made.recipe.key)


def as_far_as_the_vocabulary(config, run):
    corpora = [run(stages.corpus, source.reading, file=source.files) for source in config.sources]
    merged = run(stages.merged, config.merging, corpora=corpora)
    validated = run(stages.validated, config.validation, merged=merged)
    return validated, run(stages.vocabulary, EmptyConfig(), validated=validated)


def as_far_as_the_decision(config, run):
    validated, letters = as_far_as_the_vocabulary(config, run)
    examples = run(stages.examples, config.examples_config, validated=validated, vocabulary=letters)
    model = run(stages.model, config.model_config, examples=examples, vocabulary=letters)
    mixture = run(stages.mixture, config.ngrams, model=model, examples=examples)
    evaluation = run(
        stages.evaluation, config.evaluation_config, mixture=mixture, examples=examples, vocabulary=letters
    )
    return run(
        stages.decision, config.decision_config, mixture=mixture, examples=examples, evaluation=evaluation
    )
