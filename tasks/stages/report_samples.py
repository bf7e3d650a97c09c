"""A few names of one model for its report: at several temperatures, and of every style."""

from functools import partial
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.model_file import ModelContents, ModelKind
from data.text.strings import to_strings
from rnn_core.sample.constraints import NamePredicate
from rnn_core.sample.model import Model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.styles import EVEN_BLEND
from rnn_core.text.vocabulary import Vocabulary
from tasks.process import threads
from tasks.report.sample import NAMES_PER_TEMPERATURE, StyleSample, TemperatureSample

TEMPERATURES = 0.5, 0.8, 1.0, 1.2  # from the most probable names to the boldest
MOST_STYLES = 5  # columns


def temperature_samples(
    models: ModelContents,
    drawn_from: ModelKind | None,
    vocabulary: Vocabulary,
    list_names: pa.ChunkedArray,
    accepts: NamePredicate | None,
    capitalise_first: bool = False,
    workers: int = 1,
) -> list[TemperatureSample]:
    """A few names at every temperature; none if the vocabulary has no characters.

    drawn_from:  as `ModelContents.select` takes it.
    list_names:  of the lists that they were trained on.
    accepts:     which names keep the rules of these lists; None for all.
    workers:     threads that share the temperatures.
    """
    if not vocabulary.characters[1:]:
        return []
    model = models.select(drawn_from)
    calls = [
        partial(_draw, model, vocabulary, accepts, temperature=temperature, capitalise_first=capitalise_first)
        for temperature in TEMPERATURES
    ]
    return [
        TemperatureSample(temperature, names, _new(names, list_names))
        for temperature, names in zip(TEMPERATURES, threads.results(calls, workers), strict=True)
    ]


def style_samples(
    models: ModelContents,
    drawn_from: ModelKind | None,
    vocabulary: Vocabulary,
    accepts: NamePredicate | None,
    workers: int = 1,
) -> list[StyleSample]:
    """A few names of each style, at temperature 1; none if the model knows no styles.

    Arguments as of `temperature_samples`.
    """
    if not vocabulary.characters[1:] or not models.styles:
        return []
    styles = wishes = models.styles.names[:MOST_STYLES]
    if len(models.styles.names) == 2:
        wishes = *styles, EVEN_BLEND.format(*styles)
    calls = [partial(_draw, models.select(drawn_from, wish), vocabulary, accepts) for wish in wishes]
    drawn = threads.results(calls, workers)
    return [StyleSample(wish, names, wish not in styles) for wish, names in zip(wishes, drawn, strict=True)]


def _draw(
    model: Model,
    vocabulary: Vocabulary,
    accepts: NamePredicate | None,
    temperature: float = 1.0,
    capitalise_first: bool = False,
) -> list[str]:
    config = SamplingConfig(
        count=NAMES_PER_TEMPERATURE, temperature=temperature, capitalise_first=capitalise_first
    )
    few = config.count  # the tree of many names takes longer than all else of a report
    sampler = Sampler(model, vocabulary, config, accepts, max_active=few, rarity=few)
    parts = sampler.names(0, config.count)
    strings = (to_strings(part.names, vocabulary, capitalise_first) for part in parts)
    return list(chain.from_iterable(part.to_pylist() for part in strings))


def _new(names: list[str], list_names: pa.ChunkedArray) -> int:
    """How many of the names are in no list."""
    # The few are looked up in the many, not the other way round: an index of those would be large.
    in_lists = set(list_names.filter(pc.is_in(list_names, pa.array(names, pa.string()))).to_pylist())
    return sum(name not in in_lists for name in names)
