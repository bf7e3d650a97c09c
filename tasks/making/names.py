"""The stage `names`: what the network, or the mixture, makes of it all."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.store import Artifact
from data import schemas
from rnn_core.mixture import mixture_model, no_mixture
from rnn_core.sampling import Drawn, Model, SamplingConfig, blocks, capitalised, joined, network_model
from tasks import interruption
from tasks.making.corpora import NAMES
from tasks.making.examples import opened_vocabulary
from tasks.making.mixture import Models, opened
from tasks.stage import Work


def names(
    work: Work, config: SamplingConfig, mixture: Artifact, vocabulary: Artifact, validated: Artifact
) -> None:
    model = _chosen(opened(mixture), config)
    encoded, log_probabilities = joined(_reported(work, config, blocks(model, config)))
    decoded = opened_vocabulary(vocabulary).decode(encoded)
    drawn = pa.array(map(capitalised, decoded) if config.capitalise_first else decoded, pa.string())
    known = validated.table(NAMES, ["name"])["name"].combine_chunks()
    work.write_table(
        NAMES,
        schemas.NAMES,
        pa.table(
            {
                "index": pa.array(range(len(drawn)), pa.int64()),
                "name": drawn,
                "log_probability": pa.array(log_probabilities, pa.float64()),
                "length": pc.utf8_length(drawn),
                "in_training": pc.is_in(drawn, known),
            }
        ),
    )
    distinct = pc.count_distinct(drawn).as_py()
    work.draft.facts.update(distinct=distinct, new=pc.sum(pc.invert(pc.is_in(drawn, known))).as_py() or 0)


def _chosen(models: Models, config: SamplingConfig) -> Model:
    if config.model == "network":
        return network_model(models.network)
    if models.mixture is None:
        raise no_mixture()
    return mixture_model(models.mixture)


def _reported(work: Work, config: SamplingConfig, drawn: Iterable[Drawn]) -> Iterator[Drawn]:
    done = 0
    for block in drawn:
        yield block
        done += block[0].count
        work.progress(done, config.count, "names")
        interruption.check(f"drawing names, {done:,} of {config.count:,}")
