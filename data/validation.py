"""The rules applied: a pandera schema on an Arrow table, every failure found at once."""

from collections.abc import Callable
from typing import Any

import pandera.pyarrow as pandera
import pyarrow as pa
import pyarrow.compute as pc

from data import schemas
from data.config import ValidationConfig
from data.corpus import Taken

# Controls, and the invisible ones that turn or join what stands beside them.
_UNSEEN = (
    r"[\p{Cc}\p{Zl}\p{Zp}\x{AD}\x{61C}\x{180E}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{206F}"
    r"\x{FEFF}\x{FFF9}-\x{FFFB}\x{E0000}-\x{E007F}]"
)


def validate(merged: pa.Table, config: ValidationConfig) -> Taken:
    """The names that keep the rules; of the others, a row for each rule that one breaks."""
    failed = schemas.failures(_schema(config), merged)
    rows = failed["index"]
    broken = pc.is_in(pa.array(range(len(merged)), pa.int64()), rows.combine_chunks())
    rejected = merged.select(["source", "file", "line", "name"]).take(rows)
    return Taken(merged.filter(pc.invert(broken)), rejected.append_column("reason", failed["reason"]))


def _schema(config: ValidationConfig) -> schemas.Schema:
    rules = [
        _rule(
            f"shorter than {config.min_length} or longer than {config.max_length} characters",
            lambda names: pc.and_(
                pc.greater_equal(pc.utf8_length(names), config.min_length),
                pc.less_equal(pc.utf8_length(names), config.max_length),
            ),
        ),
        _rule(
            "holds a control or an invisible character",
            lambda names: pc.invert(pc.match_substring_regex(names, _UNSEEN)),
        ),
    ]
    columns = {**schemas.CORPUS.columns, "name": pandera.Column(pa.string(), rules)}
    return pandera.DataFrameSchema(columns, strict=True, ordered=True)


def _rule(reason: str, kept: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> Any:
    """A check of whole columns: only such a one tells pandera the rows that fail."""
    return pandera.Check(lambda data: kept(data.table[data.key]), error=reason)
