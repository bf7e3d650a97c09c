"""From input lists to new names, for any runner: Prefect, this process alone, or the plan of a dry run."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks import stages
from tasks.config.labels import readings
from tasks.config.retrain import RetrainConfig
from tasks.core.stage import EmptyConfig, StageRunner


class Lists(NamedTuple):
    """What is known of the names before training: artifacts, or promises of them."""

    corpora: Sequence[Any]
    merged: Any
    validated: Any
    profile: Any
    gate: Any


def lists(config: RetrainConfig, run: StageRunner) -> Lists:
    """From files to valid names, what they are like, and whether they may be trained on."""
    corpora = [run(stages.corpus, reading, file=files) for reading, files in readings(config.sources)]
    merged = run(stages.merged, config.merging, corpora=corpora)
    validated = run(stages.validated, config.validation, merged=merged, corpora=corpora)
    profile = run(stages.profile, EmptyConfig(), corpora=corpora, merged=merged, validated=validated)
    gate = run(stages.gate, config.gate, profile=profile)
    return Lists(corpora, merged, validated, profile, gate)


def pipeline(config: RetrainConfig, run: StageRunner) -> Any:
    """The report, which needs all the rest. `run(stage, config, **inputs)` gives an artifact or a promise."""
    inputs = lists(config, run)
    run.wait([inputs.gate])  # lists that it refuses are not trained on
    validated = inputs.validated
    vocabulary = run(stages.vocabulary, EmptyConfig(), validated=validated)
    examples = run(stages.examples, config.examples_config, validated=validated, vocabulary=vocabulary)
    model = run(stages.model, config.model_config, examples=examples, vocabulary=vocabulary)
    mixture = run(stages.mixture, config.ngrams, model=model, examples=examples)
    evaluation = run(
        stages.evaluation, config.evaluation_config, mixture=mixture, examples=examples, vocabulary=vocabulary
    )
    names = run(
        stages.names, config.names_config, mixture=mixture, vocabulary=vocabulary, validated=validated
    )
    run(stages.decision, config.decision_config, mixture=mixture, examples=examples, evaluation=evaluation)
    return run(
        stages.report,
        config.report_config,
        **inputs._asdict(),
        vocabulary=vocabulary,
        examples=examples,
        model=model,
        mixture=mixture,
        evaluation=evaluation,
        names=names,
    )
