"""The stages of a generated list: names sampled into a file, or sampled, deduplicated and compacted."""

import functools
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from artifacts import exports
from artifacts.dataset import open_shards, part_file
from artifacts.keys import canonical_json, sha256
from artifacts.model_file import ModelContents, ModelKind
from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from data import partitions as sifting
from data import schemas
from data.styles import CATEGORY, style_column
from data.text.equal_names import first_occurrences
from data.text.strings import capitalized, check_fits_one_array, encode, to_strings
from rnn_core.metrics.neighborhood import Neighborhood
from rnn_core.random_numbers import NAMES_PER_BLOCK
from rnn_core.sample.sampler import Sampler, SamplingConfig
from rnn_core.text.vocabulary import Vocabulary
from tasks.config.generate import (
    CandidatesConfig,
    CompactionConfig,
    FileConfig,
    PartitionConfig,
    ShardConfig,
    wish_revision,
)
from tasks.core.stage import StageContext, stage
from tasks.models.load import load_model
from tasks.models.model_input import ModelFile
from tasks.models.name_predicate import name_predicate
from tasks.models.wishes import WishList, all_wishes
from tasks.process import blas
from tasks.stages.corpora import NAMES

LIST_VERSION = 3  # of every stage of a generated list: they are raised together

SHOWN_NAMES = 20  # of a file, in its manifest
SAMPLED, ACCEPTED = "candidates.parquet", "let_in.parquet"

_COLUMNS = (("number", pa.int64()), ("name", pa.string()), ("log_probability", pa.float64()))


class TrainingList(NamedTuple):
    """The list that a model was trained on.

    names:   as they would be printed.
    source:  of each.
    """

    names: pa.StringArray
    source: pa.DictionaryArray


class ListSampler(NamedTuple):
    """What the names of a list are sampled with.

    models:      of the file, of which one is sampled.
    drawn_from:  which one.
    """

    sampler: Sampler
    vocabulary: Vocabulary
    models: ModelContents
    drawn_from: ModelKind


class ExcludedLists(NamedTuple):
    """Lists of names that do not come, and of words that no name contains."""

    exclude: WishList | None = None
    exclude_containing: WishList | None = None


@stage(
    version=LIST_VERSION,
    revision=wish_revision,
    title=lambda config: f"{config.file.number:05}",
    open_store=open_shards,
    names=lambda config: config.sampling.count,
)
def shard(
    context: StageContext,
    config: ShardConfig,
    *,
    model: ModelFile,
    training: Artifact | None = None,
    exclude: Sequence[SourceFile] = (),
    exclude_containing: Sequence[SourceFile] = (),
) -> None:
    """A file of a generated list, where no name is left out."""
    table, _ = _sample(context, config, model, training, (exclude, exclude_containing))
    table = table.rename_columns(["index", *table.column_names[1:]])
    _write(context, config.file, table, model, training, config.sampling.capitalise_first)


@stage(
    version=LIST_VERSION,
    revision=wish_revision,
    name="candidates",
    title=lambda config: f"from {config.start:,}",
    names=lambda config: config.sampling.count,
)
def sampled(
    context: StageContext,
    config: CandidatesConfig,
    *,
    model: ModelFile,
    training: Artifact | None = None,
    exclude: Sequence[SourceFile] = (),
    exclude_containing: Sequence[SourceFile] = (),
) -> None:
    """Sampled names that may come into the list: a row group for every partition, in their order."""
    table, vocabulary = _sample(context, config, model, training, (exclude, exclude_containing))
    if config.sifting.novel and training:
        table = table.filter(pa.array(_is_novel(table["name"], vocabulary, config, training)))
    if config.sifting.unique:
        table = table.filter(pa.array(first_occurrences(table["name"])))
    check_fits_one_array(table["name"])
    partitions = config.sifting.partitions
    order, offsets = sifting.rows_by_partition(sifting.partition_of(table["name"], partitions), partitions)
    schema = schemas.SAMPLED_OF_STYLES if "style" in table.column_names else schemas.SAMPLED
    table = schemas.conform(schema, table.take(pa.array(order)))
    context.writer.write_groups(
        SAMPLED, [table.slice(start, stop - start) for start, stop in pairwise(offsets)]
    )


def _is_novel(
    names: pa.ChunkedArray, vocabulary: Vocabulary, config: CandidatesConfig, training: Artifact
) -> npt.NDArray[np.bool_]:
    """(N,) whether each name, as it is printed, is far enough from all of the training list."""
    capitalise = config.sampling.capitalise_first
    is_new: npt.NDArray[np.bool_] = ~pc.is_in(names, _training_list(training, capitalise).names).to_numpy()
    if config.sifting.novel_distance:
        printed = _printed_vocabulary(vocabulary) if capitalise else vocabulary
        is_new &= ~_neighbourhood(training, capitalise, printed).near(encode(names, printed))
    return is_new


def _printed_vocabulary(vocabulary: Vocabulary) -> Vocabulary:
    """With the capitals, each of which may be several characters."""
    return Vocabulary.from_characters(
        chain.from_iterable((letter, *letter.title()) for letter in vocabulary.characters)
    )


@stage(version=LIST_VERSION, name="let_in", title=lambda config: f"{config.number:05}")
def accepted(context: StageContext, config: PartitionConfig, *, candidates: Sequence[Artifact]) -> None:
    """The first row of every name of a partition; a row group for each of the candidates."""
    names = [part.group(SAMPLED, config.number, ["name"])["name"].combine_chunks() for part in candidates]
    is_first = first_occurrences(pa.chunked_array(names, pa.string()))
    ends = np.cumsum([len(part) for part in names])
    rows = [np.flatnonzero(part).astype(np.int32) for part in np.split(is_first, ends[:-1])]
    tables = [schemas.conform(schemas.ACCEPTED, pa.table({"row": part})) for part in rows]
    context.writer.write_groups(ACCEPTED, tables)
    context.writer.metadata["let_in"] = [len(part) for part in rows]


@stage(
    version=LIST_VERSION,
    name="gathered",
    title=lambda config: f"{config.file.number:05}",
    open_store=open_shards,
    names=lambda config: config.count,
)
def compacted(
    context: StageContext,
    config: CompactionConfig,
    *,
    candidates: Sequence[Artifact],
    let_in: Sequence[Artifact],
    model: ModelFile,
    training: Artifact | None = None,
) -> None:
    """A file of a generated list: accepted names, gathered from where they were sampled."""
    parts = [_accepted_rows(part, place, let_in) for place, part in enumerate(candidates, config.reads[0])]
    styles = (("style", CATEGORY),) if "style" in config.file.columns else ()
    empty = pa.schema((*_COLUMNS, *styles)).empty_table()
    parts = [part.select(empty.column_names) for part in parts]
    table = pa.concat_tables([empty, *parts]).slice(config.skip, config.count)
    index = pa.array(np.arange(config.file.first, config.file.first + config.count))
    table = table.drop_columns("number").add_column(0, "index", index)
    kernels = {kernel for part in candidates for kernel in part.manifest().metadata["kernels"]}
    context.writer.metadata["kernels"] = sorted(kernels)
    _write(context, config.file, table, model, training, config.capitalise_first)


def _accepted_rows(candidates: Artifact, place: int, let_in: Sequence[Artifact]) -> pa.Table:
    """The accepted rows of one artifact of sampled names, in their order.

    place:  of the artifact among all of them.
    """
    if not let_in:  # all that was sampled is accepted
        return candidates.table(SAMPLED)
    rows = [
        candidates.group(SAMPLED, number).take(partition.group(ACCEPTED, place)["row"])
        for number, partition in enumerate(let_in)
    ]
    return pa.concat_tables(rows).sort_by("number")


def _sample(
    context: StageContext,
    config: ShardConfig | CandidatesConfig,
    model: ModelFile,
    training: Artifact | None,
    files: tuple[Sequence[SourceFile], Sequence[SourceFile]],
) -> tuple[pa.Table, Vocabulary]:
    """The names from number `config.start` on, and the model's vocabulary.

    They have the columns number, name and log_probability, and style if the model knows styles.

    files:  of the lists that are excluded, and of which no word is contained.
    """
    sampling = config.sampling
    lists = ExcludedLists(*map(WishList.of, files, (config.exclude, config.exclude_containing)))
    drawing, vocabulary, models, _ = sampler(model, model.digest, replace(sampling, count=0), training, lists)
    stop = config.start + sampling.count
    on_progress = context.names_reporter(sampling.count)
    parts = list(drawing.names(config.start, stop, context.settings.workers, on_progress))
    names = [to_strings(part.names, vocabulary, sampling.capitalise_first) for part in parts]
    table = pa.table(
        {
            "number": pa.array(np.arange(config.start, stop)),
            "name": pa.chunked_array(names, pa.string()),
            "log_probability": np.concatenate([np.zeros(0), *(part.log_probabilities for part in parts)]),
        }
    )
    if styles := models.styles:
        of_parts = [style_column(part.names, vocabulary.size, styles, sampling.style) for part in parts]
        table = table.append_column("style", pa.chunked_array(of_parts, CATEGORY))
    context.writer.metadata["kernels"] = [_kernel()]
    return table, vocabulary


@functools.lru_cache(maxsize=1)
def sampler(
    model: ModelFile,
    digest: str,  # noqa: ARG001
    sampling: SamplingConfig,
    training: Artifact | None,
    lists: ExcludedLists,
) -> ListSampler:
    """The sampler of a list, its vocabulary and the models it is of, made once in a process.

    digest:    of the model, whose path could be another's by now.
    training:  the list whose rules the names keep, if it is known.

    Raises what a user can cause: no such model, no such style, no such list, or no such names.
    """
    blas.limit_to_one_thread()  # a request is checked with it before the first stage
    loaded = load_model(model)
    chosen = loaded.models.select(sampling.drawn_from, sampling.style)
    accepts = name_predicate(training, loaded.vocabulary)
    names, words = (excluded.names() if excluded else None for excluded in lists)
    wishes = all_wishes(sampling, loaded.vocabulary, names, words)
    drawing = Sampler(chosen, loaded.vocabulary, sampling, accepts, wishes=wishes)
    drawn_from = loaded.models.resolve(sampling.drawn_from)
    return ListSampler(drawing, loaded.vocabulary, loaded.models, drawn_from)


@functools.lru_cache(maxsize=1)
def _training_list(training: Artifact, capitalise_first: bool) -> TrainingList:
    table = training.table(NAMES, ["name", "source"]).combine_chunks()
    names = table["name"].combine_chunks()
    if capitalise_first:
        names = capitalized(names)
    return TrainingList(names, table["source"].combine_chunks())


@functools.lru_cache(maxsize=1)
def _neighbourhood(training: Artifact, capitalise_first: bool, vocabulary: Vocabulary) -> Neighborhood:
    return Neighborhood.from_names(encode(_training_list(training, capitalise_first).names, vocabulary))


def _write(
    context: StageContext,
    file: FileConfig,
    table: pa.Table,
    model: ModelFile,
    training: Artifact | None,
    capitalise_first: bool,
) -> None:
    table = table.append_column("length", pc.utf8_length(table["name"]))
    first = table["name"].slice(0, SHOWN_NAMES).to_pylist()
    context.writer.metadata.update(chunks=_chunks(table["name"]), first=first)
    if training:
        known = _training_list(training, capitalise_first)
        place = pc.index_in(table["name"], known.names)
        table = table.append_column("in_training", place.is_valid())
        table = table.append_column("source", known.source.take(place.combine_chunks()))
        context.writer.metadata["new"] = place.null_count
    schema = schemas.part_of(schemas.GENERATED_NAMES, file.columns)
    rows = schemas.conform(schema, table.select(list(file.columns)))
    recipe = canonical_json(asdict(context.recipe)).decode()
    metadata = {
        "namewright.key": context.recipe.key,
        "namewright.recipe": recipe,
        "namewright.model": model.digest,  # by its key or its path the same file would give other bytes
    }
    context.writer.write_names(part_file(file.number, file.format), rows, file.format, metadata)


def _chunks(names: pa.ChunkedArray) -> list[str]:
    """sha256 of every 65,536 names, a line each: the same whatever the shards and the format."""
    return [
        sha256(exports.as_lines(names.slice(start, NAMES_PER_BLOCK).combine_chunks()))
        for start in range(0, len(names), NAMES_PER_BLOCK)
    ]


@functools.cache
def _kernel() -> str:
    """Which code multiplies matrices: between two of them, rounding differs."""
    from threadpoolctl import threadpool_info

    return ", ".join(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )
