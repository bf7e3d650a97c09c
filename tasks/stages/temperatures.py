"""Names of one network at several temperatures, from the most probable ones to the boldest."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data.text.strings import to_strings
from rnn_core.sample.model import Model, network_model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.vocabulary import Vocabulary
from tasks.report.temperatures import NAMES_PER_TEMPERATURE, TemperatureSample
from tasks.stages.mixing import load_models

TEMPERATURES = 0.5, 0.8, 1.0, 1.2


def tastes(
    trained: Artifact, letters: Vocabulary, known: pa.ChunkedArray, capitalise_first: bool = False
) -> list[TemperatureSample]:
    """trained: of the stage `model`. known: the names of the lists."""
    if not letters.characters[1:]:
        return []
    model = network_model(load_models(trained).network)
    config = SamplingConfig(count=NAMES_PER_TEMPERATURE, capitalise_first=capitalise_first)
    return [_taste(model, letters, known, replace(config, temperature=one)) for one in TEMPERATURES]


def _taste(
    model: Model, letters: Vocabulary, known: pa.ChunkedArray, config: SamplingConfig
) -> TemperatureSample:
    parts = Sampler(model, letters, config).names(0, config.count)
    drawn = pa.chunked_array(
        [to_strings(part.names, letters, config.capitalise_first) for part in parts], pa.string()
    )
    names = drawn.to_pylist()
    # The few are looked for among the many, and not the other way round: a table of those would be large.
    found = set(known.filter(pc.is_in(known, drawn.combine_chunks())).to_pylist())
    return TemperatureSample(config.temperature, names, sum(name not in found for name in names))
