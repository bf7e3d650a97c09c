"""A few names of every style of one model, and of the blend of two."""

from functools import partial
from itertools import chain

import pyarrow as pa

from artifacts.model_file import ModelContents, ModelKind
from data.name_rules import NameRules
from data.text.strings import to_strings
from rnn_core.sample.constraints import NamePredicate
from rnn_core.sample.model import Model
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.styles import EVEN_BLEND
from rnn_core.text.vocabulary import Vocabulary
from tasks.process import threads
from tasks.report.sample import NAMES_PER_TEMPERATURE, StyleSample

MOST_STYLES = 5  # columns


def style_samples(
    models: ModelContents,
    drawn_from: ModelKind | None,
    vocabulary: Vocabulary,
    list_names: pa.ChunkedArray,
    workers: int = 1,
) -> list[StyleSample]:
    """A few names of each style, at temperature 1; none if the model knows no styles.

    Arguments as of `temperature_samples`.
    """
    if not vocabulary.characters[1:] or not models.styles:
        return []
    wishes = models.styles.names[:MOST_STYLES]
    if len(models.styles.names) == 2:
        wishes = *wishes, EVEN_BLEND.format(*wishes)
    accepts = NameRules.from_names(list_names).predicate(vocabulary)
    calls = [partial(_sample, models.select(drawn_from, wish), vocabulary, accepts, wish) for wish in wishes]
    return threads.results(calls, workers)


def _sample(model: Model, vocabulary: Vocabulary, accepts: NamePredicate | None, wish: str) -> StyleSample:
    config = SamplingConfig(count=NAMES_PER_TEMPERATURE)
    parts = Sampler(model, vocabulary, config, accepts, max_active=config.count).names(0, config.count)
    names = chain.from_iterable(to_strings(part.names, vocabulary).to_pylist() for part in parts)
    return StyleSample(wish, list(names))
