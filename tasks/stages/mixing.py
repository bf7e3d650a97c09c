"""The stage `mixture`: an n-gram model beside the network, and how both become one."""

from functools import partial
from typing import Any

from artifacts.model_file import MODEL, ModelContents, check_layout, mixture_arrays, model_contents
from artifacts.store import Artifact
from rnn_core.metrics.scoring import mean_nats_per_character
from rnn_core.ngram.by_style import Ngrams, StyleNgrams
from rnn_core.ngram.discounts import fit_ngrams
from rnn_core.ngram.kneser_ney import NgramConfig
from rnn_core.ngram.mixture import Mixture, fit_rule, log_probabilities
from rnn_core.ngram.rules import GeometricRule
from rnn_core.text.names import EncodedNames
from tasks.core.stage import StageContext, stage
from tasks.stages.training import load_split


@stage(version=5)
def mixture(context: StageContext, config: NgramConfig, *, model: Artifact, examples: Artifact) -> None:
    """The network and an n-gram model, and the rule by which both together predict best."""
    arrays = model.arrays(MODEL, check_layout)
    contents = model_contents(arrays)
    parameters = contents.network
    training, validation = (
        load_split(examples, split, parameters.vocabulary_size, contents.styles)
        for split in ("train", "validation")
    )
    ngrams, rule = _best_fit(config, contents, training, validation)
    context.writer.write_arrays(MODEL, mixture_arrays(arrays, ngrams, rule))
    card: dict[str, Any] = {"order": config.order, "ngrams": ngrams.counts}
    if isinstance(ngrams, StyleNgrams):
        card["ngrams_of_each_style"] = True
    context.writer.metadata["model_card"] = card | (_rule_card(rule) if rule else {})


def _best_fit(
    config: NgramConfig, contents: ModelContents, training: EncodedNames, validation: EncodedNames
) -> tuple[Ngrams, GeometricRule | None]:
    """The n-grams, of all names together or of each style, and the rule that combines them with the network.

    Of styles those are taken with which the mixture predicts the validation names better, each in its style:
    few names of many styles are better counted together.
    """
    networks, size = contents.network, contents.network.vocabulary_size
    together: Ngrams = fit_ngrams(config, training, validation, size)
    if not validation.count:
        return together, None
    if not contents.styles:
        return together, fit_rule(networks, together, training, validation)
    of_one = partial(fit_ngrams, config, vocabulary_size=size)
    by_style: Ngrams = StyleNgrams.fit(of_one, training, validation, size, networks.style_count)
    fits = [(ngrams, fit_rule(networks, ngrams, training, validation)) for ngrams in (together, by_style)]
    nats = [
        mean_nats_per_character(log_probabilities(Mixture(networks, *fit), validation), validation)
        for fit in fits
    ]
    return fits[int(nats[1] < nats[0])]


def _rule_card(rule: GeometricRule) -> dict[str, list[float]]:
    """The exponents of the network and the n-grams, for people."""
    return {
        "character_exponents": [round(float(exponent), 4) for exponent in rule.characters],
        "end_exponents": [round(float(exponent), 4) for exponent in rule.ends],
    }


def load_models(artifact: Artifact) -> ModelContents:
    """The network, n-grams and mixture in an artifact. Raises DataError for arrays that are no model."""
    return model_contents(artifact.arrays(MODEL, check_layout))
