"""The stage `vocabulary`, and how examples are read."""

import numpy as np
import pyarrow as pa

from artifacts.store import Artifact
from data import schemas
from data.text.strings import counts_of_characters
from rnn_core.text.vocabulary import END_TOKEN, Vocabulary
from tasks.core.stage import EmptyConfig, StageContext, stage
from tasks.stages.corpora import NAMES

VOCABULARY, EXAMPLES = "vocabulary.parquet", "examples.parquet"


@stage(version=1)
def vocabulary(context: StageContext, _config: EmptyConfig, *, validated: Artifact) -> None:
    """Every character of the names, with its index and how often it occurs."""
    names = validated.table(NAMES, ["name"])["name"]
    occurrences = counts_of_characters(names)
    characters = Vocabulary.from_characters(map(chr, np.flatnonzero(occurrences))).characters
    counts = occurrences[[*map(ord, characters)]]
    counts[END_TOKEN] = len(names)
    context.write_table(
        VOCABULARY,
        schemas.VOCABULARY,
        pa.table(
            {
                "index": pa.array(range(len(characters)), pa.int32()),
                "character": pa.array(characters, pa.string()),
                "count": pa.array(counts, pa.int64()),
            }
        ),
    )


def load_vocabulary(artifact: Artifact) -> Vocabulary:
    """The vocabulary in an artifact of the stage of that name."""
    return Vocabulary(tuple(artifact.table(VOCABULARY, ["character"])["character"].to_pylist()))
