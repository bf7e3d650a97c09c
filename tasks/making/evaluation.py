"""The stage `evaluation`: how well the network predicts names, and the n-gram baseline beside it."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from artifacts.store import Artifact
from data import schemas
from data.config import ALL_SOURCES
from data.examples import SPLITS, from_lists
from rnn_core.evaluation import EvaluationConfig, metrics
from rnn_core.names import EncodedNames
from rnn_core.ngram import KneserNey
from rnn_core.scoring import log_probabilities
from tasks.making.examples import EXAMPLES, opened_vocabulary
from tasks.making.model import opened_model
from tasks.stage import Work

METRICS = "metrics.parquet"

Score = Callable[[EncodedNames], npt.NDArray[np.float64]]


def evaluation(
    work: Work, config: EvaluationConfig, model: Artifact, examples: Artifact, vocabulary: Artifact
) -> None:
    table = examples.table(EXAMPLES)
    names = from_lists(table["tokens"])
    split, source = (np.array(table[column].to_pylist()) for column in ("split", "source"))
    network = opened_model(model)
    ngrams = KneserNey.fit(
        names.take(np.flatnonzero(split == "train")),
        opened_vocabulary(vocabulary).size,
        order=config.ngram_order,
        discount=config.ngram_discount,
    )
    models: dict[str, Score] = {
        "rnn": lambda some: log_probabilities(network, some),
        f"kneser-ney {config.ngram_order}-gram": ngrams.log_probabilities,
    }
    rows = [
        {
            "model": model_name,
            "split": part,
            "source": origin,
            "metric": metric,
            "value": value,
            "names": len(chosen),
        }
        for model_name, score in models.items()
        for part, origin, chosen in _groups(split, source)
        for metric, value in metrics(score(names.take(chosen)), names.take(chosen)).items()
    ]
    work.write_table(METRICS, schemas.METRICS, pa.Table.from_pylist(rows))


def _groups(
    split: npt.NDArray[np.str_], source: npt.NDArray[np.str_]
) -> Iterator[tuple[str, str, npt.NDArray[np.int64]]]:
    """Every split that holds names, whole and by source: its name, the source's, the rows."""
    for part in SPLITS:
        for origin in (ALL_SOURCES, *sorted(set(source.tolist()))):
            chosen = np.flatnonzero((split == part) & ((source == origin) | (origin == ALL_SOURCES)))
            if len(chosen):
                yield part, origin, chosen
