"""A stage that gives names weights, for tests of what becomes of them."""

from dataclasses import dataclass

import pyarrow as pa

from artifacts.store import Artifact
from data import schemas
from tasks.core.stage import StageContext, stage


@dataclass(frozen=True)
class Weights:
    """heavy: the source whose names have this weight; those of others have 1."""

    heavy: str
    weight: float


@stage(version=1)
def weighing(context: StageContext, config: Weights, validated: Artifact) -> None:
    table = validated.table("names.parquet")
    weights = [config.weight if source == config.heavy else 1.0 for source in table["source"].to_pylist()]
    context.write_table("names.parquet", schemas.CORPUS, table.set_column(4, "weight", pa.array(weights)))
    context.write_table("rejected.parquet", schemas.REJECTED, validated.table("rejected.parquet"))
