"""Names of one model at several temperatures, from the most probable ones to the boldest."""

from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.model_file import ModelContents, ModelKind
from data.name_rules import NameRules
from data.text.strings import to_strings
from rnn_core.sample.constraints import NamePredicate
from rnn_core.sample.model import Model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.vocabulary import Vocabulary
from tasks.process import threads
from tasks.report.sample import NAMES_PER_TEMPERATURE, TemperatureSample

TEMPERATURES = 0.5, 0.8, 1.0, 1.2


def temperature_samples(
    models: ModelContents,
    drawn_from: ModelKind | None,
    vocabulary: Vocabulary,
    list_names: pa.ChunkedArray,
    capitalise_first: bool = False,
    workers: int = 1,
) -> list[TemperatureSample]:
    """A few names at every temperature; none if the vocabulary has no characters.

    drawn_from:  as `ModelContents.select` takes it.
    list_names:  of the lists that they were trained on.
    workers:     threads that share the temperatures.
    """
    if not vocabulary.characters[1:]:
        return []
    model = models.select(drawn_from)
    config = SamplingConfig(count=NAMES_PER_TEMPERATURE, capitalise_first=capitalise_first)
    accepts = NameRules.from_names(list_names).predicate(vocabulary)
    configs = (replace(config, temperature=temperature) for temperature in TEMPERATURES)
    calls = [partial(_sample, model, vocabulary, list_names, accepts, config) for config in configs]
    return threads.results(calls, workers)


def _sample(
    model: Model,
    vocabulary: Vocabulary,
    list_names: pa.ChunkedArray,
    accepts: NamePredicate | None,
    config: SamplingConfig,
) -> TemperatureSample:
    parts = Sampler(model, vocabulary, config, accepts, max_active=config.count).names(0, config.count)
    sampled = pa.chunked_array(
        [to_strings(part.names, vocabulary, config.capitalise_first) for part in parts], pa.string()
    )
    names = sampled.to_pylist()
    # The few are looked up in the many, not the other way round: an index of those would be large.
    in_lists = set(list_names.filter(pc.is_in(list_names, sampled.combine_chunks())).to_pylist())
    return TemperatureSample(config.temperature, names, sum(name not in in_lists for name in names))
