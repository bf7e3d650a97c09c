"""Corpora to names, whoever runs it: Prefect, this process alone, or a plan of what would be done."""

from typing import Any

from tasks.config import RetrainConfig
from tasks.stage import Runner
from tasks.stages import (
    NoKnobs,
    corpus,
    decision,
    evaluation,
    examples,
    merged,
    mixture,
    model,
    names,
    report,
    validated,
    vocabulary,
)


def pipeline(config: RetrainConfig, run: Runner) -> Any:
    """The report, which needs all the rest. `run(stage, config, **inputs)` gives an artifact or a promise."""
    corpora = [run(corpus, source.reading, file=source.file) for source in config.sources]
    together = run(merged, config.merging, corpora=corpora)
    accepted = run(validated, config.validation, merged=together)
    letters = run(vocabulary, NoKnobs(), validated=accepted)
    shuffled = run(examples, config.ordering, validated=accepted, vocabulary=letters)
    trained = run(model, config.learning, examples=shuffled, vocabulary=letters)
    mixed = run(mixture, config.ngrams, model=trained, examples=shuffled)
    judged = run(evaluation, config.judging, mixture=mixed, examples=shuffled, vocabulary=letters)
    drawn = run(names, config.drawing, mixture=mixed, vocabulary=letters, validated=accepted)
    run(decision, config.deciding, mixture=mixed, examples=shuffled, evaluation=judged)
    return run(
        report,
        NoKnobs(),
        corpora=corpora,
        merged=together,
        validated=accepted,
        vocabulary=letters,
        examples=shuffled,
        model=trained,
        evaluation=judged,
        names=drawn,
    )
