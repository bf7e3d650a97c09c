"""The stage `mixture`: the n-grams beside the network, and how much each of them is to say."""

from typing import NamedTuple

import numpy as np

from artifacts.store import Artifact
from rnn_core import network
from rnn_core.mixture import Mixture, fit_weight, weight_from
from rnn_core.ngram import KneserNey, NgramConfig
from tasks.making.model import CHARACTERS, MODEL, opened_model, opened_split
from tasks.stage import Work

_NGRAMS, _WEIGHT = "ngrams.", "mixture.weight"


class Models(NamedTuple):
    """mixture: None if there were no validation names to fit its weight on."""

    network: network.Parameters
    ngrams: KneserNey
    mixture: Mixture | None


def mixture(work: Work, config: NgramConfig, model: Artifact, examples: Artifact) -> None:
    training, validation = (opened_split(examples, split) for split in ("train", "validation"))
    parameters = opened_model(model)
    ngrams = KneserNey.fit(training, parameters.vocabulary_size, config.order, config.discount)
    arrays = {**model.arrays(MODEL), **ngrams.to_arrays()}
    card = {"order": config.order, "ngrams": [len(level.codes) for level in ngrams.levels]}
    if validation.count:
        weight = fit_weight(parameters, ngrams, validation)
        arrays[_WEIGHT] = np.array(weight)
        card["network_weight"] = weight
    work.draft.write_arrays(MODEL, arrays)
    work.draft.facts["model_card"] = card


def opened(artifact: Artifact) -> Models:
    """Raises DataError for arrays that are no model."""
    arrays = artifact.arrays(MODEL)
    arrays.pop(CHARACTERS, None)
    weight = arrays.pop(_WEIGHT, None)
    of_ngrams = {name: arrays.pop(name) for name in list(arrays) if name.startswith(_NGRAMS)}
    parameters, ngrams = network.from_arrays(arrays), KneserNey.from_arrays(of_ngrams)
    both = Mixture(parameters, ngrams, 1.0 if weight is None else weight_from(weight))
    return Models(parameters, ngrams, None if weight is None else both)
