"""The stage `mixture`: an n-gram model beside the network, and how both become one."""

from artifacts.model_file import MODEL, ModelContents, check_layout, mixture_arrays, model_contents
from artifacts.store import Artifact
from rnn_core.ngram.discounts import fit_ngrams
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.ngram.mixture import fit_rule
from rnn_core.ngram.rules import GeometricRule
from tasks.core.stage import StageContext, stage
from tasks.stages.training import load_split


@stage(version=3)
def mixture(context: StageContext, config: NgramConfig, *, model: Artifact, examples: Artifact) -> None:
    """The network and an n-gram model, and the rule by which both together predict best."""
    arrays = model.arrays(MODEL, check_layout)
    contents = model_contents(arrays)
    parameters = contents.network
    training, validation = (
        load_split(examples, split, parameters.vocabulary_size, contents.styles)
        for split in ("train", "validation")
    )
    ngrams = fit_ngrams(config, training, validation, parameters.vocabulary_size)
    rule = fit_rule(parameters, ngrams, training, validation) if validation.count else None
    context.writer.write_arrays(MODEL, mixture_arrays(arrays, ngrams, rule))
    card = {"order": config.order, "ngrams": [len(level.codes) for level in ngrams.levels]}
    context.writer.metadata["model_card"] = card | (_rule_card(rule) if rule else {})


def _rule_card(rule: GeometricRule) -> dict[str, list[float]]:
    """The exponents of the network and the n-grams, for people."""
    return {
        "character_exponents": [round(float(exponent), 4) for exponent in rule.characters],
        "end_exponents": [round(float(exponent), 4) for exponent in rule.ends],
    }


def load_models(artifact: Artifact) -> ModelContents:
    """The network, n-grams and mixture in an artifact. Raises DataError for arrays that are no model."""
    return model_contents(artifact.arrays(MODEL, check_layout))
