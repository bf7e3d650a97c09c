"""The stages `corpus`, `merged` and `validated`: from files to names that a network may learn from."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from data import merging, schemas, validation
from data.config import CorpusConfig, MergingConfig, ValidationConfig
from data.corpus import Taken, read
from data.reading.rows import BLANK
from rnn_core.errors import DataError
from tasks.stage import Work

NAMES, REJECTED = "names.parquet", "rejected.parquet"

_CASES = 3  # rejected rows that are shown; all are in the table
_CHARACTERS = 20  # removed ones that are shown; all are in the manifest


def corpus(work: Work, config: CorpusConfig, file: SourceFile | Sequence[SourceFile]) -> None:
    """file:  of the source, or several, in the order in which they are read."""
    files = [file] if isinstance(file, SourceFile) else file
    taken = read(files, config, work.notice)
    if not len(taken.names):
        raise DataError(
            "corpus.empty",
            "the source holds no names",
            where=", ".join(str(each.path) for each in files[:3]) + (", ..." if len(files) > 3 else ""),
            saw=f"{len(taken.rejected)} rows: {'; '.join(_reasons(taken))}"
            if len(taken.rejected)
            else "no row",
            fix="check the file, or take it out of the sources.",
        )
    _write(work, taken, schemas.CORPUS_REJECTED)


def merged(work: Work, config: MergingConfig, corpora: Sequence[Artifact]) -> None:
    together = merging.merge([one.table(NAMES) for one in corpora], config)
    work.draft.facts["sources"] = together.sources
    _write(work, Taken(together.names, together.rejected), schemas.REJECTED)


def validated(
    work: Work, config: ValidationConfig, merged: Artifact, corpora: Sequence[Artifact] = ()
) -> None:
    """corpora:  what was merged: rows that were rejected there count in the share of rejected rows."""
    lines = merged.table(NAMES)
    found = validation.validate_corpus(lines, config)
    _write(work, Taken(found.names, found.rejected), schemas.REJECTED)
    if found.shortened:
        first = ", ".join(map(repr, list(found.removed)[:_CHARACTERS]))
        more = ", …" if len(found.removed) > _CHARACTERS else ""
        work.notice(f"rare characters were removed from {found.shortened} names: {first}{more}")
    work.draft.facts["rare_characters_removed"] = {
        "characters": found.removed,
        "rows": found.shortened,
        "equal_to_another_name": found.doubled,
    }
    unread = [table for one in corpora if len(table := _unread(one))]
    rejected = len(lines) - len(found.names) + sum(map(len, unread))
    files = merged.manifest().files
    read = sum(map(len, unread)) + sum(files[name].rows or 0 for name in (NAMES, REJECTED))
    work.draft.facts["rejected_share"] = share = rejected / max(read, 1)
    is_empty = not pc.any(pc.not_equal(found.names["name"], "")).as_py()
    if is_empty or share > config.max_rejected_share:
        what = f"{rejected:,} of {read:,} rows are rejected"
        cases = [case for table in (found.rejected, *unread) for case in _cases(table)][:_CASES]
        places = [work.draft.set_aside(what), *(one.folder for one in corpora if len(_unread(one)))]
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


def _unread(corpus: Artifact) -> pa.Table:
    """Rows that were no names as they were read. A blank one is none that somebody might miss."""
    table = corpus.table(REJECTED)
    return table.filter(pc.invert(pc.is_in(table["reason"], pa.array(BLANK))))


def _write(work: Work, taken: Taken, rejected: schemas.Schema) -> None:
    work.write_table(NAMES, schemas.CORPUS, taken.names)
    work.write_table(REJECTED, rejected, taken.rejected)
    work.draft.facts["rejected"] = {
        each["values"]: each["counts"] for each in taken.rejected["reason"].value_counts().to_pylist()
    }
    if len(taken.rejected):
        work.notice(f"{len(taken.rejected)} rows not taken, see {REJECTED}: {'; '.join(_reasons(taken))}")


def _reasons(taken: Taken) -> list[str]:
    return [
        f"{row['source']} line {row['line']}: {row['reason']}"
        for row in taken.rejected.slice(0, _CASES).select(["source", "line", "reason"]).to_pylist()
    ]


def _cases(rejected: pa.Table) -> list[str]:
    return [
        f"{row['source']} line {row['line']}: {row['reason']} ({row.get('name', row.get('raw'))!r:.60})"
        for row in rejected.slice(0, _CASES).to_pylist()
    ]
