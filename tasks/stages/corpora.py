"""The stages `corpus`, `merged` and `validated`: from files to names that a network may be trained on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

import data
from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from data import schemas
from data.config import CorpusConfig, MergingConfig, ValidationConfig
from rnn_core.errors import DataError
from tasks.core.stage import StageContext, stage

Files = Mapping[str, Sequence[str]]  # by source: the names of its files, in the order of reading
if TYPE_CHECKING:
    from data.corpus import CheckedRows

NAMES, REJECTED = "names.parquet", "rejected.parquet"

_BUNDLED = Path(data.__path__[0], "corpora")  # whose limit is known
_MOST_COUNTED = 5_000_000  # rows beyond a limit
_CASES = 3  # rejected rows that are shown; all are in the table
_CHARACTERS = 20  # removed ones that are shown; all are in the manifest


def added_and_removed(before: Artifact, after: Artifact) -> str:
    """`1 name added, 2 removed`."""
    old, new = (artifact.table(NAMES, ["name"])["name"].unique() for artifact in (before, after))
    counts = {"added": _missing(new, old), "removed": _missing(old, new)}
    texts = [
        f"{count:,} {'name' if count == 1 else 'names'} {what}" for what, count in counts.items() if count
    ]
    return ", ".join(texts) or "the same names"


def _missing(names: pa.Array, others: pa.Array) -> int:
    return len(names) - (pc.sum(pc.is_in(names, value_set=others)).as_py() or 0)


@stage(version=5, title=lambda config: config.name, compare=added_and_removed, is_quick=True)
def corpus(context: StageContext, config: CorpusConfig, *, file: SourceFile | Sequence[SourceFile]) -> None:
    """The names of a source, and the rows that are none.

    file:  of the source, or several, in the order in which they are read.
    """
    from data.corpus import read_corpus  # what reads, merges and validates is imported by who does it

    files = [file] if isinstance(file, SourceFile) else file
    paths = {config.name: [one.path.name for one in files]}
    rejected: list[pa.Table] = []

    def names(parts: "Iterable[CheckedRows]") -> Iterator[pa.Table]:
        for part in parts:
            if len(part.rejected) or not rejected:
                rejected.append(part.rejected)
            yield part.names

    # With its files, also if writing fails.
    with closing(read_corpus(files, config, context.notice)) as parts:
        taken = context.write_parts(NAMES, schemas.CORPUS, names(parts))
    if not taken:
        rows = pa.concat_tables(rejected)
        raise DataError(
            "corpus.empty",
            "the source holds no names",
            where=", ".join(each.origin for each in files[:3]) + (", ..." if len(files) > 3 else ""),
            saw=f"{len(rows)} rows: {'; '.join(_reasons(rows, paths))}" if len(rows) else _no_row(config),
            fix="check the file, or take it out of the sources.",
        )
    _write_rejected(context, schemas.CORPUS_REJECTED, rejected, paths)
    rows = taken + sum(map(len, rejected))
    if rows == config.limit and _BUNDLED not in files[0].path.parents:
        context.notice(f"{_rows_in(files, config)} rows in the file, {rows:,} read (limit)")


def _rows_in(files: Sequence[SourceFile], config: CorpusConfig) -> str:
    """How many rows a source has, for people: counted up to a bound, and as far as it can be read."""
    from data.corpus import read_corpus

    rows, more = 0, ""
    try:
        with closing(read_corpus(files, replace(config, limit=_MOST_COUNTED))) as parts:
            for part in parts:
                rows += len(part.names) + len(part.rejected)
    except DataError:
        more = "more than "
    return f"{'more than ' if rows >= _MOST_COUNTED else more}{rows:,}"


@stage(version=4, is_quick=True)
def merged(context: StageContext, config: MergingConfig, *, corpora: Sequence[Artifact]) -> None:
    """The names of all sources as one list, duplicates dealt with as configured."""
    from data import merging

    together = merging.merge([one.table(NAMES) for one in corpora], config)
    context.writer.metadata["sources"] = together.sources
    context.writer.order(NAMES, REJECTED)
    with ThreadPoolExecutor(1) as pool:  # Arrow writes a table with one core
        names = pool.submit(context.write_parts, NAMES, schemas.CORPUS, together.names)
        _write_rejected(context, schemas.REJECTED, together.rejected, _files_of(corpora))
        names.result()


@stage(version=4, is_quick=True)
def validated(
    context: StageContext, config: ValidationConfig, *, merged: Artifact, corpora: Sequence[Artifact] = ()
) -> None:
    """The names that keep the rules, and those that do not.

    corpora:  what was merged: rows that were rejected there count in the share of rejected rows.
    """
    from data import validation

    lines = merged.table(NAMES)
    found = validation.validate_corpus(lines, config)
    context.write_table(NAMES, schemas.CORPUS, found.names)
    files_of = _files_of(corpora)
    first = next(found.rejected)
    _write_rejected(context, schemas.REJECTED, chain([first], found.rejected), files_of)
    if found.shortened_rows:
        first = ", ".join(map(repr, list(found.removed)[:_CHARACTERS]))
        more = ", …" if len(found.removed) > _CHARACTERS else ""
        context.notice(f"rare characters were removed from {found.shortened_rows} names: {first}{more}")
    context.writer.metadata["rare_characters_removed"] = {
        "characters": found.removed,
        "rows": found.shortened_rows,
        "equal_to_another_name": found.new_duplicates,
    }
    unread = [table for one in corpora if len(table := _unread(one))]
    rejected = len(lines) - len(found.names) + sum(map(len, unread))
    files = merged.manifest().files
    read = sum(map(len, unread)) + sum(files[name].rows or 0 for name in (NAMES, REJECTED))
    context.writer.metadata["rejected_share"] = share = rejected / max(read, 1)
    is_empty = not pc.any(pc.not_equal(found.names["name"], "")).as_py()
    if is_empty or share > config.max_rejected_share:
        what = f"{rejected:,} of {read:,} rows are rejected"
        cases = [case for table in (first, *unread) for case in _cases(table, files_of)][:_CASES]
        places = [
            context.writer.quarantine(what),
            *(one.folder for one in corpora if len(_unread(one))),
        ]
        raise DataError(
            "corpus.empty" if is_empty else "corpus.rejects",
            f"no name is left to learn from: {what}"
            if is_empty
            else f"{what}, a share above {config.max_rejected_share:g}",
            where=", ".join(str(place / REJECTED) for place in places),
            saw="; ".join(cases),
            fix="look at these tables, then mend the lists or the rules under [validation]"
            + ("." if is_empty else "; or allow it: validation.max_rejected_share."),
        )


def _no_row(config: CorpusConfig) -> str:
    return f"no row where {config.where}" if config.where else "no row"


def _unread(corpus: Artifact) -> pa.Table:
    """Rows that were no names as they were read. A blank one is none that somebody might miss."""
    from data.reading.rows import BLANK

    table = corpus.table(REJECTED)
    return table.filter(pc.invert(pc.is_in(table["reason"], pa.array(BLANK))))


def _write_rejected(
    context: StageContext, schema: schemas.Schema, parts: Iterable[pa.Table], files: Files
) -> None:
    """Write the rejected rows, and emit how many there are with the first of them.

    files:  by source, to say which file a line is in.
    """
    counts: Counter[str] = Counter()
    first: list[str] = []

    def counted() -> Iterator[pa.Table]:
        for part in parts:
            for each in part["reason"].value_counts().to_pylist():
                counts[each["values"]] += each["counts"]
            if len(first) < _CASES:
                first.extend(_reasons(part, files))
            yield part

    context.write_parts(REJECTED, schema, counted())
    context.writer.metadata["rejected"] = dict(counts)
    if first:
        cases = "; ".join(first[:_CASES])
        context.notice(f"{counts.total()} rows not taken, see {REJECTED}: {cases}")


def _reasons(rejected: pa.Table, files: Files) -> list[str]:
    return [
        f"{_place(row, files)}: {row['reason']}"
        for row in rejected.slice(0, _CASES).select(["source", "file", "line", "reason"]).to_pylist()
    ]


def _cases(rejected: pa.Table, files: Files) -> list[str]:
    return [
        f"{_place(row, files)}: {row['reason']} ({row.get('name', row.get('raw'))!r:.60})"
        for row in rejected.slice(0, _CASES).to_pylist()
    ]


def _place(row: Mapping[str, Any], files: Files) -> str:
    """Source and line of a rejected row; with its file where the source has several."""
    names = files.get(row["source"], ())
    file = f", {names[row['file'] - 1]}" if len(names) > 1 else ""
    return f"{row['source']}{file} line {row['line']}"


def _files_of(corpora: Sequence[Artifact]) -> dict[str, list[str]]:
    """The names of the files of each source, in the order of reading."""
    manifests = [artifact.manifest() for artifact in corpora]
    return {
        one.recipe.config["name"]: [
            Path(origin).name
            for role, origin in sorted(one.origins.items(), key=lambda item: int(item[0].rpartition(".")[2]))
        ]
        for one in manifests
        if "file.0" in one.origins
    }
