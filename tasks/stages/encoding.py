"""The stages `vocabulary` and `examples`: names as numbers, shuffled and split."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data import schemas
from data.config import ExamplesConfig, NotebookOrder
from data.examples import SPLITS, Arrangement, arrange, token_lists
from data.text.strings import check_fits_one_array, counts_of_characters, encode
from rnn_core.errors import DataError
from rnn_core.notebook import NotebookConfig, shuffled_order
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


def _check_equal_weights(weights: pa.ChunkedArray) -> None:
    """Raise DataError if names have weights: the notebook reads each as often as it is in the list."""
    lightest, heaviest = pc.min_max(weights).as_py().values()
    if lightest != heaviest:
        raise DataError(
            "notebook.weights",
            "the notebook recipe cannot use weights, and these names have some",
            saw=f"weights from {lightest:g} to {heaviest:g}",
            fix="take the weights out of the sources and of [merging], or choose the default recipe.",
        )


@stage(version=4)
def examples(
    context: StageContext,
    config: ExamplesConfig | NotebookOrder,
    *,
    validated: Artifact,
    vocabulary: Artifact,
) -> None:
    """The names as numbers, shuffled and split into training, validation and test."""
    names = validated.table(NAMES, ["name", "source", "weight"])
    check_fits_one_array(names["name"])
    known = load_vocabulary(vocabulary)
    if isinstance(config, NotebookOrder):
        _check_equal_weights(names["weight"])
        notebook = NotebookConfig(hidden_size=config.hidden_size, seed=config.seed)
        order = shuffled_order(notebook, known.size, len(names))
        arrangement = Arrangement(order, np.zeros(len(names), np.int32))
    else:
        arrangement = arrange(names["name"], config)
    shuffled = names.take(pa.array(arrangement.order)).combine_chunks()
    split = pa.DictionaryArray.from_arrays(pa.array(arrangement.split, pa.int32()), pa.array(SPLITS))
    context.write_table(
        EXAMPLES,
        schemas.EXAMPLES,
        pa.table(
            {
                "name": shuffled["name"],
                "source": shuffled["source"],
                "split": split,
                "tokens": token_lists(encode(shuffled["name"], known)),
                "weight": shuffled["weight"],
            }
        ),
    )
    sizes = np.bincount(arrangement.split, minlength=len(SPLITS)).tolist()
    context.writer.metadata["names"] = dict(zip(SPLITS, sizes, strict=True))
