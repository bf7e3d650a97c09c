"""Names of one network at several temperatures, from what it is surest of to what it hardly dares."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data.text.strings import strings
from rnn_core.sample.model import Model, network_model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.vocabulary import Vocabulary
from tasks.report.markup import Column, visible
from tasks.report.parts import Part
from tasks.stages.mixing import opened

TEMPERATURES = 0.5, 0.8, 1.0, 1.2
_NAMES = 12
_LONGEST = 18  # characters shown of one: four stand beside each other


class Taste(NamedTuple):
    """new: how many of the names stand in no list."""

    temperature: float
    names: Sequence[str]
    new: int


def tastes(
    trained: Artifact, letters: Vocabulary, known: pa.ChunkedArray, capitalise_first: bool = False
) -> list[Taste]:
    """trained: of the stage `model`. known: the names of the lists."""
    if not letters.characters[1:]:
        return []
    model = network_model(opened(trained).network)
    config = SamplingConfig(count=_NAMES, capitalise_first=capitalise_first)
    return [_taste(model, letters, known, replace(config, temperature=one)) for one in TEMPERATURES]


def _taste(model: Model, letters: Vocabulary, known: pa.ChunkedArray, config: SamplingConfig) -> Taste:
    parts = Sampler(model, letters, config).names(0, config.count)
    drawn = pa.chunked_array(
        [strings(part.names, letters, config.capitalise_first) for part in parts], pa.string()
    )
    names = drawn.to_pylist()
    # The few are looked for among the many, and not the other way round: a table of those would be large.
    found = set(known.filter(pc.is_in(known, drawn.combine_chunks())).to_pylist())
    return Taste(config.temperature, names, sum(name not in found for name in names))


def by_temperature(tastes: Sequence[Taste]) -> Part:
    title = "Names by temperature"
    if not tastes:
        return Part(title, "There are no characters to write names with.")
    new = ", ".join(f"{one.new} at {one.temperature:g}" for one in tastes)
    names = zip(*(one.names for one in tastes), strict=True)
    return Part(
        title,
        heads=[Column(f"at {one.temperature:g}") for one in tastes],
        rows=[[visible(name, _LONGEST) or "(empty)" for name in row] for row in names],
        note=f"Drawn from the network alone. Of each {_NAMES} stand in none of the lists: {new}.",
    )
