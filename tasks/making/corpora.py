"""The stages `corpus`, `merged` and `validated`: from files to names that a network may learn from."""

from collections.abc import Sequence

from artifacts.source_file import SourceFile
from artifacts.store import Artifact
from data import merging, schemas, validation
from data.config import CorpusConfig, MergingConfig, ValidationConfig
from data.corpus import Taken, read
from rnn_core.errors import DataError
from tasks.stage import Work

NAMES, REJECTED = "names.parquet", "rejected.parquet"


def corpus(work: Work, config: CorpusConfig, file: SourceFile | Sequence[SourceFile]) -> None:
    """file:  of the source, or several, in the order in which they are read."""
    files = [file] if isinstance(file, SourceFile) else file
    taken = read(files, config)
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
    _write(work, merging.merge([one.table(NAMES) for one in corpora], config), schemas.REJECTED)


def validated(work: Work, config: ValidationConfig, merged: Artifact) -> None:
    taken = validation.validate(merged.table(NAMES), config)
    if not len(taken.names):
        seen = "; ".join(_reasons(taken))
        raise DataError(
            "corpus.empty",
            "no name is left to learn from",
            saw=f"{len(taken.rejected)} rejections: {seen}",
            fix="check the files of the sources, and the rules under [validation].",
        )
    _write(work, taken, schemas.REJECTED)


def _write(work: Work, taken: Taken, rejected: schemas.Schema) -> None:
    work.write_table(NAMES, schemas.CORPUS, taken.names, rising=["line"])
    work.write_table(REJECTED, rejected, taken.rejected, rising=["line"])
    work.draft.facts["rejected"] = {
        each["values"]: each["counts"] for each in taken.rejected["reason"].value_counts().to_pylist()
    }
    if len(taken.rejected):
        work.notice(f"{len(taken.rejected)} rows not taken, see {REJECTED}: {'; '.join(_reasons(taken))}")


def _reasons(taken: Taken) -> list[str]:
    return [
        f"{row['source']} line {row['line']}: {row['reason']}"
        for row in taken.rejected.slice(0, 3).select(["source", "line", "reason"]).to_pylist()
    ]
