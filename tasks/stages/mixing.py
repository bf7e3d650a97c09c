"""The stage `mixture`: the n-grams beside the network, and how much each of them is to say."""

from artifacts.model_file import MODEL, Models, models_in, with_ngrams
from artifacts.store import Artifact
from rnn_core.ngram.kneser_ney import KneserNey, NgramConfig
from rnn_core.ngram.mixture import fit_weight
from tasks.core.stage import StageContext
from tasks.stages.training import opened_split


def mixture(work: StageContext, config: NgramConfig, model: Artifact, examples: Artifact) -> None:
    training, validation = (opened_split(examples, split) for split in ("train", "validation"))
    arrays = model.arrays(MODEL)
    parameters = models_in(arrays).network
    ngrams = KneserNey.fit(training, parameters.vocabulary_size, config.order, config.discount)
    weight = fit_weight(parameters, ngrams, validation) if validation.count else None
    work.draft.write_arrays(MODEL, with_ngrams(arrays, ngrams, weight))
    card = {"order": config.order, "ngrams": [len(level.codes) for level in ngrams.levels]}
    fitted = {} if weight is None else {"network_weight": weight}
    work.draft.facts["model_card"] = {**card, **fitted}


def opened(artifact: Artifact) -> Models:
    """Raises DataError for arrays that are no model."""
    return models_in(artifact.arrays(MODEL))
