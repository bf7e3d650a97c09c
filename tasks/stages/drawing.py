"""The stage `names`: names sampled from the network or the mixture."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data import schemas
from data.name_rules import NameRules
from data.styles import CATEGORY, style_column
from data.text.strings import to_strings
from rnn_core.sample.sampler import Sampler, SamplingConfig
from tasks.config.generate import wish_revision
from tasks.core.stage import StageContext, stage
from tasks.models import trial
from tasks.models.wishes import all_wishes
from tasks.stages.corpora import NAMES
from tasks.stages.encoding import load_vocabulary
from tasks.stages.mixing import load_models


@stage(version=2, revision=wish_revision, title=lambda config: f"{config.count:,}")
def names(
    context: StageContext,
    config: SamplingConfig,
    *,
    mixture: Artifact,
    vocabulary: Artifact,
    validated: Artifact,
) -> None:
    """New names, drawn from the network or the mixture."""
    characters = load_vocabulary(vocabulary)
    known = validated.table(NAMES, ["name"])["name"].combine_chunks()
    accepts = NameRules.from_names(known).predicate(characters)
    wishes = all_wishes(config, characters, None, None)
    models = load_models(mixture)
    chosen = models.select(config.drawn_from, config.style)
    sampler = Sampler(chosen, characters, config, accepts, wishes=wishes)
    expected = trial.estimate(sampler, config.count, context.settings.workers)
    if expected.seconds > trial.LONG_SECONDS:
        context.notice(str(expected))
    on_progress = context.names_reporter(config.count)
    parts = list(sampler.names(0, config.count, context.settings.workers, on_progress))
    strings = [to_strings(part.names, characters, config.capitalise_first) for part in parts]
    drawn = pa.chunked_array(strings, pa.string()).combine_chunks()
    log_probabilities = np.concatenate([np.zeros(0), *(part.log_probabilities for part in parts)])
    columns = {
        "index": pa.array(range(len(drawn)), pa.int64()),
        "name": drawn,
        "log_probability": pa.array(log_probabilities, pa.float64()),
        "length": pc.utf8_length(drawn),
        "in_training": pc.is_in(drawn, known),
    }
    if models.styles:
        styles = [style_column(part.names, characters.size, models.styles, config.style) for part in parts]
        columns["style"] = pa.chunked_array(styles, CATEGORY)
    schema = schemas.NAMES_OF_STYLES if models.styles else schemas.NAMES
    context.write_table(NAMES, schema, pa.table(columns))
    distinct = pc.count_distinct(drawn).as_py()
    context.writer.metadata.update(
        drawn_from=models.resolve(config.drawn_from),
        distinct=distinct,
        new=pc.sum(pc.invert(pc.is_in(drawn, known))).as_py() or 0,
    )
