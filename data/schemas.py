"""The table of every stage, declared once: columns, types, what they mean, and what a value has to be."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from rnn_core.errors import DataError

_VALIDATING = threading.Lock()


class Column(NamedTuple):
    """What a column holds.

    check:  name and argument of the pandera check that every value has to pass.
    """

    type: pa.DataType
    description: str
    check: tuple[str, Any] | None = None
    nullable: bool = False
    unique: bool = False


@dataclass(frozen=True, eq=False)
class Schema:
    """The columns of a table, all of them and in this order, by name."""

    columns: dict[str, Column]

    @cached_property
    def validator(self) -> Any:
        """The same for pandera, which takes a second to import: a run that is fully cached needs none."""
        import pandera.pyarrow as pandera

        def column(declared: Column) -> Any:
            checks = [getattr(pandera.Check, declared.check[0])(declared.check[1])] if declared.check else []
            dtype = declared.type
            if pa.types.is_binary(dtype):  # pandera 0.35 has no name for Arrow's binary type
                dtype, checks = None, [pandera.Check(_is_binary, error="is not binary")]
            return pandera.Column(dtype, checks, nullable=declared.nullable, unique=declared.unique)

        columns = {name: column(declared) for name, declared in self.columns.items()}
        return pandera.DataFrameSchema(columns, strict=True, ordered=True)


class Rule(NamedTuple):
    """What every name of a list has to keep.

    reason:  why one that breaks it is rejected.
    kept:    (N,) whether each of N names keeps it.
    """

    reason: str
    kept: Callable[[pa.ChunkedArray], npt.NDArray[np.bool_]]


_TEXT = pa.string()
_CATEGORY = pa.dictionary(pa.int32(), pa.string())

_name = Column(_TEXT, description="The name, without the end of its line and surrounding white space.")
_source = Column(_CATEGORY, description="The source that the name came from, as named in the configuration.")
_file = Column(
    pa.int32(), check=("ge", 1), description="Number of the file among those of the source, from 1."
)
_line = Column(pa.int64(), check=("ge", 1), description="Line in that file, counted from 1.")
_weight = Column(pa.float64(), check=("gt", 0), description="How much the name counts, beside a weight of 1.")
_reason = Column(_TEXT, description="Why the row was not taken.")

CORPUS = Schema({"name": _name, "source": _source, "file": _file, "line": _line, "weight": _weight})

CORPUS_REJECTED = Schema(
    {
        "source": _source,
        "file": _file,
        "line": _line,
        "raw": Column(
            pa.binary(),
            description="The bytes of the row as in the file; in UTF-8 if it has another encoding.",
        ),
        "reason": _reason,
    }
)

REJECTED = Schema({"source": _source, "file": _file, "line": _line, "name": _name, "reason": _reason})

PROFILE = Schema(
    {
        "measure": Column(
            _TEXT,
            description="taken: names in the files; distinct: different ones among them; overlap: of these, "
            "how many another source has too; kept: names left after merging and validation; length: kept "
            "names of so many characters; character: how often it stands in kept names; not_read, not_merged "
            "and not_valid: rows that were not taken, by reason.",
        ),
        "source": Column(_TEXT, description="Of which source; `all` for all of them together."),
        "value": Column(_TEXT, description="The other source, the length, the character or the reason."),
        "count": Column(pa.int64(), check=("ge", 0), description="Of the measure."),
    }
)

CHANGES = Schema(
    {
        "measure": Column(
            _TEXT,
            description="With a limit: rows_lost, rows_gained, new_characters, lost_characters, "
            "length_distance and duplicates_gained. Without: rows of a source, and each new_character and "
            "lost_character.",
        ),
        "value": Column(_TEXT, description="The source, or the character."),
        "before": Column(
            pa.float64(),
            description="In the last accepted lists: names; letters; of lengths the mean; of duplicates the "
            "share.",
        ),
        "after": Column(pa.float64(), description="The same in these lists."),
        "change": Column(
            pa.float64(),
            description="What the limit is for. Of the rows of a source, the growth, relative to those "
            "before; infinite if it is a new one.",
        ),
        "limit": Column(pa.float64(), nullable=True, description="Null where there is none."),
        "within": Column(pa.bool_(), description="Whether the change is within its limit."),
    }
)

VOCABULARY = Schema(
    {
        "index": Column(pa.int32(), unique=True, description="What the network reads and predicts."),
        "character": Column(_TEXT, unique=True, description="Index 0, the line feed, is the end of a name."),
        "count": Column(
            pa.int64(), description="Occurrences in the validated names; of the end: their number."
        ),
    }
)

EXAMPLES = Schema(
    {
        "name": _name,
        "source": _source,
        "split": Column(
            _CATEGORY,
            check=("isin", ["train", "validation", "test"]),
            description="What the name is for: train, validation or test. Equal names share one, and keep "
            "it when others come or go.",
        ),
        "tokens": Column(
            pa.list_(pa.int32()), description="Vocabulary indices of the characters, without the end token."
        ),
        "weight": _weight,
    }
)

HISTORY = Schema(
    {
        "step": Column(pa.int64(), description="Updates of the parameters so far."),
        "epoch": Column(pa.float64(), description="Passes over the training names so far."),
        "training_loss": Column(
            pa.float64(),
            description="Cross-entropy in nats per character; in the notebook's recipe per name, smoothed.",
        ),
        "validation_loss": Column(
            pa.float64(),
            nullable=True,
            description="Nats per character on the validation names, if any.",
        ),
        "learning_rate": Column(pa.float64(), description="Of the last update."),
    }
)

METRICS = Schema(
    {
        "model": Column(
            _TEXT,
            description="rnn, mixture, the Kneser-Ney baseline; or held-out: names that no model has learnt, "
            "measured as if one had drawn them.",
        ),
        "split": Column(
            _TEXT,
            description="Which examples were scored; with _unseen, those that no training name equals, case "
            "folded; or sample: names drawn from the model.",
        ),
        "source": Column(_TEXT, description="Of which source; `all` for all of them."),
        "metric": Column(
            _TEXT,
            description="Of a split: nats_per_character, bits_per_character and perplexity, with the end of "
            "a name as a character. Of a sample: validity, uniqueness, novelty and word_novelty are shares; "
            "length_distance (characters) and ngram_divergence_1 to _3 (bits) are to held-out names; "
            "edit_distance_to_training (characters), and edit_distance_ratio to that of held-out names.",
        ),
        "value": Column(pa.float64(), description="Of the metric."),
        "names": Column(pa.int64(), description="How many names were scored or measured."),
    }
)

DECISION = Schema(
    {
        "metric": Column(
            _TEXT,
            description="nats_per_character, of held-out names that neither model has learnt; validity, "
            "novelty and edit_distance_ratio, of a sample of each.",
        ),
        "challenger": Column(
            pa.float64(),
            nullable=True,
            description="The figure of the new model; null if it was not measured.",
        ),
        "champion": Column(pa.float64(), nullable=True, description="That of the champion."),
        "difference": Column(
            pa.float64(), nullable=True, description="By how much the challenger is the better one."
        ),
        "low": Column(pa.float64(), nullable=True, description="Lower end of its bootstrap interval."),
        "high": Column(pa.float64(), nullable=True, description="Its upper end."),
        "limit": Column(
            pa.float64(),
            nullable=True,
            description="That the challenger has to reach; for nats_per_character, that `low` has to.",
        ),
        "kept": Column(pa.bool_(), nullable=True, description="Whether it does; null if it cannot be told."),
    }
)

NAMES = Schema(
    {
        "index": Column(pa.int64(), unique=True, description="Number of the name in the list, from 0."),
        "name": Column(_TEXT, description="The sampled name."),
        "log_probability": Column(
            pa.float64(),
            description="Nats, under the model at temperature 1, the end included where it was drawn.",
        ),
        "length": Column(pa.int32(), description="Characters."),
        "in_training": Column(pa.bool_(), description="Whether one of the validated names is the same."),
    }
)

_style = Column(
    _CATEGORY,
    description="The style that it was sampled in, of a model that knows styles: the name of a list, or the "
    "blend that was asked for.",
)

NAMES_OF_STYLES = Schema({**NAMES.columns, "style": _style})

_index, _drawn_name, _log_probability, _length, _in_training = NAMES.columns.values()

GENERATED_NAMES = Schema(
    {
        # Not `unique`: that would sort the numbers of every shard, which come in their order.
        "index": Column(pa.int64(), description=_index.description),
        "name": _drawn_name,
        "log_probability": _log_probability,
        "length": _length,
        "in_training": _in_training,
        "source": Column(
            _CATEGORY, nullable=True, description="Of that name in the training list; null if it has none."
        ),
        "style": _style,
    }
)

SAMPLED = Schema(
    {
        "number": Column(pa.int64(), description="Of the name in the endless list of its seed."),
        "name": _drawn_name,
        "log_probability": _log_probability,
    }
)

SAMPLED_OF_STYLES = Schema({**SAMPLED.columns, "style": _style})

ACCEPTED = Schema(
    {"row": Column(pa.int32(), description="Of a row group of candidates, from 0: the first of its name.")}
)


def conform(schema: Schema, table: pa.Table) -> pa.Table:
    """The table, checked against its schema, with the descriptions in its fields' metadata.

    Raises DataError with the first failures; rows that a user can mend were set aside before.
    """
    if found := _errors(lambda: schema.validator, table):
        raise _broken_schema(found) from found
    described = [
        field.with_metadata({"description": schema.columns[field.name].description})
        for field in table.schema.remove_metadata()
    ]
    return table.cast(pa.schema(described))


def part_of(schema: Schema, columns: Sequence[str]) -> Schema:
    """Some of its columns, in another order perhaps."""
    return Schema({name: schema.columns[name] for name in columns})


def failures(names: pa.ChunkedArray, rules: Sequence[Rule]) -> pa.Table:
    """Every rule that a name breaks: index of the name and reason, in the order of the names."""

    def validator() -> Any:
        import pandera.pyarrow as pandera

        checks = [  # of whole columns: only such a check tells pandera the rows that fail
            pandera.Check(_check_of(rule), error=rule.reason) for rule in rules
        ]
        return pandera.DataFrameSchema({"name": pandera.Column(_TEXT, checks)}, strict=True)

    found = _errors(validator, pa.table({"name": names}))
    if not found:
        return pa.schema({"index": pa.int64(), "reason": _TEXT}).empty_table()
    cases = found.failure_cases
    # What no row can be blamed for comes without an index, and as a polars frame if there is polars.
    if not isinstance(cases, pa.Table) or cases["index"].null_count:
        raise _broken_schema(found) from found
    cases = pa.table({"index": cases["index"].cast(pa.int64()), "reason": cases["check"].cast(_TEXT)})
    return cases.sort_by([("index", "ascending"), ("reason", "ascending")])


def _check_of(rule: Rule) -> Callable[[Any], pa.ChunkedArray]:
    return lambda data: pa.chunked_array([rule.kept(data.table[data.key])])


def _is_binary(data: Any) -> bool:
    return bool(pa.types.is_binary(data.table.schema.field(data.key).type))


def _errors(validator: Callable[[], Any], table: pa.Table) -> Any:
    """The SchemaErrors of pandera, or None.

    One thread at a time: pandera 0.35 imports while it validates, and another may see half a module.
    """
    with _VALIDATING:
        from pandera.errors import SchemaErrors

        try:
            validator().validate(table, lazy=True)
        except SchemaErrors as found:
            return found
    return None


def _broken_schema(found: Any) -> DataError:
    return DataError(
        "table.schema",
        "a table does not match its schema",
        saw="; ".join(str(error) for error in found.schema_errors[:3]),
        fix="this is a fault of ours: please report it, with the configuration.",
    )
