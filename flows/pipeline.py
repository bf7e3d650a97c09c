"""Corpora to names, whoever runs it: Prefect, this process alone, or a plan of what would be done."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.config.retrain import RetrainConfig
from tasks.core.stage import EmptyConfig, StageRunner
from tasks.stages import (
    corpus,
    decision,
    evaluation,
    examples,
    gate,
    merged,
    mixture,
    model,
    names,
    profile,
    report,
    validated,
    vocabulary,
)


class Lists(NamedTuple):
    """What is known of the names before anything is learnt from them: artifacts, or promises of them."""

    corpora: Sequence[Any]
    merged: Any
    validated: Any
    profile: Any
    gate: Any


def lists(config: RetrainConfig, run: StageRunner) -> Lists:
    """Files to the names that are valid, and what they are like."""
    corpora = [run(corpus, source.reading, file=source.files) for source in config.sources]
    together = run(merged, config.merging, corpora=corpora)
    valid = run(validated, config.validation, merged=together, corpora=corpora)
    like = run(profile, EmptyConfig(), corpora=corpora, merged=together, validated=valid)
    return Lists(corpora, together, valid, like, run(gate, config.gate, profile=like))


def pipeline(config: RetrainConfig, run: StageRunner) -> Any:
    """The report, which needs all the rest. `run(stage, config, **inputs)` gives an artifact or a promise."""
    given = lists(config, run)
    run.wait([given.gate])  # nothing is learnt from lists that it refuses
    accepted = given.validated
    letters = run(vocabulary, EmptyConfig(), validated=accepted)
    shuffled = run(examples, config.ordering, validated=accepted, vocabulary=letters)
    trained = run(model, config.learning, examples=shuffled, vocabulary=letters)
    mixed = run(mixture, config.ngrams, model=trained, examples=shuffled)
    judged = run(evaluation, config.judging, mixture=mixed, examples=shuffled, vocabulary=letters)
    drawn = run(names, config.drawing, mixture=mixed, vocabulary=letters, validated=accepted)
    run(decision, config.deciding, mixture=mixed, examples=shuffled, evaluation=judged)
    return run(
        report,
        EmptyConfig(),
        **given._asdict(),
        vocabulary=letters,
        examples=shuffled,
        model=trained,
        evaluation=judged,
        names=drawn,
    )
