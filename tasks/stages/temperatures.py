"""Names of one network at several temperatures, from the most probable ones to the boldest."""

from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data.name_rules import NameRules
from data.text.strings import to_strings
from rnn_core.sample.constraints import NamePredicate
from rnn_core.sample.model import Model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.vocabulary import Vocabulary
from tasks.process import threads
from tasks.report.sample import NAMES_PER_TEMPERATURE, TemperatureSample
from tasks.stages.mixing import load_models

TEMPERATURES = 0.5, 0.8, 1.0, 1.2


def temperature_samples(
    model: Artifact,
    vocabulary: Vocabulary,
    list_names: pa.ChunkedArray,
    capitalise_first: bool = False,
    workers: int = 1,
) -> list[TemperatureSample]:
    """A few names at every temperature; none if the vocabulary has no characters.

    model:       of the stage `model`.
    list_names:  of the lists that it was trained on.
    workers:     threads that share the temperatures.
    """
    if not vocabulary.characters[1:]:
        return []
    network = load_models(model).select("network")
    config = SamplingConfig(count=NAMES_PER_TEMPERATURE, capitalise_first=capitalise_first)
    accepts = NameRules.from_names(list_names).predicate(vocabulary)
    configs = (replace(config, temperature=temperature) for temperature in TEMPERATURES)
    calls = [partial(_sample, network, vocabulary, list_names, accepts, config) for config in configs]
    return threads.results(calls, workers)


def _sample(
    network: Model,
    vocabulary: Vocabulary,
    list_names: pa.ChunkedArray,
    accepts: NamePredicate | None,
    config: SamplingConfig,
) -> TemperatureSample:
    parts = Sampler(network, vocabulary, config, accepts, max_active=config.count).names(0, config.count)
    sampled = pa.chunked_array(
        [to_strings(part.names, vocabulary, config.capitalise_first) for part in parts], pa.string()
    )
    names = sampled.to_pylist()
    # The few are looked up in the many, not the other way round: an index of those would be large.
    in_lists = set(list_names.filter(pc.is_in(list_names, sampled.combine_chunks())).to_pylist())
    return TemperatureSample(config.temperature, names, sum(name not in in_lists for name in names))
